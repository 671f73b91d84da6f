// gemm.cpp: float matrix product: which part of it goes which way.
//
// For a panel of kPanel columns of `b` gemm_panel.cpp computes all rows. Long sums are split, so that the panel stays
// in the second-level cache. Both operands are read where they lie. The rows of a panel lie a whole row of `b` apart,
// too many streams for the processor to see them coming: while the first tile computes, the next panel is fetched. Only
// where that distance is such that the rows would meet in a few sets of the cache is a panel copied first, which costs
// up to a sixth of a product of 16 rows.
//
// With AVX2 a large `a` is multiplied in blocks of rows that stay in the second-level cache, and where the rows of `c`
// lie far apart several packed panels are taken together (suits_blocks).
//
// Few columns, or few rows where `b` is in columns, are dot products of vectors that lie in memory as they are summed:
// kLanes multiply-adds a load of the matrix, which is read once. So are the last columns of a product if they would
// fill little of a vector: of 49 columns (a 7 x 7 image) the last one costs a twentieth of the other 48.
#include "kernels/isa/gemm_panel.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

typedef float Four __attribute__((vector_size(16)));

constexpr int kMaxDots = 4;                      // Columns that are cheaper as dot products.
constexpr std::int64_t kMaxDotDepth = 4096;      // Of packed columns: 64 KB.
constexpr std::int64_t kMinDotDepth = 64;        // Below, adding up the lanes costs more than a wasted vector.
constexpr std::int64_t kRowsWithoutPacking = 8;  // A panel read once is not worth copying.
constexpr std::int64_t kStrideToPack = 256;      // Multiples of a kilobyte: a quarter of the sets there are, or fewer.

template <class V>
inline V load(const float* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
inline void store(V v, float* to) {
  __builtin_memcpy(to, &v, sizeof v);
}

constexpr std::int64_t kBlockFloats = 48 * 1024;  // Of `a`: 192 KB, to stay in a second-level cache of 512 KB.

// ---- Panels

// Rows of `columns` floats, `stride` apart, to rows `to_stride` apart; the rest of those is set to 0.
void copy_panel(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns, float* to,
                std::int64_t to_stride) {
  for (std::int64_t row = 0; row < rows; ++row, from += stride, to += to_stride) {
    if (columns == kPanel) {
      for (int v = 0; v < kPanelVectors; ++v) store(load<Floats>(from + v * kLanes), to + v * kLanes);
      continue;
    }
    for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j];
    for (std::int64_t j = columns; j < to_stride; ++j) to[j] = 0.0F;
  }
}

// Four columns of four floats, `stride` apart, to rows.
inline void transpose_four(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  const Four a = load<Four>(from), b = load<Four>(from + stride);
  const Four c = load<Four>(from + 2 * stride), d = load<Four>(from + 3 * stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5), to);
  store(__builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7), to + to_stride);
  store(__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5), to + 2 * to_stride);
  store(__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7), to + 3 * to_stride);
}

// The same of a matrix in columns, `stride` apart.
void transpose_panel(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns, float* to,
                     std::int64_t to_stride) {
  std::int64_t j = 0;
  for (; j + 4 <= columns; j += 4) {
    const float* column = from + j * stride;
    std::int64_t row = 0;
    for (; row + 4 <= rows; row += 4) transpose_four(column + row, stride, to + row * to_stride + j, to_stride);
    for (; row < rows; ++row) {
      for (int i = 0; i < 4; ++i) to[row * to_stride + j + i] = column[i * stride + row];
    }
  }
  for (; j < to_stride; ++j) {
    for (std::int64_t row = 0; row < rows; ++row) {
      to[row * to_stride + j] = j < columns ? from[j * stride + row] : 0.0F;
    }
  }
}

