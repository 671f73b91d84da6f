// int_gemm.cpp: integer matrix product by tiles of `acc` that stay in registers.
//
// As in gemm.cpp, a panel of kPanel columns of `b` is copied next to each other and
// every tile of rows under it sums whole pieces of its dot products. One lane holds
// two neighbours along k: an instruction multiplies both pairs and adds the products.
// Columns that would leave most of a vector empty become dot products along k.
//
// Cost with AVX2: a step of one pair along k is 2 loads of `b`, 6 broadcasts of `a`, 12 multiply-adds of pairs and 12
// additions: 192 products for 24 arithmetic instructions, which bind; loads are a third of them. The panel of 16
// columns and 256 pairs is 16 KB and stays in the first-level cache. `b` is copied at every call because it is an
// activation, laid out by whatever wrote it; `a`, constant weights, comes in pairs from lowering and is read in place,
// each pair of a row once a panel. Operands are 16 bits wide: the instruction for bytes would do twice the work, but
// AVX2's saturates.
#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Accumulators, a row of `b`, one pair of `a` and a product fill the registers there are.
#if defined(__AVX512BW__)
constexpr int kTileRows = 8;
constexpr int kTileVectors = 3;
#elif defined(__AVX2__)
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#else
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
#endif

// Enough independent sums to keep the processor busy, however narrow the tile.
constexpr int kMaxTileRows = 8;
constexpr int rows_of_tile(int num_vectors) { return num_vectors == 1 ? kMaxTileRows : kTileRows; }

constexpr std::int64_t kPanel = kTileVectors * kLanes;
constexpr std::int64_t kMaxDepth = 256;  // Pairs of one pass over a panel.
constexpr int kMaxDots = 4;              // Columns that share one reading of `a`.

template <class T>
inline Ints load(const T* from) {
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline void store(Ints v, std::int32_t* to) { __builtin_memcpy(to, &v, sizeof v); }

// Two neighbours along k, as the 32 bits of one lane.
inline std::int32_t pair_at(const std::int16_t* from) {
  std::int32_t pair;
  __builtin_memcpy(&pair, from, sizeof pair);
  return pair;
}

inline Ints spread(std::int32_t value) { return value - Ints{}; }

// In each lane the sum of two products of 16-bit numbers.
inline Ints multiply_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  std::int16_t x[2 * kLanes];
  std::int16_t y[2 * kLanes];
  __builtin_memcpy(x, &a, sizeof x);
  __builtin_memcpy(y, &b, sizeof y);
  Ints sums;
  for (int l = 0; l < kLanes; ++l) sums[l] = x[2 * l] * y[2 * l] + x[2 * l + 1] * y[2 * l + 1];
  return sums;
#endif
}

// The first `count` pairs, then zeros; reads nothing behind them.
inline Ints load_some(const std::int16_t* from, std::int64_t count) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << count) - 1), from));
#else
  Ints v = {};
  for (std::int64_t l = 0; l < count; ++l) v[l] = pair_at(from + 2 * l);
  return v;
#endif
}

// One pass over one panel: acc[m, columns] (+)= a[m, depth] * b[depth, columns].
struct Pass {
  const std::int16_t* a;
  std::int64_t a_stride;
  const std::int16_t* b;
  std::int64_t b_stride;
  std::int32_t* acc;
  std::int64_t acc_stride;
  std::int64_t depth;
  bool keeps;  // Adds to what `acc` holds.
};

