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

/// Rounding::kFloatEven: the processor's own float32 conversion and product, which numerics/fixed_point.hpp spells
/// out in integers. Bounds have at most 18 bits, so float32 holds them, and the addition that rounds is exact.
template <class Acc, class Q>
static void requantize_float(const Acc* acc, std::int64_t count, Acc bias, const numerics::Requantizer& r, Q* q) {
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: no fractional bits are left, halves went to even.
  const std::uint32_t exponent = static_cast<std::uint32_t>(127 - 31 - r.factor.right_shift) << 23;
  float unit;  // 2^(-31 - right_shift)
  __builtin_memcpy(&unit, &exponent, sizeof unit);
  const float factor = static_cast<float>(r.factor.multiplier_q31) * unit;
  const auto low = static_cast<float>(std::int64_t{r.q_min} - r.zero_point);
  const auto high = static_cast<float>(std::int64_t{r.q_max} - r.zero_point);
  const std::int32_t zero_point = r.zero_point;
  for (std::int64_t i = 0; i < count; ++i) {
    float steps = static_cast<float>(acc[i] + bias) * factor;
    steps = steps < low ? low : steps;
    steps = high < steps ? high : steps;
    q[i] = static_cast<Q>(static_cast<std::int32_t>((steps + kMagic) - kMagic) + zero_point);
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
