// gemm.cpp: float matrix product by tiles of `c` that stay in registers.
//
// A panel of kPanel columns of `b` is copied next to each other, then every tile
// of kTileRows rows under it sums its whole dot products, adds the biases, clamps
// and is stored once. `a` is read where it lies: a tile's rows are a few streams.
// Long sums are split, so that the panel stays in the second-level cache.
//
// Cost with AVX2: a step along k is 3 loads of `b`, 4 broadcasts of `a` and 12 multiply-adds into the 12 accumulators;
// two load ports take 3.5 cycles for what two multiply-add ports take 6 for, so the arithmetic binds. `b` is packed
// because a panel's rows lie a whole matrix row apart, a new page each for wide matrices; the copy is read m / 4 times.
// `a` is not: its 4 rows are read in order, each value once a panel, and in a convolution it is the weights, which are
// far smaller than the columns. A panel of 24 columns and 512 rows is 48 KB.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Accumulators, a row of `b` and one value of `a` fill the registers there are.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileRows = 8;
constexpr int kTileVectors = 3;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileRows = 4;
constexpr int kTileVectors = 3;
#else
constexpr int kLanes = 4;
constexpr int kTileRows = 4;
constexpr int kTileVectors = 2;
#endif
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));

// Enough independent sums to keep the processor busy, however narrow the tile.
constexpr int kMaxTileRows = 8;
constexpr int rows_of_tile(int num_vectors) { return num_vectors == 1 ? kMaxTileRows : kTileRows; }

constexpr std::int64_t kPanel = kTileVectors * kLanes;
constexpr std::int64_t kMaxDepth = 512;  // Of one pass over a panel.

inline Floats load(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

// Minus 0, not plus 0: that leaves every value as it is, so no arithmetic remains.
inline Floats spread(float value) { return value - Floats{}; }

inline void store(Floats v, float* to) { __builtin_memcpy(to, &v, sizeof v); }

// One pass over one panel: c[m, columns] = clamp(start + alpha * a[m, depth] * b[depth, columns]).
struct Pass {
  const float* a;
  std::int64_t a_stride;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
  std::int64_t depth;
  bool keeps;  // Starts from what `c` holds; else from the biases.
  const float* row_bias;
  const float* column_bias;
  float alpha;
  float low;
  float high;
};

// Rows [row, row + R) of the columns [0, V * kLanes).
template <Order kOrder, int R, int V>
void run_tile(const Pass& pass, std::int64_t row) {
  Floats sums[R][V] = {};
  const float* a[R];
  for (int r = 0; r < R; ++r) a[r] = pass.a + (row + r) * (kOrder == Order::kRows ? pass.a_stride : 1);
  const std::int64_t a_step = kOrder == Order::kRows ? 1 : pass.a_stride;
  const float* b = pass.b;
  const std::int64_t depth = pass.depth;
  const std::int64_t b_stride = pass.b_stride;
  for (std::int64_t p = 0; p < depth; ++p, b += b_stride) {
    Floats values[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) values[v] = load(b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Floats factor = spread(a[r][p * a_step]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[r][v] += factor * values[v];
    }
  }
  const Floats low = spread(pass.low);
  const Floats high = spread(pass.high);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* c = pass.c + (row + r) * pass.c_stride;
    const float base = !pass.keeps && pass.row_bias != nullptr ? pass.row_bias[row + r] : 0.0F;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      Floats start = spread(base);
      if (pass.keeps) {
        start = load(c + v * kLanes);
      } else if (pass.column_bias != nullptr) {
        start += load(pass.column_bias + v * kLanes);
      }
      Floats value = start + pass.alpha * sums[r][v];
      value = value < low ? low : value;  // False for NaN, which passes.
      value = high < value ? high : value;
      store(value, c + v * kLanes);
    }
  }
}

template <Order kOrder, int V>
void run_rows(const Pass& pass, std::int64_t m) {
  constexpr int kRows = rows_of_tile(V);
  std::int64_t row = 0;
  for (; row + kRows <= m; row += kRows) run_tile<kOrder, kRows, V>(pass, row);
  if (kRows > 4 && row + 4 <= m) {
    run_tile<kOrder, 4, V>(pass, row);
    row += 4;
  }
  if (row + 2 <= m) {
    run_tile<kOrder, 2, V>(pass, row);
    row += 2;
  }
  if (row < m) run_tile<kOrder, 1, V>(pass, row);
}

