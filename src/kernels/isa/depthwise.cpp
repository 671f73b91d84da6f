// depthwise.cpp: depthwise convolution as shifted sums over a padded copy of each channel.
//
// A band of input rows is copied into planes such that, for every filter tap,
// the inputs of consecutive outputs lie one apart: with stride s there is one
// plane for each remainder modulo s. Rows keep their padding, so the band is one
// long row, and each tap is a constant offset into it.
//
// Outputs of nine taps whose rows fill vectors are stored where they belong; others are summed over the whole band, the
// padding's columns included, and copied from there.
//
// Cost: a vector of outputs takes one load and one multiply-add a tap and one store, weights and bounds staying in
// registers: nine taps are nine loads against nine multiply-adds, so the load ports bind, not the arithmetic. The copy
// is one load and one store an input, and saves every tap its test for the border and, with stride 2, a shuffle. More
// than kMaxTaps taps go in several passes over the outputs, each of which reads and writes them once more.
#include "kernels/depthwise_plan.hpp"
#include "kernels/isa/depthwise_rows.hpp"
#include "kernels/isa/float16.hpp"
#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr int kMaxTaps = 9;

static_assert(kDepthwiseSlack % kLanes == 0);
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

// Minus 0, not plus 0: that leaves every value as it is, so no arithmetic remains.
inline Floats spread(float value) { return value - Floats{}; }

struct Bounds {
  float low;
  float high;
};

// out[i] = start + sum of weights[t] * taps[t][i], limited to `bounds`, for T taps;
// start is `bias`, or what `out` holds. Whole vectors: up to kLanes - 1 elements
// behind `count` are read and written.
template <int T, bool kFirst>
void sum_taps(const float* const* taps, const float* weights, float bias, Bounds bounds, float* out,
              std::int64_t count) {
  const float* p[T];
  Floats w[T];
#pragma GCC unroll 9
  for (int t = 0; t < T; ++t) {
    p[t] = taps[t];
    w[t] = spread(weights[t]);
  }
  const Floats low = spread(bounds.low);
  const Floats high = spread(bounds.high);
  const Floats start = spread(bias);
  for (std::int64_t i = 0; i < count; i += kLanes) {
    Floats sum = kFirst ? start : load<Floats>(out + i);
#pragma GCC unroll 9
    for (int t = 0; t < T; ++t) sum += w[t] * load<Floats>(p[t] + i);
    store(at_most(at_least(sum, low), high), out + i);
  }
}

template <bool kFirst>
void sum_some_taps(int num_taps, const float* const* taps, const float* weights, float bias, Bounds bounds, float* out,
                   std::int64_t count) {
  switch (num_taps) {
    case 1:
      return sum_taps<1, kFirst>(taps, weights, bias, bounds, out, count);
    case 2:
      return sum_taps<2, kFirst>(taps, weights, bias, bounds, out, count);
    case 3:
      return sum_taps<3, kFirst>(taps, weights, bias, bounds, out, count);
    case 4:
      return sum_taps<4, kFirst>(taps, weights, bias, bounds, out, count);
    case 5:
      return sum_taps<5, kFirst>(taps, weights, bias, bounds, out, count);
    case 6:
      return sum_taps<6, kFirst>(taps, weights, bias, bounds, out, count);
    case 7:
      return sum_taps<7, kFirst>(taps, weights, bias, bounds, out, count);
    case 8:
      return sum_taps<8, kFirst>(taps, weights, bias, bounds, out, count);
    default:
      return sum_taps<kMaxTaps, kFirst>(taps, weights, bias, bounds, out, count);
  }
}

// The least j >= 0 with origin + j * stride >= bound.
std::int64_t first_at_least(std::int64_t bound, std::int64_t origin, std::int64_t stride) {
  return bound > origin ? (bound - origin + stride - 1) / stride : 0;
}

void set_zero(float* x, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) x[j] = 0.0F;
}