// What all passes over one panel have in common.
PanelProduct panel_of(const Gemm& g, std::int64_t first, std::int64_t columns) {
  PanelProduct p;
  p.a_stride = g.a_stride;
  p.a_order = g.a_order;
  p.c = g.c + first;
  p.c_stride = g.c_stride;
  p.m = g.m;
  p.columns = columns;
  p.row_bias = g.row_bias;
  p.column_bias = g.column_bias == nullptr ? nullptr : g.column_bias + first;
  p.alpha = g.alpha;
  return p;
}

// Sums the rows [at, at + depth) of `b` with `p`, which has everything but `a`, `depth` and bounds.
void set_depth(const Gemm& g, std::int64_t at, PanelProduct& p) {
  p.depth = g.k - at < kMaxDepth ? g.k - at : kMaxDepth;
  p.a = g.a + at * (g.a_order == Order::kRows ? 1 : g.a_stride);
  p.keeps = at > 0 || g.start == Start::kKeep;
  if (at + p.depth == g.k) {
    p.low = g.clamp_min;
    p.high = g.clamp_max;
  }
}

void multiply_one_panel(const Gemm& g, std::int64_t first, std::int64_t columns, float* packed) {
  PanelProduct p = panel_of(g, first, columns);
  const std::int64_t whole = (columns + kLanes - 1) / kLanes * kLanes;
  const bool packs = g.b_order == Order::kColumns || columns != whole ||
                     (g.m > kRowsWithoutPacking && g.b_stride % kStrideToPack == 0);
  std::int64_t at = 0;
  do {
    set_depth(g, at, p);
    if (g.b_order == Order::kColumns) {
      transpose_panel(g.b + first * g.b_stride + at, g.b_stride, p.depth, columns, packed, whole);
    } else if (packs) {
      copy_panel(g.b + at * g.b_stride + first, g.b_stride, p.depth, columns, packed, whole);
    }
    p.b = packs ? packed : g.b + at * g.b_stride + first;
    p.b_stride = packs ? whole : g.b_stride;
    const bool is_last = at + p.depth == g.k;
    const bool has_next = g.b_order == Order::kRows && (!is_last || first + 2 * kPanel <= g.n);
    p.next = !has_next ? nullptr : is_last ? g.b + first + kPanel : g.b + (at + p.depth) * g.b_stride + first;
    p.next_stride = g.b_stride;
    multiply_panel(p);
    at += p.depth;
  } while (at < g.k);
}

// One row or two: nothing is read twice, so that long runs of `b` count.
std::int64_t multiply_wide(const Gemm& g) {
  std::int64_t first = 0;
  for (; first + kWideColumns <= g.n; first += kWideColumns) {
    PanelProduct p = panel_of(g, first, kWideColumns);
    std::int64_t at = 0;
    do {
      set_depth(g, at, p);
      p.b = g.b + at * g.b_stride + first;
      p.b_stride = g.b_stride;
      multiply_wide_panel(p);
      at += p.depth;
    } while (at < g.k);
  }
  return first;
}

// The columns [first, first + columns) of the rows [at, at + depth) of `b` as panels behind each other.
void pack_panels(const Gemm& g, std::int64_t at, std::int64_t depth, std::int64_t first, std::int64_t columns,
                 float* packed) {
  for (std::int64_t j = 0; j < columns; j += kPanel, packed += kPanel * depth) {
    const std::int64_t some = columns - j < kPanel ? columns - j : kPanel;
    const std::int64_t whole = (some + kLanes - 1) / kLanes * kLanes;
    if (g.b_order == Order::kColumns) {
      transpose_panel(g.b + (first + j) * g.b_stride + at, g.b_stride, depth, some, packed, whole);
    } else {
      copy_panel(g.b + at * g.b_stride + first + j, g.b_stride, depth, some, packed, whole);
    }
  }
}

