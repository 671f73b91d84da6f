// depthwise.cpp: depthwise convolution as shifted sums over a padded copy of each channel.
//
// A band of input rows is copied into planes such that, for every filter tap,
// the inputs of consecutive outputs lie one apart: with stride s there is one
// plane for each remainder modulo s. Rows keep their padding, so the band is one
// long row, and each tap is a constant offset into it.
//
// Cost: a vector of outputs takes one load and one multiply-add a tap and one store, weights and bounds staying in
// registers: nine taps are nine loads against nine multiply-adds, so the load ports bind, not the arithmetic. The copy
// is one load and one store an input, and saves every tap its test for the border and, with stride 2, a shuffle. More
// than kMaxTaps taps go in several passes over the outputs, each of which reads and writes them once more.
#include "kernels/depthwise_plan.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

constexpr int kMaxTaps = 9;

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
static_assert(kDepthwiseSlack % kLanes == 0);
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Four __attribute__((vector_size(16)));
typedef float Eight __attribute__((vector_size(32)));

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
    sum = sum < low ? low : sum;  // False for NaN, which passes.
    sum = high < sum ? high : sum;
    store(sum, out + i);
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

// Rows are often a few elements long: the last vector overlaps the one before
// instead of leaving a remainder.
inline void copy_row(const float* __restrict from, float* __restrict to, std::int64_t count) {
  if (count >= 8) {
    for (std::int64_t j = 0; j + 8 < count; j += 8) store(load<Eight>(from + j), to + j);
    store(load<Eight>(from + count - 8), to + count - 8);
  } else if (count >= 4) {
    const Four last = load<Four>(from + count - 4);
    store(load<Four>(from), to);
    store(last, to + count - 4);
  } else {
    for (std::int64_t j = 0; j < count; ++j) to[j] = from[j];
  }
}

void gather_row(const float* __restrict from, float* __restrict to, std::int64_t count, std::int64_t stride) {
  if (stride == 1) {
    copy_row(from, to, count);
  } else if (stride == 2) {
    for (std::int64_t j = 0; j < count; ++j) to[j] = from[2 * j];
  } else {
    for (std::int64_t j = 0; j < count; ++j) to[j] = from[j * stride];
  }
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
          gather_row(from + y * d.in_w, to, end - begin, d.stride_w);
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

}  // namespace

void depthwise(const Depthwise& d, float* scratch) {
  const DepthwisePlan plan = plan_depthwise(d);
  const std::int64_t num_taps = d.kernel_h * d.kernel_w;
  float* planes = scratch;
  float* sums = planes + plan.num_planes * plan.plane_size + kDepthwiseSlack;
  // The taps' offsets into the planes, behind the floats.
  auto* offsets = reinterpret_cast<std::int64_t*>(scratch + plan.num_floats);
  plan_tap_offsets(d, plan, offsets);
  set_zero(planes, plan.num_planes * plan.plane_size + kDepthwiseSlack);
  for (std::int64_t channel = 0; channel < d.channels; ++channel) {
    const float* image = d.input + channel * d.in_h * d.in_w;
    for (std::int64_t first = 0; first < d.out_h; first += plan.band_rows) {
      const std::int64_t rows = d.out_h - first < plan.band_rows ? d.out_h - first : plan.band_rows;
      copy_band(d, plan, image, first, rows + plan.h.max_shift, planes);
      for (std::int64_t o = channel * d.multiplier; o < (channel + 1) * d.multiplier; ++o) {
        const float bias = d.bias != nullptr ? d.bias[o] : 0.0F;
        sum_channel(planes, offsets, num_taps, d.filter + o * num_taps, bias, {d.clamp_min, d.clamp_max}, sums,
                    rows * plan.row_size);
        float* out = d.output + (o * d.out_h + first) * d.out_w;
        for (std::int64_t r = 0; r < rows; ++r) {
          copy_row(sums + r * plan.row_size, out + r * d.out_w, d.out_w);
        }
      }
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
