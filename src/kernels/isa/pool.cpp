// pool.cpp: float pooling over planes; pool_codes.cpp has that of codes.
//
// The rows under one row of windows are folded into one, in vectors, and with stride 2 split into its even and its odd
// columns; then every tap along the width is a load at a constant distance.
//
// With AVX-512 and AVX2 the usual windows of stride 2 stay in registers (pool_row).
//
// Cost of 3x3 windows with stride 2 otherwise, for 16 outputs: 6 loads and 6 comparisons fold 32 columns, 2 loads,
// shuffles and stores split them, 3 loads and comparisons and one store make the outputs; the load ports bind.
#include "kernels/isa/float16.hpp"
#include "kernels/isa/masks.hpp"
#include "kernels/isa/variant.hpp"
#include "kernels/pool_scratch.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

inline Floats larger(Floats a, Floats b) { return at_least(a, b); }  // Keeps `a` where `b` is NaN.

// folded[x] = the largest of `rows` rows, `stride` apart, in column x.
void fold_rows(const float* from, std::int64_t rows, std::int64_t stride, std::int64_t width, float* folded) {
  const Floats lowest = spread_lanes(-__builtin_inff());
  if (width < kLanes) {
    for (std::int64_t x = 0; x < width; ++x) {
      float best = -__builtin_inff();
      for (std::int64_t r = 0; r < rows; ++r) best = from[r * stride + x] > best ? from[r * stride + x] : best;
      folded[x] = best;
    }
    return;
  }
  for (std::int64_t x = 0; x < width; x += kLanes) {
    if (x > width - kLanes) x = width - kLanes;  // The last vector overlaps the one before.
    Floats best = lowest;
    for (std::int64_t r = 0; r < rows; ++r) best = larger(best, load_lanes(from + r * stride + x));
    store_lanes(best, folded + x);
  }
}

// Even and odd columns of 2 * count folded ones; `count` is a multiple of kLanes.
void split_columns(const float* folded, std::int64_t count, float* even, float* odd) {
  for (std::int64_t x = 0; x < count; x += kLanes) {
    const Floats a = load_lanes(folded + 2 * x), b = load_lanes(folded + 2 * x + kLanes);
    store_lanes(even_of(a, b), even + x);
    store_lanes(odd_of(a, b), odd + x);
  }
}

// The largest of `taps` columns for each of `count` windows; tap k of window x is parity[k % S][x + k / S].
template <int S>
void fold_columns(const float* const* parity, std::int64_t taps, std::int64_t count, float* out) {
  for (std::int64_t x = 0; x < count; x += kLanes) {
    if (x > count - kLanes && count >= kLanes) x = count - kLanes;
    Floats best = spread_lanes(-__builtin_inff());
    for (std::int64_t k = 0; k < taps; ++k) best = larger(best, load_lanes(parity[k % S] + x + k / S));
    if (count >= kLanes) {
      store_lanes(best, out + x);
    } else {
      float lanes[kLanes];
      store_lanes(best, lanes);
      copy_16(lanes, out, count);
    }
  }
}

#if defined(__AVX2__)
// Windows of two or three columns with stride 2, whole rows in registers: no folded row is written and read again.
constexpr std::int64_t kMaxPoolVectors = 64;  // Of a row of outputs.

struct PoolColumns {
  std::int64_t column;  // Of the input of tap 0, output 0; may be negative.
  std::int64_t out;     // First column of outputs.
  Mask inside[4];       // Of the floats from 0, kLanes, 2 and kLanes + 2 on.
  bool is_plain;        // All of them, and such loads are worth code of their own.
};

struct PoolRowPlan {
  PoolColumns vectors[kMaxPoolVectors];
  std::int64_t num_vectors = 0;
  std::int64_t stored = 0;  // Of each vector: all, or the outputs of a row that is shorter.
};

constexpr std::int64_t pool_distance(int i) { return i % 2 * kLanes + i / 2 * 2; }

bool plan_pool_rows(const MaxPool& p, PoolRowPlan& plan) {
  if (p.stride_w != 2 || p.kernel_w < 2 || p.kernel_w > 3 || p.out_w > kLanes * kMaxPoolVectors) return false;
  plan.num_vectors = (p.out_w + kLanes - 1) / kLanes;
  plan.stored = p.out_w < kLanes ? p.out_w : kLanes;
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    PoolColumns& c = plan.vectors[v];
    c.out = kLanes * v;
    if (c.out + kLanes > p.out_w && p.out_w >= kLanes) c.out = p.out_w - kLanes;  // Overlaps the one before.
    c.column = 2 * c.out - p.pad_left;
    for (int i = 0; i < 4; ++i) c.inside[i] = mask_from(c.column + pool_distance(i), p.in_w);
    c.is_plain = kLoadsPlain && c.column >= 0 && c.column + pool_distance(3) + kLanes <= p.in_w;
  }
  return true;
}

