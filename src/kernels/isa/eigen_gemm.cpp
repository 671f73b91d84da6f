// eigen_gemm.cpp: float matrix product through Eigen, for any order and shape.
//
// Cost: Eigen packs both operands, which gemm.cpp does for `b` only; that pays where `a` is transposed and its rows
// would be strided reads. With one column or one row each element of the matrix is used once: such products are bound
// by memory and packing would double the traffic, so Eigen's matrix-vector form reads it in place. Everything else is
// gemm.cpp's.
#include <Eigen/Core>

#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using Index = Eigen::Index;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
template <class Matrix>
using ConstMap = Eigen::Map<const Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;

// Bytes of `c` worked on at a time: small enough to be clamped while still in
// the second-level cache.
constexpr std::int64_t kTileBytes = 512 * 1024;
constexpr std::int64_t kMinTileColumns = 256;

// Eigen splits long sums by cache size. Fixing the sizes makes the order of
// every sum, and so the result, independent of the machine's caches.
bool fix_cache_sizes() {
  Eigen::setCpuCacheSizes(32 * 1024, 1024 * 1024, 8 * 1024 * 1024);
  return true;
}

void fill(float* x, std::int64_t count, float value) {
  for (std::int64_t i = 0; i < count; ++i) x[i] = value;
}

void start_tile(const Gemm& g, std::int64_t first, std::int64_t last) {
  if (g.start == Start::kKeep) return;
  for (std::int64_t i = 0; i < g.m; ++i) {
    float* row = g.c + i * g.c_stride;
    const float base = g.row_bias != nullptr ? g.row_bias[i] : 0.0F;
    if (g.column_bias == nullptr) {
      fill(row + first, last - first, base);
    } else {
      for (std::int64_t j = first; j < last; ++j) row[j] = base + g.column_bias[j];
    }
  }
}

template <class A, class B>
void add_product(const Gemm& g, std::int64_t first, std::int64_t last) {
  const std::int64_t offset = B::IsRowMajor ? first : first * g.b_stride;
  const ConstMap<A> a(g.a, static_cast<Index>(g.m), static_cast<Index>(g.k), Eigen::OuterStride<>(g.a_stride));
  const ConstMap<B> b(g.b + offset, static_cast<Index>(g.k), static_cast<Index>(last - first),
                      Eigen::OuterStride<>(g.b_stride));
  Eigen::Map<RowMatrix, Eigen::Unaligned, Eigen::OuterStride<>> c(
      g.c + first, static_cast<Index>(g.m), static_cast<Index>(last - first), Eigen::OuterStride<>(g.c_stride));
  c.noalias() += g.alpha * a * b;
}

void add_product_in_order(const Gemm& g, std::int64_t first, std::int64_t last) {
  if (g.a_order == Order::kRows) {
    g.b_order == Order::kRows ? add_product<RowMatrix, RowMatrix>(g, first, last)
                              : add_product<RowMatrix, ColumnMatrix>(g, first, last);
  } else {
    g.b_order == Order::kRows ? add_product<ColumnMatrix, RowMatrix>(g, first, last)
                              : add_product<ColumnMatrix, ColumnMatrix>(g, first, last);
  }
}

}  // namespace

void eigen_gemm(const Gemm& g) {
  static const bool fixed = fix_cache_sizes();
  static_cast<void>(fixed);
  if (g.m <= 0 || g.n <= 0) return;
  const float infinity = __builtin_inff();
  const bool clamps = g.clamp_min > -infinity || g.clamp_max < infinity;
  std::int64_t tile = g.n;
  if (clamps || g.start == Start::kBias) {
    tile = kTileBytes / static_cast<std::int64_t>(sizeof(float)) / g.m / 16 * 16;
    if (tile < kMinTileColumns) tile = kMinTileColumns;
  }
  for (std::int64_t first = 0; first < g.n; first += tile) {
    const std::int64_t last = g.n - first < tile + tile / 2 ? g.n : first + tile;
    start_tile(g, first, last);
    if (g.k > 0) add_product_in_order(g, first, last);
    if (clamps) {
      for (std::int64_t i = 0; i < g.m; ++i) {
        clamp_in_place(g.c + i * g.c_stride + first, last - first, g.clamp_min, g.clamp_max);
      }
    }
    if (last == g.n) break;
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
