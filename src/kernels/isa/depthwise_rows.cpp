// depthwise_rows.cpp: 3x3 depthwise convolution straight from the image, its border by masked loads.
//
// A block of output rows is summed at a time, a vector of columns of it in as many registers: each row of inputs is
// loaded once for the outputs of up to three rows. A load outside the image is masked, and gives 0.
//
// Cost with AVX-512 of 4 rows of 16 outputs with stride 1: 18 loads, most across two cache lines, against 36
// multiply-adds: both take 18 cycles. With stride 2 a row of inputs takes 4 loads and 3 shuffles for 16 outputs; 2 rows
// of outputs take 20 and 15 against 18 multiply-adds. With AVX2 the same for 8 outputs; its masks would take registers
// that the weights need, so vectors inside the image are loaded without.
#include "kernels/isa/depthwise_rows.hpp"

#include "kernels/isa/float16.hpp"
#include "kernels/isa/masks.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

#if defined(__AVX2__)
namespace {

constexpr std::int64_t kMaxVectors = 64;  // Of a row of outputs.

// The columns of one vector of outputs: where its inputs are, and which of them lie in the image.
struct ColumnMasks {
  std::int64_t column;  // Of the input of tap 0, output 0; may be negative.
  std::int64_t out;     // First column of outputs.
  Mask inside[4];       // With stride 1 of the taps; with stride 2 of the floats from 0, kLanes, 2 and kLanes + 2 on.
  bool is_plain;        // All of them do, and such loads are worth code of their own.
};

struct RowPlan {
  ColumnMasks vectors[kMaxVectors];
  std::int64_t num_vectors;
  std::int64_t stored;  // Of each vector: all, or the outputs of a row that is shorter.
};

void plan_rows(const Depthwise& d, RowPlan& plan) {
  constexpr std::int64_t kDistance[2][4] = {{0, 1, 2, 0}, {0, kLanes, 2, kLanes + 2}};
  plan.num_vectors = (d.out_w + kLanes - 1) / kLanes;
  plan.stored = d.out_w < kLanes ? d.out_w : kLanes;
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    ColumnMasks& c = plan.vectors[v];
    c.out = kLanes * v;
    if (c.out + kLanes > d.out_w && d.out_w >= kLanes) c.out = d.out_w - kLanes;  // Overlaps the one before.
    c.column = c.out * d.stride_w - d.pad_left;
    for (int i = 0; i < 4; ++i) c.inside[i] = mask_from(c.column + kDistance[d.stride_w - 1][i], d.in_w);
    const std::int64_t last = c.column + kDistance[d.stride_w - 1][d.stride_w == 1 ? 2 : 3] + kLanes;
    c.is_plain = kLoadsPlain && c.column >= 0 && last <= d.in_w;
  }
}

// The inputs of the three taps of a row.
template <int S, bool kPlain>
[[gnu::always_inline]] inline void load_taps(const float* from, const ColumnMasks& c, Mask row_inside,
                                             Floats (&taps)[3]) {
  const auto masked = [&](int i, int distance) -> Floats {
    return kPlain ? load_lanes(from + distance) : load_masked(from + distance, c.inside[i] & row_inside);
  };
  if (S == 1) {
    for (int k = 0; k < 3; ++k) taps[k] = masked(k, k);
    return;
  }
  const Floats low = masked(0, 0), high = masked(1, kLanes);
  taps[0] = pick_even(low, high);
  taps[1] = pick_odd(low, high);
  taps[2] = pick_even(masked(2, 2), masked(3, kLanes + 2));
}

// What one channel of outputs needs besides the rows.
struct RowFilter {
  Floats weights[9];
  Floats bias;
  Floats low;
  Floats high;
};

