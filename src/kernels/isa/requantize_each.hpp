// requantize_each.hpp: accumulators to codes one by one, for what vectors do not cover.
//
// The functions of numerics/fixed_point.hpp are shared inline symbols and must not
// be called under isa/ (see variant.hpp): their formulas are written out again, with
// internal linkage, and the tests compare the two bit for bit.
#pragma once

#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

constexpr std::int32_t kLowestInt32 = -2147483647 - 1;
constexpr std::int32_t kHighestInt32 = 2147483647;

/// No grid with bounds of at most this many steps from its zero point tells apart what lies beyond.
constexpr std::int64_t kMostSteps = 131072;

template <class T>
static T clamp(T x, T low, T high) {
  return x < low ? low : (high < x ? high : x);
}

/// x / 2^shift, halves by `rounding`. 0 <= shift < the bits of T less 1.
template <class T>
static T shift_right(T x, int shift, numerics::Rounding rounding) {
  if (shift == 0) return x;
  const T below = x >> shift;
  const T rest = x - below * (T{1} << shift);
  const T half = T{1} << (shift - 1);
  if (rest != half) return rest > half ? below + 1 : below;
  if (rounding == numerics::Rounding::kHalfUp) return below + 1;
  if (rounding == numerics::Rounding::kHalfEven) return below + (below & 1);
  return x > 0 ? below + 1 : below;
}

template <class T>
static std::int32_t saturate_to_int32(T x) {
  return static_cast<std::int32_t>(clamp<T>(x, kLowestInt32, kHighestInt32));
}

static inline std::int32_t onto_grid(std::int32_t steps, const numerics::Requantizer& r) {
  return static_cast<std::int32_t>(clamp<std::int64_t>(std::int64_t{steps} + r.zero_point, r.q_min, r.q_max));
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