// One vector of windows over `rows` rows of inputs.
template <bool kPlain>
[[gnu::always_inline]] inline Floats pool_vector(const MaxPool& p, const PoolColumns& c, const float* from,
                                                 std::int64_t rows) {
  const Floats lowest = spread_lanes(-__builtin_inff());
  Floats best[4] = {lowest, lowest, lowest, lowest};
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = from + r * p.in_w + c.column;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const float* at = row + pool_distance(i);
      best[i] = larger(best[i], kPlain ? load_lanes(at) : load_masked(at, c.inside[i], lowest));
    }
  }
  Floats value = larger(pick_even(best[0], best[1]), pick_odd(best[0], best[1]));
  if (p.kernel_w == 3) value = larger(value, pick_even(best[2], best[3]));
  return in_order(value);
}

// One row of windows over `rows` rows of inputs.
void pool_row(const MaxPool& p, const PoolRowPlan& plan, const float* from, std::int64_t rows, float* out) {
  const std::int64_t stored = plan.stored;
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    const PoolColumns& c = plan.vectors[v];
    const Floats value =
        kLoadsPlain && c.is_plain ? pool_vector<true>(p, c, from, rows) : pool_vector<false>(p, c, from, rows);
    if (stored == kLanes) {
      store_lanes(value, out + c.out);
    } else {
      store_some(value, out + c.out, stored);
    }
  }
}
#else
struct PoolRowPlan {};
bool plan_pool_rows(const MaxPool&, PoolRowPlan&) { return false; }
void pool_row(const MaxPool&, const PoolRowPlan&, const float*, std::int64_t, float*) {}
#endif

// Registers of doubles, and of as many floats: the compiler takes conversions of longer ones apart.
constexpr int kHalf = kLanes / 2;
typedef double Doubles __attribute__((vector_size(kHalf * sizeof(double))));
typedef float HalfFloats __attribute__((vector_size(kHalf * sizeof(float))));

inline Doubles load_doubles(const float* from) {
  HalfFloats v;
  __builtin_memcpy(&v, from, sizeof v);
  return __builtin_convertvector(v, Doubles);
}

// Sums of kRows rows, each in eight lanes, so that no addition waits for the one before.
template <int kRows>
void sum_rows(const float* x, std::int64_t count, double* sums) {
  constexpr int kParts = 8 / kHalf;
  Doubles lanes[kRows][kParts] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part) lanes[r][part] += load_doubles(x + r * count + i + part * kHalf);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    double l[8];
    __builtin_memcpy(l, &lanes[r], sizeof l);
    for (std::int64_t rest = i; rest < count; ++rest) l[rest - i] += static_cast<double>(x[r * count + rest]);
    sums[r] = ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
  }
}

}  // namespace

void max_pool(const MaxPool& p, void* scratch) {
  if (p.dtype != DType::kFloat32) return max_pool_codes(p, scratch);
  const std::int64_t half = max_pool_row_elements(p);
  float* folded = static_cast<float*>(scratch);  // 2 * half, then even and odd columns.
  float* even = folded + 2 * half;
  float* odd = even + half;
  const std::int64_t split = (p.out_w + p.kernel_w / 2 + kLanes - 1) / kLanes * kLanes;  // Others fall on no output.
  PoolRowPlan by_rows;
  const bool suits_rows = plan_pool_rows(p, by_rows);
  for (std::int64_t x = 0; x < 2 * half; ++x) folded[x] = -__builtin_inff();
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    const float* in = static_cast<const float*>(p.input) + plane * p.in_h * p.in_w;
    float* out = static_cast<float*>(p.output) + plane * p.out_h * p.out_w;
    for (std::int64_t y = 0; y < p.out_h; ++y, out += p.out_w) {
      const std::int64_t top = y * p.stride_h - p.pad_top;
      const std::int64_t first = top < 0 ? 0 : top;
      const std::int64_t last = top + p.kernel_h < p.in_h ? top + p.kernel_h : p.in_h;
      if (suits_rows) {
        pool_row(p, by_rows, in + first * p.in_w, last - first, out);
        continue;
      }
      fold_rows(in + first * p.in_w, last - first, p.in_w, p.in_w, folded + p.pad_left);
      if (p.stride_w == 1) {
        fold_columns<1>(&folded, p.kernel_w, p.out_w, out);
      } else {
        split_columns(folded, split, even, odd);
        const float* parity[2] = {even, odd};
        fold_columns<2>(parity, p.kernel_w, p.out_w, out);
      }
    }
  }
}

void row_means(const float* x, std::int64_t rows, std::int64_t count, float* y) {
  double sums[4];
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    sum_rows<4>(x + r * count, count, sums);
    for (int i = 0; i < 4; ++i) y[r + i] = static_cast<float>(sums[i] / static_cast<double>(count));
  }
  for (; r < rows; ++r) {
    sum_rows<1>(x + r * count, count, sums);
    y[r] = static_cast<float>(sums[0] / static_cast<double>(count));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