// One vector of the output rows [first, first + R) of one channel.
template <int S, int R, bool kInside, bool kPlain>
[[gnu::always_inline]] inline void sum_vectors(const Depthwise& d, const ColumnMasks& c, const Floats (&weights)[9],
                                               Floats bias, const float* image, std::int64_t top, Floats (&sums)[R]) {
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) sums[r] = bias;
#pragma GCC unroll 6
  for (int i = 0; i < (R - 1) * S + 3; ++i) {
    const std::int64_t y = top + i;
    Floats taps[3];
    load_taps<S, kPlain>(image + y * d.in_w + c.column, c, kInside || (y >= 0 && y < d.in_h) ? kAll : kNone, taps);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const int ky = i - r * S;
      if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; ++kx) sums[r] += weights[3 * ky + kx] * taps[kx];
    }
  }
}

// Output rows [first, first + R) of one channel. kInside: all rows of inputs lie in the image, so that the masks stay
// in registers.
template <int S, int R, bool kInside>
void sum_block(const Depthwise& d, const RowPlan& plan, const RowFilter& filter, const float* image, std::int64_t first,
               float* out) {
  const std::int64_t top = first * S - d.pad_top;
  Floats weights[9];  // Copies that no store can change: they stay in registers.
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) weights[t] = filter.weights[t];
  const Floats bias = filter.bias, low = filter.low, high = filter.high;
  const std::int64_t stored = plan.stored;
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    const ColumnMasks& c = plan.vectors[v];
    Floats sums[R];
    if (kLoadsPlain && kInside && c.is_plain) {
      sum_vectors<S, R, kInside, true>(d, c, weights, bias, image, top, sums);
    } else {
      sum_vectors<S, R, kInside, false>(d, c, weights, bias, image, top, sums);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Floats value = at_most(at_least(S == 2 ? in_order(sums[r]) : sums[r], low), high);
      float* to = out + (first + r) * d.out_w + c.out;
      if (stored == kLanes) {
        store_lanes(value, to);
      } else {
        store_some(value, to, stored);
      }
    }
  }
}

template <int S, int R>
void sum_rows(const Depthwise& d, const RowPlan& plan, const RowFilter& filter, const float* image, std::int64_t first,
              float* out) {
  const std::int64_t top = first * S - d.pad_top;
  if (top >= 0 && top + (R - 1) * S + 3 <= d.in_h) {
    sum_block<S, R, true>(d, plan, filter, image, first, out);
  } else {
    sum_block<S, R, false>(d, plan, filter, image, first, out);
  }
}

template <int S>
void sum_all(const Depthwise& d, const RowPlan& plan) {
  constexpr int kRows = S == 1 ? 4 : 2;
  RowFilter filter;
  filter.low = spread_lanes(d.clamp_min);
  filter.high = spread_lanes(d.clamp_max);
  for (std::int64_t o = 0; o < d.channels * d.multiplier; ++o) {
    const float* image = d.input + o / d.multiplier * d.in_h * d.in_w;
    float* out = d.output + o * d.out_h * d.out_w;
    for (int t = 0; t < 9; ++t) filter.weights[t] = spread_lanes(d.filter[9 * o + t]);
    filter.bias = spread_lanes(d.bias != nullptr ? d.bias[o] : 0.0F);
    std::int64_t row = 0;
    for (; row + kRows <= d.out_h; row += kRows) sum_rows<S, kRows>(d, plan, filter, image, row, out);
    if (kRows > 2 && row + 2 <= d.out_h) {
      sum_rows<S, 2>(d, plan, filter, image, row, out);
      row += 2;
    }
    if (row < d.out_h) sum_rows<S, 1>(d, plan, filter, image, row, out);
  }
}

}  // namespace

bool depthwise_by_rows(const Depthwise& d) {
  const bool is_plain = d.kernel_h == 3 && d.kernel_w == 3 && d.dilation_h == 1 && d.dilation_w == 1;
  if (!is_plain || d.stride_h != d.stride_w || d.stride_w > 2 || d.out_w > kLanes * kMaxVectors) return false;
  // Wide rows are faster from a copy that the processor has fetched in order.
  if (d.stride_w == 1 && d.out_w > 16) return false;
  RowPlan plan;
  plan_rows(d, plan);
  d.stride_w == 1 ? sum_all<1>(d, plan) : sum_all<2>(d, plan);
  return true;
}
#else
bool depthwise_by_rows(const Depthwise&) { return false; }
#endif

}  // namespace halfstep::kernels::HALFSTEP_ISA
