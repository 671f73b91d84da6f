// depthwise_rows.cpp: 3x3 depthwise convolution straight from the image, its border by masked loads.
//
// A block of output rows is summed at a time, 16 columns of it in as many registers: each row of inputs is loaded once
// for the outputs of up to three rows. A load outside the image is masked, and gives 0.
//
// Cost of 4 rows of 16 outputs with stride 1: 18 loads, most across two cache lines, against 36 multiply-adds: both
// take 18 cycles. With stride 2 a row of inputs takes 4 loads and 3 shuffles for 16 outputs; 2 rows of outputs take 20
// and 15 against 18 multiply-adds.
#include "kernels/isa/depthwise_rows.hpp"

#include "kernels/isa/float16.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

#if defined(__AVX512F__)
namespace {

constexpr std::int64_t kMaxVectors = 64;  // Of a row of outputs.

// The columns of one vector of outputs: where its inputs are, and which of them lie in the image.
struct ColumnMasks {
  std::int64_t column;  // Of the input of tap 0, output 0; may be negative.
  std::int64_t out;     // First column of outputs.
  __mmask16 inside[4];  // With stride 1 of the taps; with stride 2 of the floats from 0, 16, 2 and 18 on.
};

struct RowPlan {
  ColumnMasks vectors[kMaxVectors];
  std::int64_t num_vectors;
  __mmask16 stored;  // Of each vector: all, or the outputs of a row that is shorter.
};

void plan_rows(const Depthwise& d, RowPlan& plan) {
  constexpr std::int64_t kDistance[2][4] = {{0, 1, 2, 0}, {0, 16, 2, 18}};
  plan.num_vectors = (d.out_w + 15) / 16;
  plan.stored = d.out_w < 16 ? static_cast<__mmask16>((1U << d.out_w) - 1) : static_cast<__mmask16>(0xFFFFU);
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    ColumnMasks& c = plan.vectors[v];
    c.out = 16 * v;
    if (c.out + 16 > d.out_w && d.out_w >= 16) c.out = d.out_w - 16;  // The last vector overlaps the one before.
    c.column = c.out * d.stride_w - d.pad_left;
    for (int i = 0; i < 4; ++i) c.inside[i] = inside_from(c.column + kDistance[d.stride_w - 1][i], d.in_w);
  }
}

// The inputs of the three taps of a row.
template <int S>
inline void load_taps(const float* from, const ColumnMasks& c, __mmask16 row_inside, Sixteen (&taps)[3]) {
  const auto masked = [&](int i, int distance) -> Sixteen {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(c.inside[i] & row_inside), from + distance);
  };
  if (S == 1) {
    for (int k = 0; k < 3; ++k) taps[k] = masked(k, k);
    return;
  }
  const Sixteen low = masked(0, 0), high = masked(1, 16);
  taps[0] = even_of(low, high);
  taps[1] = odd_of(low, high);
  taps[2] = even_of(masked(2, 2), masked(3, 18));
}

// What one channel of outputs needs besides the rows.
struct RowFilter {
  Sixteen weights[9];
  Sixteen bias;
  Sixteen low;
  Sixteen high;
};

// Output rows [first, first + R) of one channel. kInside: all rows of inputs lie in the image, so that the masks stay
// in registers.
template <int S, int R, bool kInside>
void sum_block(const Depthwise& d, const RowPlan& plan, const RowFilter& filter, const float* image, std::int64_t first,
               float* out) {
  const std::int64_t top = first * S - d.pad_top;
  Sixteen weights[9];  // Copies that no store can change: they stay in registers.
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) weights[t] = filter.weights[t];
  const Sixteen bias = filter.bias, low = filter.low, high = filter.high;
  for (std::int64_t v = 0; v < plan.num_vectors; ++v) {
    const ColumnMasks& c = plan.vectors[v];
    Sixteen sums[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sums[r] = bias;
#pragma GCC unroll 6
    for (int i = 0; i < (R - 1) * S + 3; ++i) {
      const std::int64_t y = top + i;
      const auto row_inside = static_cast<__mmask16>(kInside || (y >= 0 && y < d.in_h) ? 0xFFFFU : 0U);
      Sixteen taps[3];
      load_taps<S>(image + y * d.in_w + c.column, c, row_inside, taps);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const int ky = i - r * S;
        if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 3
        for (int kx = 0; kx < 3; ++kx) sums[r] += weights[3 * ky + kx] * taps[kx];
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Sixteen value = at_most(at_least(sums[r], low), high);
      float* to = out + (first + r) * d.out_w + c.out;
      if (plan.stored == 0xFFFFU) {
        store_16(value, to);
      } else {
        _mm512_mask_storeu_ps(to, plan.stored, value);
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
  filter.low = spread_16(d.clamp_min);
  filter.high = spread_16(d.clamp_max);
  for (std::int64_t o = 0; o < d.channels * d.multiplier; ++o) {
    const float* image = d.input + o / d.multiplier * d.in_h * d.in_w;
    float* out = d.output + o * d.out_h * d.out_w;
    for (int t = 0; t < 9; ++t) filter.weights[t] = spread_16(d.filter[9 * o + t]);
    filter.bias = spread_16(d.bias != nullptr ? d.bias[o] : 0.0F);
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
  if (!is_plain || d.stride_h != d.stride_w || d.stride_w > 2 || d.out_w > 16 * kMaxVectors) return false;
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