// Rows [row, row + R) of the columns [0, V * kLanes).
template <int R, int V>
void run_tile(const Pass& pass, std::int64_t row) {
  Ints sums[R][V] = {};
  const std::int16_t* a[R];
  for (int r = 0; r < R; ++r) a[r] = pass.a + (row + r) * pass.a_stride;
  const std::int16_t* b = pass.b;
  const std::int64_t depth = pass.depth;
  const std::int64_t b_stride = pass.b_stride;
  for (std::int64_t p = 0; p < depth; ++p, b += b_stride) {
    Ints values[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) values[v] = load(b + v * 2 * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Ints factor = spread(pair_at(a[r] + 2 * p));
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[r][v] += multiply_pairs(factor, values[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    std::int32_t* acc = pass.acc + (row + r) * pass.acc_stride;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      store(pass.keeps ? sums[r][v] + load(acc + v * kLanes) : sums[r][v], acc + v * kLanes);
    }
  }
}

template <int V>
void run_rows(const Pass& pass, std::int64_t m) {
  constexpr int kRows = rows_of_tile(V);
  std::int64_t row = 0;
  for (; row + kRows <= m; row += kRows) run_tile<kRows, V>(pass, row);
  if (row + 4 <= m) {
    run_tile<4, V>(pass, row);
    row += 4;
  }
  if (row + 2 <= m) {
    run_tile<2, V>(pass, row);
    row += 2;
  }
  if (row < m) run_tile<1, V>(pass, row);
}

void run_panel(const Pass& pass, std::int64_t m, int num_vectors) {
  switch (num_vectors) {
    case 1:
      return run_rows<1>(pass, m);
    case 2:
      return run_rows<2>(pass, m);
    default:
      return run_rows<kTileVectors>(pass, m);
  }
}

// Rows of `columns` pairs, `stride` apart, next to each other; each filled up with zeros to `to_columns` pairs.
void copy_panel(const std::int16_t* from, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                std::int64_t to_columns, std::int16_t* to) {
  const std::int64_t whole = columns / kLanes * kLanes;
  for (std::int64_t row = 0; row < rows; ++row, from += stride, to += 2 * to_columns) {
    for (std::int64_t j = 0; j < whole; j += kLanes) {
      const Ints v = load(from + 2 * j);
      __builtin_memcpy(to + 2 * j, &v, sizeof v);
    }
    if (whole < to_columns) {
      const Ints v = load_some(from + 2 * whole, columns - whole);
      __builtin_memcpy(to + 2 * whole, &v, sizeof v);
    }
  }
}

// The tiles of a panel whose last vector is not full compute into a buffer.
void run_ragged_panel(const Pass& pass, std::int64_t m, std::int64_t columns, int num_vectors) {
  std::int32_t tile[kMaxTileRows * kPanel];
  Pass part = pass;
  part.acc = tile;
  part.acc_stride = kPanel;
  part.keeps = false;
  const std::int64_t step = rows_of_tile(num_vectors);
  for (std::int64_t row = 0; row < m; row += step) {
    const std::int64_t rows = m - row < step ? m - row : step;
    part.a = pass.a + row * pass.a_stride;
    run_panel(part, rows, num_vectors);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::int32_t* acc = pass.acc + (row + r) * pass.acc_stride;
      for (std::int64_t j = 0; j < columns; ++j) acc[j] = tile[r * kPanel + j] + (pass.keeps ? acc[j] : 0);
    }
  }
}

void multiply_columns(const IntGemm& g, std::int64_t num_columns) {
  alignas(64) std::int16_t panel[kMaxDepth * kPanel * 2];
  for (std::int64_t first = 0; first < num_columns; first += kPanel) {
    const std::int64_t columns = num_columns - first < kPanel ? num_columns - first : kPanel;
    const int num_vectors = static_cast<int>((columns + kLanes - 1) / kLanes);
    const bool is_full = columns == num_vectors * kLanes;
    std::int64_t at = 0;
    do {
      Pass pass;
      pass.depth = g.k_pairs - at < kMaxDepth ? g.k_pairs - at : kMaxDepth;
      pass.a = g.a + 2 * at;
      pass.a_stride = g.a_stride;
      pass.b = g.b + at * g.b_stride + 2 * first;
      pass.b_stride = g.b_stride;
      // A panel read once is not worth copying.
      if (!is_full || g.m > kTileRows) {
        copy_panel(pass.b, g.b_stride, pass.depth, columns, num_vectors * kLanes, panel);
        pass.b = panel;
        pass.b_stride = num_vectors * kLanes * 2;
      }
      pass.acc = g.acc + first;
      pass.acc_stride = g.acc_stride;
      pass.keeps = at > 0;
      if (is_full) {
        run_panel(pass, g.m, num_vectors);
      } else {
        run_ragged_panel(pass, g.m, columns, num_vectors);
      }
      at += pass.depth;
    } while (at < g.k_pairs);
  }
}

// acc[m, C] (+)= a[m, depth] * columns, each column `depth` pairs in a row, then zeros up to a whole vector.
template <int C>
void run_dots(const Pass& pass, std::int64_t m, const std::int16_t* columns) {
  const std::int64_t whole = pass.depth / kLanes * kLanes;
  for (std::int64_t i = 0; i < m; ++i) {
    const std::int16_t* a = pass.a + i * pass.a_stride;
    Ints sums[C] = {};
    for (std::int64_t p = 0; p < whole; p += kLanes) {
      const Ints values = load(a + 2 * p);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sums[c] += multiply_pairs(values, load(columns + 2 * (c * kMaxDepth + p)));
    }
    if (whole < pass.depth) {
      const Ints values = load_some(a + 2 * whole, pass.depth - whole);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sums[c] += multiply_pairs(values, load(columns + 2 * (c * kMaxDepth + whole)));
    }
    std::int32_t* acc = pass.acc + i * pass.acc_stride;
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) acc[c] = sum_of_lanes(sums[c]) + (pass.keeps ? acc[c] : 0);
  }
}

