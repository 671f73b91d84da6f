// depthwise.cpp: depthwise convolution as shifted sums over a padded copy of each channel.
//
// A band of input rows is copied into planes such that, for every filter tap,
// the inputs of consecutive outputs lie one apart: with stride s there is one
// plane for each remainder modulo s. Rows keep their padding, so the band is one
// long row, and each tap is a constant offset into it.
#include "kernels/depthwise_plan.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr int kMaxTaps = 9;

// out[i] = start + sum of weights[t] * taps[t][i], for T taps; start is `bias`,
// or what `out` holds.
template <int T, bool kFirst>
void sum_taps(const float* const* taps, const float* weights, float bias, float* __restrict out, std::int64_t count) {
  const float* p[T];
  float w[T];
  for (int t = 0; t < T; ++t) {
    p[t] = taps[t];
    w[t] = weights[t];
  }
  for (std::int64_t i = 0; i < count; ++i) {
    float acc = kFirst ? bias : out[i];
#pragma GCC unroll 9
    for (int t = 0; t < T; ++t) acc += w[t] * p[t][i];
    out[i] = acc;
  }
}

template <bool kFirst>
void sum_some_taps(int num_taps, const float* const* taps, const float* weights, float bias, float* out,
                   std::int64_t count) {
  switch (num_taps) {
    case 1:
      return sum_taps<1, kFirst>(taps, weights, bias, out, count);
    case 2:
      return sum_taps<2, kFirst>(taps, weights, bias, out, count);
    case 3:
      return sum_taps<3, kFirst>(taps, weights, bias, out, count);
    case 4:
      return sum_taps<4, kFirst>(taps, weights, bias, out, count);
    case 5:
      return sum_taps<5, kFirst>(taps, weights, bias, out, count);
    case 6:
      return sum_taps<6, kFirst>(taps, weights, bias, out, count);
    case 7:
      return sum_taps<7, kFirst>(taps, weights, bias, out, count);
    case 8:
      return sum_taps<8, kFirst>(taps, weights, bias, out, count);
    default:
      return sum_taps<kMaxTaps, kFirst>(taps, weights, bias, out, count);
  }
}

// Copies columns origin + j * stride - pad, j in [0, width), of one input row; 0 outside.
void copy_row(const float* row, std::int64_t in_w, std::int64_t origin, std::int64_t stride, std::int64_t width,
              float* __restrict to) {
  // First j with origin + j * stride >= 0, and first with >= in_w.
  std::int64_t begin = origin >= 0 ? 0 : (-origin + stride - 1) / stride;
  std::int64_t end = in_w > origin ? (in_w - origin + stride - 1) / stride : 0;
  if (end > width) end = width;
  if (begin > end) begin = end;
  for (std::int64_t j = 0; j < begin; ++j) to[j] = 0.0F;
  const float* from = row + origin;
  if (stride == 1) {
    for (std::int64_t j = begin; j < end; ++j) to[j] = from[j];
  } else if (stride == 2) {
    for (std::int64_t j = begin; j < end; ++j) to[j] = from[2 * j];
  } else {
    for (std::int64_t j = begin; j < end; ++j) to[j] = from[j * stride];
  }
  for (std::int64_t j = end; j < width; ++j) to[j] = 0.0F;
}

// Where a slot's copy starts, and which slot and shift in it a tap reads.
std::int64_t origin_of(const DepthwiseAxis& axis, std::int64_t slot) {
  return axis.by_remainder ? slot : slot * axis.dilation;
}
std::int64_t slot_of(const DepthwiseAxis& axis, std::int64_t tap) {
  return axis.by_remainder ? tap * axis.dilation % axis.stride : tap;
}
std::int64_t shift_of(const DepthwiseAxis& axis, std::int64_t tap) {
  return axis.by_remainder ? tap * axis.dilation / axis.stride : 0;
}

void copy_band(const Depthwise& d, const DepthwisePlan& plan, const float* image, std::int64_t first, std::int64_t rows,
               float* planes) {
  for (std::int64_t slot_h = 0; slot_h < plan.h.num_slots; ++slot_h) {
    for (std::int64_t slot_w = 0; slot_w < plan.w.num_slots; ++slot_w) {
      float* to = planes + (slot_h * plan.w.num_slots + slot_w) * plan.plane_size;
      for (std::int64_t r = 0; r < rows; ++r, to += plan.row_size) {
        const std::int64_t y = (first + r) * d.stride_h + origin_of(plan.h, slot_h) - d.pad_top;
        const bool inside = y >= 0 && y < d.in_h;
        copy_row(inside ? image + y * d.in_w : image, inside ? d.in_w : 0, origin_of(plan.w, slot_w) - d.pad_left,
                 d.stride_w, plan.row_size, to);
      }
      // The last outputs, which are dropped, read past the last row.
      for (std::int64_t j = 0; j < plan.row_size; ++j) to[j] = 0.0F;
    }
  }
}

void sum_channel(const DepthwisePlan& plan, const Depthwise& d, const float* filter, float bias, const float* planes,
                 float* sums, std::int64_t count) {
  const std::int64_t num_taps = d.kernel_h * d.kernel_w;
  for (std::int64_t tap = 0; tap < num_taps; tap += kMaxTaps) {
    const int some = num_taps - tap < kMaxTaps ? static_cast<int>(num_taps - tap) : kMaxTaps;
    const float* taps[kMaxTaps];
    for (int t = 0; t < some; ++t) {
      const std::int64_t ky = (tap + t) / d.kernel_w;
      const std::int64_t kx = (tap + t) % d.kernel_w;
      const std::int64_t plane = slot_of(plan.h, ky) * plan.w.num_slots + slot_of(plan.w, kx);
      taps[t] = planes + plane * plan.plane_size + shift_of(plan.h, ky) * plan.row_size + shift_of(plan.w, kx);
    }
    if (tap == 0) {
      sum_some_taps<true>(some, taps, filter, bias, sums, count);
    } else {
      sum_some_taps<false>(some, taps, filter + tap, bias, sums, count);
    }
  }
}

// Drops the padding between rows, and clamps.
void store_rows(const Depthwise& d, const float* sums, std::int64_t row_size, std::int64_t rows, float* out) {
  const float low = d.clamp_min;
  const float high = d.clamp_max;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict from = sums + r * row_size;
    float* __restrict to = out + r * d.out_w;
    for (std::int64_t j = 0; j < d.out_w; ++j) {
      const float raised = from[j] < low ? low : from[j];
      to[j] = high < raised ? high : raised;
    }
  }
}

}  // namespace

void depthwise(const Depthwise& d, float* scratch) {
  const DepthwisePlan plan = plan_depthwise(d);
  const std::int64_t filter_size = d.kernel_h * d.kernel_w;
  float* sums = scratch + plan.num_planes * plan.plane_size;
  for (std::int64_t channel = 0; channel < d.channels; ++channel) {
    const float* image = d.input + channel * d.in_h * d.in_w;
    for (std::int64_t first = 0; first < d.out_h; first += plan.band_rows) {
      const std::int64_t rows = d.out_h - first < plan.band_rows ? d.out_h - first : plan.band_rows;
      copy_band(d, plan, image, first, rows + plan.h.max_shift, scratch);
      for (std::int64_t o = channel * d.multiplier; o < (channel + 1) * d.multiplier; ++o) {
        const float bias = d.bias != nullptr ? d.bias[o] : 0.0F;
        sum_channel(plan, d, d.filter + o * filter_size, bias, scratch, sums, rows * plan.row_size);
        store_rows(d, sums, plan.row_size, rows, d.output + (o * d.out_h + first) * d.out_w);
      }
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