template <Order kOrder>
void run_panel(const Pass& pass, std::int64_t m, int num_vectors) {
  switch (num_vectors) {
    case 1:
      return run_rows<kOrder, 1>(pass, m);
    case 2:
      return run_rows<kOrder, 2>(pass, m);
    default:
      return run_rows<kOrder, kTileVectors>(pass, m);
  }
}

void copy(const float* from, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// Rows of `columns` floats, `stride` apart, to rows `to_stride` apart; the rest of those is set to 0.
void copy_panel(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns, float* to,
                std::int64_t to_stride) {
  for (std::int64_t row = 0; row < rows; ++row, from += stride, to += to_stride) {
    if (columns == kPanel) {
      for (int v = 0; v < kTileVectors; ++v) store(load(from + v * kLanes), to + v * kLanes);
      continue;
    }
    copy(from, to, columns);
    for (std::int64_t j = columns; j < to_stride; ++j) to[j] = 0.0F;
  }
}

// The tiles of a panel whose last vector is not full compute into a buffer.
template <Order kOrder>
void run_ragged_panel(const Pass& pass, std::int64_t m, std::int64_t columns, int num_vectors) {
  float tile[kMaxTileRows * kPanel];
  float column_bias[kPanel] = {};
  Pass part = pass;
  part.c = tile;
  part.c_stride = kPanel;
  if (pass.column_bias != nullptr) {
    copy(pass.column_bias, column_bias, columns);
    part.column_bias = column_bias;
  }
  for (std::int64_t row = 0; row < m; row += kMaxTileRows) {
    const std::int64_t rows = m - row < kMaxTileRows ? m - row : kMaxTileRows;
    float* c = pass.c + row * pass.c_stride;
    part.a = pass.a + row * (kOrder == Order::kRows ? pass.a_stride : 1);
    if (pass.row_bias != nullptr) part.row_bias = pass.row_bias + row;
    if (pass.keeps) copy_panel(c, pass.c_stride, rows, columns, tile, kPanel);
    run_panel<kOrder>(part, rows, num_vectors);
    for (std::int64_t r = 0; r < rows; ++r) copy(tile + r * kPanel, c + r * pass.c_stride, columns);
  }
}

template <Order kOrder>
void multiply(const Gemm& g) {
  alignas(64) float panel[kMaxDepth * kPanel];
  for (std::int64_t first = 0; first < g.n; first += kPanel) {
    const std::int64_t columns = g.n - first < kPanel ? g.n - first : kPanel;
    const int num_vectors = static_cast<int>((columns + kLanes - 1) / kLanes);
    const bool is_full = columns == num_vectors * kLanes;
    std::int64_t at = 0;
    do {
      Pass pass;
      pass.depth = g.k - at < kMaxDepth ? g.k - at : kMaxDepth;
      pass.a = g.a + at * (kOrder == Order::kRows ? 1 : g.a_stride);
      pass.a_stride = g.a_stride;
      pass.b = g.b + at * g.b_stride + first;
      pass.b_stride = g.b_stride;
      // A panel read once is not worth copying.
      if (!is_full || g.m > kTileRows) {
        copy_panel(pass.b, g.b_stride, pass.depth, columns, panel, num_vectors * kLanes);
        pass.b = panel;
        pass.b_stride = num_vectors * kLanes;
      }
      pass.c = g.c + first;
      pass.c_stride = g.c_stride;
      pass.keeps = at > 0 || g.start == Start::kKeep;
      pass.row_bias = g.row_bias;
      pass.column_bias = g.column_bias == nullptr ? nullptr : g.column_bias + first;
      pass.alpha = g.alpha;
      const bool is_last = at + pass.depth == g.k;
      pass.low = is_last ? g.clamp_min : -__builtin_inff();
      pass.high = is_last ? g.clamp_max : __builtin_inff();
      if (is_full) {
        run_panel<kOrder>(pass, g.m, num_vectors);
      } else {
        run_ragged_panel<kOrder>(pass, g.m, columns, num_vectors);
      }
      at += pass.depth;
    } while (at < g.k);
  }
}

}  // namespace

void gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  // Matrix times vector, columns of `b` that are not next to each other, no product at all: left to Eigen.
  if (g.b_order == Order::kColumns || g.n < kLanes / 2 || g.k <= 0) {
#if defined(__AVX512F__)
    avx2::eigen_gemm(g);  // Eigen's product is faster with 256-bit registers on the processors measured.
#else
    eigen_gemm(g);
#endif
    return;
  }
  g.a_order == Order::kRows ? multiply<Order::kRows>(g) : multiply<Order::kColumns>(g);
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