std::int64_t origin_of(const DepthwiseAxis& axis, std::int64_t slot) {
  return axis.by_remainder ? slot : slot * axis.dilation;
}

// Copies what the output rows from `first` on need. Padding left and right of
// the image is never written: it stays 0 from the start.
void copy_band(const Depthwise& d, const DepthwisePlan& plan, const float* image, std::int64_t first, std::int64_t rows,
               float* planes) {
  for (std::int64_t slot_h = 0; slot_h < plan.h.num_slots; ++slot_h) {
    const std::int64_t top = first * d.stride_h + origin_of(plan.h, slot_h) - d.pad_top;
    for (std::int64_t slot_w = 0; slot_w < plan.w.num_slots; ++slot_w) {
      const std::int64_t left = origin_of(plan.w, slot_w) - d.pad_left;
      std::int64_t end = first_at_least(d.in_w, left, d.stride_w);
      if (end > plan.row_size) end = plan.row_size;
      const std::int64_t begin = first_at_least(0, left, d.stride_w);
      if (begin >= end) continue;
      float* to = planes + (slot_h * plan.w.num_slots + slot_w) * plan.plane_size + begin;
      const float* from = image + left + begin * d.stride_w;
      for (std::int64_t r = 0; r < rows; ++r, to += plan.row_size) {
        const std::int64_t y = top + r * d.stride_h;
        if (y >= 0 && y < d.in_h) {
          copy_strided(from + y * d.in_w, to, end - begin, d.stride_w);
        } else {
          set_zero(to, end - begin);
        }
      }
    }
  }
}

void sum_channel(const float* planes, const std::int64_t* offsets, std::int64_t num_taps, const float* filter,
                 float bias, Bounds bounds, float* sums, std::int64_t count) {
  for (std::int64_t tap = 0; tap < num_taps; tap += kMaxTaps) {
    const int some = num_taps - tap < kMaxTaps ? static_cast<int>(num_taps - tap) : kMaxTaps;
    const bool is_last = tap + some == num_taps;
    const Bounds limit = is_last ? bounds : Bounds{-__builtin_inff(), __builtin_inff()};
    const float* taps[kMaxTaps];
    for (int t = 0; t < some; ++t) taps[t] = planes + offsets[tap + t];
    if (tap == 0) {
      sum_some_taps<true>(some, taps, filter, bias, limit, sums, count);
    } else {
      sum_some_taps<false>(some, taps, filter + tap, bias, limit, sums, count);
    }
  }
}

// One output channel's rows from a band.
struct BandRows {
  const float* planes;
  const std::int64_t* offsets;
  std::int64_t row_size;
  const float* filter;
  float bias;
  Bounds bounds;
  float* out;
  std::int64_t out_w;
};

