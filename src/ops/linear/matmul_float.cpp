// matmul_float.cpp: MatMul and Gemm on float32, and on whole numbers as the standard defines them.
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/gemm.hpp"
#include "ops/linear/matmul.hpp"
#include "ops/linear/product_share.hpp"

namespace halfstep::ops {
namespace {

// Calls f.operator()<T>() with the unsigned type as wide as `dtype`: sums that
// wrap around are the same for signed and unsigned, and defined for unsigned only.
template <class F>
void visit_modular(DType dtype, F&& f) {
  if (size_in_bytes(dtype) == 4) {
    f.template operator()<std::uint32_t>();
  } else {
    f.template operator()<std::uint64_t>();
  }
}

struct Strides {
  std::int64_t row;
  std::int64_t column;
};

// c[m, n] = alpha * (a[m, k] * b[k, n]) + c, modulo 2^bits.
template <class T>
void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, Strides a_step, const T* b, Strides b_step,
                 T alpha, T* c) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t l = 0; l < k; ++l) {
      const T factor = alpha * a[i * a_step.row + l * a_step.column];
      const T* row = b + l * b_step.row;
      for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += factor * row[j * b_step.column];
    }
  }
}

void set_clamp(kernels::Gemm& product, const graph::Node& node) {
  if (!node.clamp.has_value()) return;
  product.clamp_min = node.clamp->min;
  product.clamp_max = node.clamp->max;
}

template <class T>
const T* elements(const ConstView& view) {
  return reinterpret_cast<const T*>(view.bytes);
}

Prepared nothing_to_do() {
  return {.run = [](const KernelIo&) -> Result<void> { return {}; }, .scratch_bytes = 0, .clamps = true};
}

}  // namespace

Result<Prepared> lower_matmul(const LowerArgs& args) {
  const Result<MatMulGeometry> geometry = matmul_geometry(args);
  if (!geometry.ok()) return geometry.error();
  MatMulGeometry g = *geometry;
  if (g.output.num_elements() == 0) return nothing_to_do();
  std::vector<MatrixPair> pairs;
  const Shape& a = args.shape(0);
  const Shape& b = args.shape(1);
  if (b.num_elements() == g.k * g.n && a.num_elements() == g.batch.num_elements() * g.m * g.k) {
    // One right-hand matrix for the whole batch: the left ones are one tall matrix.
    g.m *= g.batch.num_elements();
    pairs = {MatrixPair{0, 0}};
  } else {
    pairs = matrix_pairs(g, a, b);
  }
  if (g.dtype != DType::kFloat32) {
    return Prepared{.run = [g, pairs = std::move(pairs)](const KernelIo& io) -> Result<void> {
      visit_modular(g.dtype, [&]<class T>() {
        T* c = reinterpret_cast<T*>(io.outputs[0].bytes);
        std::fill_n(c, io.outputs[0].num_elements(), T{0});
        for (const MatrixPair& pair : pairs) {
          add_product<T>(g.m, g.n, g.k, elements<T>(io.inputs[0]) + pair.a, {g.k, 1},
                         elements<T>(io.inputs[1]) + pair.b, {g.n, 1}, T{1}, c);
          c += g.m * g.n;
        }
      });
      return {};
    }};
  }
  kernels::Gemm product;
  product.m = g.m;
  product.n = g.n;
  product.k = g.k;
  product.a_stride = g.k;
  product.b_stride = g.n;
  product.c_stride = g.n;
  set_clamp(product, args.node);
  return Prepared{.run = [product, pairs = std::move(pairs)](const KernelIo& io) -> Result<void> {
                    kernels::Gemm one = product;
                    one.c = io.outputs[0].data<float>();
                    for (const MatrixPair& pair : pairs) {
                      one.a = io.inputs[0].data<float>() + pair.a;
                      one.b = io.inputs[1].data<float>() + pair.b;
                      kernels::Gemm mine = one;
                      take_share(io, mine);
                      kernels::gemm(mine);
                      one.c += one.m * one.n;
                    }
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = true,
                  .splits = true};
}

Result<Prepared> lower_gemm(const LowerArgs& args) {
  const Result<GemmGeometry> geometry = gemm_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const GemmGeometry g = *geometry;
  if (g.m == 0 || g.n == 0) return nothing_to_do();
  if (g.dtype != DType::kFloat32) {
    return Prepared{.run = [g](const KernelIo& io) -> Result<void> {
      visit_modular(g.dtype, [&]<class T>() {
        T* y = reinterpret_cast<T*>(io.outputs[0].bytes);
        const auto alpha = static_cast<T>(static_cast<std::int64_t>(g.alpha));
        const auto beta = static_cast<T>(static_cast<std::int64_t>(g.beta));
        const bool has_c = io.inputs.size() > 2 && io.inputs[2].present();
        for (std::int64_t i = 0; i < g.m; ++i) {
          for (std::int64_t j = 0; j < g.n; ++j) {
            const std::int64_t at = i * g.c_row_step + j * g.c_column_step;
            y[i * g.n + j] = has_c ? beta * elements<T>(io.inputs[2])[at] : T{0};
          }
        }
        const Strides a_step = g.transpose_a ? Strides{1, g.m} : Strides{g.k, 1};
        const Strides b_step = g.transpose_b ? Strides{1, g.k} : Strides{g.n, 1};
        add_product<T>(g.m, g.n, g.k, elements<T>(io.inputs[0]), a_step, elements<T>(io.inputs[1]), b_step, alpha, y);
      });
      return {};
    }};
  }
  kernels::Gemm product;
  product.m = g.m;
  product.n = g.n;
  product.k = g.k;
  product.a_stride = g.transpose_a ? g.m : g.k;
  product.a_order = g.transpose_a ? kernels::Order::kColumns : kernels::Order::kRows;
  product.b_stride = g.transpose_b ? g.k : g.n;
  product.b_order = g.transpose_b ? kernels::Order::kColumns : kernels::Order::kRows;
  product.c_stride = g.n;
  product.alpha = g.alpha;
  set_clamp(product, args.node);
  return Prepared{.run = [g, product](const KernelIo& io) -> Result<void> {
                    kernels::Gemm one = product;
                    one.a = io.inputs[0].data<float>();
                    one.b = io.inputs[1].data<float>();
                    one.c = io.outputs[0].data<float>();
                    take_share(io, one);
                    if (io.inputs.size() > 2 && io.inputs[2].present()) {
                      one.start = kernels::Start::kKeep;
                      const std::int64_t begin = one.c - io.outputs[0].data<float>();
                      const float* c = io.inputs[2].data<float>() + begin / g.n * g.c_row_step;
                      for (std::int64_t i = 0; i < one.m; ++i) {
                        for (std::int64_t j = 0; j < one.n; ++j) {
                          one.c[i * g.n + j] = g.beta * c[i * g.c_row_step + (begin % g.n + j) * g.c_column_step];
                        }
                      }
                    }
                    kernels::gemm(one);
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = true,
                  .splits = true};
}

}  // namespace halfstep::ops