// A block of rows, under packed panels.
void multiply_block(const Gemm& g) {
  alignas(64) float packed[kMaxDepth * kPanel];
  const std::int64_t columns = packed_columns(g.k, g.c_stride);
  for (std::int64_t at = 0; at == 0 || at < g.k; at += kMaxDepth) {
    for (std::int64_t first = 0; first < g.n; first += columns) {
      PanelProduct p = panel_of(g, first, g.n - first < columns ? g.n - first : columns);
      set_depth(g, at, p);
      pack_panels(g, at, p.depth, first, p.columns, packed);
      p.b = packed;
      multiply_packed_panels(p);
    }
  }
}

// Whether `a` is multiplied in blocks of rows that stay in the second-level cache while all columns pass, or what is
// stored to a row lies together. Measured with AVX2 (Zen 3) only, where a panel has half the columns that it has with
// AVX-512 and `a` is read twice as often: 1.1 to 1.3 times as fast.
bool suits_blocks(const Gemm& g) {
  return kLanes == 8 && g.m > kRowsWithoutPacking && (g.m * g.k > kBlockFloats || g.c_stride >= kFarRows);
}

std::int64_t block_rows(std::int64_t k) {
  const std::int64_t depth = k < 1 ? 1 : k < kMaxDepth ? k : kMaxDepth;
  return kBlockFloats / depth / kStripRows * kStripRows;
}

void multiply_panels(const Gemm& g) {
  alignas(64) float packed[kMaxDepth * kPanel];
  std::int64_t first = g.m <= 2 && g.b_order == Order::kRows ? multiply_wide(g) : 0;
  for (; first < g.n; first += kPanel) {
    multiply_one_panel(g, first, g.n - first < kPanel ? g.n - first : kPanel, packed);
  }
}

// ---- Dot products

// sums[r][c] of rows[r] and columns[c], each `depth` floats; in the order of the lanes, then of their halves.
template <int R, int C>
inline void dot_tile(const float* rows, std::int64_t row_stride, const float* columns, std::int64_t column_stride,
                     std::int64_t depth, float (&result)[R][C]) {
  Floats sums[R][C] = {};
  std::int64_t l = 0;
  for (; l + kLanes <= depth; l += kLanes) {
    Floats values[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) values[c] = load<Floats>(columns + c * column_stride + l);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Floats factor = load<Floats>(rows + r * row_stride + l);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sums[r][c] += factor * values[c];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      float lanes[kLanes];
      store(sums[r][c], lanes);
      for (int width = kLanes / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
      }
      for (std::int64_t rest = l; rest < depth; ++rest) {
        lanes[0] += rows[r * row_stride + rest] * columns[c * column_stride + rest];
      }
      result[r][c] = lanes[0];
    }
  }
}

// Dot products of the rows of two matrices, `depth` long: of many with few (at most kMaxDots).
struct Dots {
  const float* many;
  std::int64_t many_stride;
  std::int64_t num_many;
  const float* few;
  std::int64_t few_stride;
  std::int64_t depth;
  // Element (i, j) of `c`, i of many and j of few, and its biases.
  float* c;
  std::int64_t c_step_many;
  std::int64_t c_step_few;
  const float* bias_many;
  const float* bias_few;
  bool keeps;
  float alpha;
  float low;
  float high;
};

template <int R, int C>
void run_dots(const Dots& d, std::int64_t first) {
  float sums[R][C];
  dot_tile<R, C>(d.many + first * d.many_stride, d.many_stride, d.few, d.few_stride, d.depth, sums);
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      float& out = d.c[(first + r) * d.c_step_many + c * d.c_step_few];
      float start = d.keeps ? out : 0.0F;
      if (!d.keeps && d.bias_many != nullptr) start += d.bias_many[first + r];
      if (!d.keeps && d.bias_few != nullptr) start += d.bias_few[c];
      float value = start + d.alpha * sums[r][c];
      value = value < d.low ? d.low : value;  // False for NaN, which passes.
      out = d.high < value ? d.high : value;
    }
  }
}

template <int C>
void run_all_dots(const Dots& d) {
  constexpr int kRows = C == 1 ? 8 : 4;
  std::int64_t first = 0;
  for (; first + kRows <= d.num_many; first += kRows) run_dots<kRows, C>(d, first);
  for (; first < d.num_many; ++first) run_dots<1, C>(d, first);
}