// Rows [first, first + R) of a 3x3 filter with stride and dilation 1: each row of inputs is loaded once for the three
// rows of outputs that read it, so that the arithmetic binds. Sums in the order of the taps, as sum_taps() does.
template <int R>
void sum_rows_3x3(const BandRows& b, std::int64_t first) {
  Floats w[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) w[t] = spread(b.filter[t]);
  const Floats low = spread(b.bounds.low);
  const Floats high = spread(b.bounds.high);
  const float* from = b.planes + first * b.row_size;
  float* out = b.out + first * b.out_w;
  for (std::int64_t x = 0; x < b.out_w; x += kLanes) {
    if (x > b.out_w - kLanes) x = b.out_w - kLanes;  // The last vector overlaps the one before.
    Floats sums[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sums[r] = spread(b.bias);
#pragma GCC unroll 6
    for (int i = 0; i < R + 2; ++i) {
      const float* row = from + i * b.row_size + x;
      const Floats left = load<Floats>(row), middle = load<Floats>(row + 1), right = load<Floats>(row + 2);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const int ky = i - r;
        if (ky < 0 || ky > 2) continue;
        sums[r] += w[3 * ky] * left;
        sums[r] += w[3 * ky + 1] * middle;
        sums[r] += w[3 * ky + 2] * right;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) store(at_most(at_least(sums[r], low), high), out + r * b.out_w + x);
  }
}

// Rows [first, last) of any filter of nine taps.
void sum_plain_rows(const BandRows& b, std::int64_t first, std::int64_t last) {
  const float* p[9];
  Floats w[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) {
    p[t] = b.planes + b.offsets[t];
    w[t] = spread(b.filter[t]);
  }
  const Floats low = spread(b.bounds.low);
  const Floats high = spread(b.bounds.high);
  const Floats start = spread(b.bias);
  for (std::int64_t row = first; row < last; ++row) {
    float* out = b.out + row * b.out_w;
    const std::int64_t from = row * b.row_size;
    for (std::int64_t x = 0; x < b.out_w; x += kLanes) {
      if (x > b.out_w - kLanes) x = b.out_w - kLanes;
      Floats sum = start;
#pragma GCC unroll 9
      for (int t = 0; t < 9; ++t) sum += w[t] * load<Floats>(p[t] + from + x);
      store(at_most(at_least(sum, low), high), out + x);
    }
  }
}

constexpr int kBlockRows = kLanes == 16 ? 4 : 2;  // As the registers allow, beside nine weights.

void sum_rows_of_nine(const BandRows& b, std::int64_t rows, bool is_plain_3x3) {
  std::int64_t row = 0;
  if (is_plain_3x3) {
    for (; row + kBlockRows <= rows; row += kBlockRows) sum_rows_3x3<kBlockRows>(b, row);
  }
  sum_plain_rows(b, row, rows);
}

}  // namespace

void depthwise(const Depthwise& d, float* scratch) {
  if (depthwise_by_rows(d)) return;
  const DepthwisePlan plan = plan_depthwise(d);
  const std::int64_t num_taps = d.kernel_h * d.kernel_w;
  float* planes = scratch;
  float* sums = planes + plan.num_planes * plan.plane_size + kDepthwiseSlack;
  // The taps' offsets into the planes, behind the floats.
  auto* offsets = reinterpret_cast<std::int64_t*>(scratch + plan.num_floats);
  plan_tap_offsets(d, plan, offsets);
  const bool is_plain_3x3 = d.kernel_h == 3 && d.kernel_w == 3 && d.stride_h == 1 && d.stride_w == 1 &&
                            d.dilation_h == 1 && d.dilation_w == 1;
  set_zero(planes, plan.num_planes * plan.plane_size + kDepthwiseSlack);
  for (std::int64_t channel = 0; channel < d.channels; ++channel) {
    const float* image = d.input + channel * d.in_h * d.in_w;
    for (std::int64_t first = 0; first < d.out_h; first += plan.band_rows) {
      const std::int64_t rows = d.out_h - first < plan.band_rows ? d.out_h - first : plan.band_rows;
      copy_band(d, plan, image, first, rows + plan.h.max_shift, planes);
      for (std::int64_t o = channel * d.multiplier; o < (channel + 1) * d.multiplier; ++o) {
        const float bias = d.bias != nullptr ? d.bias[o] : 0.0F;
        float* out = d.output + (o * d.out_h + first) * d.out_w;
        if (num_taps == 9 && d.out_w >= kLanes) {
          sum_rows_of_nine(
              {planes, offsets, plan.row_size, d.filter + o * 9, bias, {d.clamp_min, d.clamp_max}, out, d.out_w}, rows,
              is_plain_3x3);
          continue;
        }
        sum_channel(planes, offsets, num_taps, d.filter + o * num_taps, bias, {d.clamp_min, d.clamp_max}, sums,
                    rows * plan.row_size);
        for (std::int64_t r = 0; r < rows; ++r) {
          copy_16(sums + r * plan.row_size, out + r * d.out_w, d.out_w);
        }
      }
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