// The columns from `first` on, a few at a time.
void multiply_dots(const IntGemm& g, std::int64_t first) {
  static_assert(kMaxDepth % kLanes == 0);
  alignas(64) std::int16_t columns[kMaxDots * kMaxDepth * 2];
  for (; first < g.n; first += kMaxDots) {
    const int count = g.n - first < kMaxDots ? static_cast<int>(g.n - first) : kMaxDots;
    std::int64_t at = 0;
    do {
      Pass pass;
      pass.depth = g.k_pairs - at < kMaxDepth ? g.k_pairs - at : kMaxDepth;
      pass.a = g.a + 2 * at;
      pass.a_stride = g.a_stride;
      pass.acc = g.acc + first;
      pass.acc_stride = g.acc_stride;
      pass.keeps = at > 0;
      for (int c = 0; c < count; ++c) {
        const std::int16_t* from = g.b + at * g.b_stride + 2 * (first + c);
        std::int16_t* to = columns + 2 * c * kMaxDepth;
        std::int64_t p = 0;
        for (; p < pass.depth; ++p, from += g.b_stride) {
          to[2 * p] = from[0];
          to[2 * p + 1] = from[1];
        }
        for (; p % kLanes != 0; ++p) to[2 * p] = to[2 * p + 1] = 0;
      }
      switch (count) {
        case 1:
          run_dots<1>(pass, g.m, columns);
          break;
        case 2:
          run_dots<2>(pass, g.m, columns);
          break;
        case 3:
          run_dots<3>(pass, g.m, columns);
          break;
        default:
          run_dots<kMaxDots>(pass, g.m, columns);
      }
      at += pass.depth;
    } while (at < g.k_pairs);
  }
}

}  // namespace

void int_gemm(const IntGemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  // Instructions a row: two a pair for a vector of columns, two a vector of pairs and the sum of its lanes for a dot.
  const std::int64_t rest = g.n % kLanes;
  const bool uses_dots = rest * (2 * g.k_pairs / kLanes + 8) < 2 * g.k_pairs;
  const std::int64_t num_columns = uses_dots ? g.n - rest : g.n;
  multiply_columns(g, num_columns);
  if (num_columns < g.n) multiply_dots(g, num_columns);
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