void run_dots_with(const Dots& d, std::int64_t num_few) {
  switch (num_few) {
    case 1:
      return run_all_dots<1>(d);
    case 2:
      return run_all_dots<2>(d);
    case 3:
      return run_all_dots<3>(d);
    default:
      return run_all_dots<kMaxDots>(d);
  }
}

// The columns [first, first + count), count <= kMaxDots, of a product whose `a` is in rows.
void multiply_few_columns(const Gemm& g, std::int64_t first, std::int64_t count) {
  float packed[kMaxDots * kMaxDotDepth];
  for (std::int64_t at = 0; at < g.k; at += kMaxDotDepth) {
    const std::int64_t depth = g.k - at < kMaxDotDepth ? g.k - at : kMaxDotDepth;
    const std::int64_t row_step = g.b_order == Order::kRows ? g.b_stride : 1;
    const std::int64_t column_step = g.b_order == Order::kRows ? 1 : g.b_stride;
    for (std::int64_t j = 0; j < count; ++j) {
      const float* from = g.b + at * row_step + (first + j) * column_step;
      for (std::int64_t l = 0; l < depth; ++l) packed[j * depth + l] = from[l * row_step];
    }
    const bool is_last = at + depth == g.k;
    run_dots_with({.many = g.a + at,
                   .many_stride = g.a_stride,
                   .num_many = g.m,
                   .few = packed,
                   .few_stride = depth,
                   .depth = depth,
                   .c = g.c + first,
                   .c_step_many = g.c_stride,
                   .c_step_few = 1,
                   .bias_many = g.row_bias,
                   .bias_few = g.column_bias == nullptr ? nullptr : g.column_bias + first,
                   .keeps = at > 0 || g.start == Start::kKeep,
                   .alpha = g.alpha,
                   .low = is_last ? g.clamp_min : -__builtin_inff(),
                   .high = is_last ? g.clamp_max : __builtin_inff()},
                  count);
  }
}

// Few rows, `b` in columns: the columns of `b` and the rows of `a` lie as they are summed.
void multiply_few_rows(const Gemm& g) {
  run_dots_with({.many = g.b,
                 .many_stride = g.b_stride,
                 .num_many = g.n,
                 .few = g.a,
                 .few_stride = g.a_stride,
                 .depth = g.k,
                 .c = g.c,
                 .c_step_many = 1,
                 .c_step_few = g.c_stride,
                 .bias_many = g.column_bias,
                 .bias_few = g.row_bias,
                 .keeps = g.start == Start::kKeep,
                 .alpha = g.alpha,
                 .low = g.clamp_min,
                 .high = g.clamp_max},
                g.m);
}

}  // namespace

// Which way an element goes depends on nothing but its column, n modulo kColumnGranule, and k; and, with `b` in
// columns, on m: that is what callers that compute a product in parts may rely on.
void gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const bool a_in_rows = g.a_order == Order::kRows;
  if (a_in_rows && g.b_order == Order::kColumns && g.m <= kMaxDots) return multiply_few_rows(g);
  const std::int64_t rest = g.n % kLanes;
  const std::int64_t few = !a_in_rows || rest > kMaxDots || g.k < kMinDotDepth ? 0 : rest;
  const bool in_blocks = suits_blocks(g);
  const std::int64_t rows = in_blocks ? block_rows(g.k) : g.m;
  for (std::int64_t row = 0; row < g.m; row += rows) {
    Gemm part = g;
    part.m = g.m - row < rows ? g.m - row : rows;
    part.n = g.n - few;
    part.a += row * (a_in_rows ? g.a_stride : 1);
    part.c += row * g.c_stride;
    if (g.row_bias != nullptr) part.row_bias += row;
    if (part.n > 0) in_blocks ? multiply_block(part) : multiply_panels(part);
    if (few > 0) multiply_few_columns(part, part.n, few);
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
