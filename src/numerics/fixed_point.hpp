// fixed_point.hpp: a real factor as two integers, and the rounding of products with it.
//
//   factor = multiplier_q31 * 2^-31 * 2^-right_shift                      (R1)
//   q = clamp(zero_point + round(acc * factor), q_min, q_max)             (R2)
//
// Everything here is total: no input overflows. Source: docs/numerics.md
// section 6; gemmlowp, fixedpoint.h (the rule kDoubling).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace halfstep::numerics {

/// 128-bit signed integer: products of 64-bit accumulators and 31-bit multipliers.
__extension__ typedef __int128 Int128;

/// What happens to the fractional bits of a product.
enum class Rounding : std::uint8_t {
  kHalfUp,     ///< To nearest, halves towards +infinity.
  kHalfEven,   ///< To nearest, halves to the even neighbour.
  kHalfAway,   ///< To nearest, halves away from zero.
  kFloatEven,  ///< Accumulator and product each rounded to the 24 bits of a float32, then halves to even (R5).
  kDoubling,   ///< gemmlowp: first to 31 fractional bits with halves up, then the shift with halves away from zero.
};

/// A factor >= 0 per (R1). Either 0 (both members 0) or 2^30 <= multiplier_q31 < 2^31 and
/// kMinRightShift <= right_shift <= kMaxRightShift.
struct FixedPoint {
  std::int32_t multiplier_q31 = 0;
  std::int32_t right_shift = 0;  ///< Positive means right.

  friend bool operator==(const FixedPoint&, const FixedPoint&) = default;
};
inline constexpr int kMinRightShift = -30;
inline constexpr int kMaxRightShift = 62;

/// The integers that finish one output channel per (R2).
struct Requantizer {
  FixedPoint factor;
  std::int32_t zero_point = 0;
  std::int32_t q_min = 0;  ///< Grid bound, tightened by a fused activation.
  std::int32_t q_max = 0;
  Rounding rounding = Rounding::kHalfUp;

  friend bool operator==(const Requantizer&, const Requantizer&) = default;
};

/// x / 2^shift rounded to an integer, halves by `rounding` (kDoubling counts as
/// kHalfAway here: it is the second of its two roundings).
/// Requires 0 <= shift < the bits of T less 1.
template <class T>
constexpr T rounding_shift_right(T x, int shift, Rounding rounding) noexcept {
  if (shift == 0) return x;
  const T below = x >> shift;  // floor(x / 2^shift): the shift of a negative number is arithmetic since C++20.
  const T rest = x - below * (T{1} << shift);  // In [0, 2^shift).
  const T half = T{1} << (shift - 1);
  if (rest != half) return rest > half ? below + 1 : below;
  switch (rounding) {
    case Rounding::kHalfUp:
      return below + 1;
    case Rounding::kHalfEven:
    case Rounding::kFloatEven:
      return below + (below & 1);
    case Rounding::kHalfAway:
    case Rounding::kDoubling:
      return x > 0 ? below + 1 : below;
  }
  return below;  // Unreachable: the switch covers the enum.
}

/// x saturated to int32.
template <class T>
constexpr std::int32_t saturate_to_int32(T x) noexcept {
  constexpr T kLowest = std::numeric_limits<std::int32_t>::min();
  constexpr T kHighest = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(x < kLowest ? kLowest : (x > kHighest ? kHighest : x));
}

/// x rounded to 24 significant bits, halves to even: the value of x as a float32.
template <class T>
constexpr T round_to_24_bits(T x) noexcept {
  T magnitude = x < 0 ? -x : x;
  int excess = 0;
  for (T limit = T{1} << 24; magnitude >> excess >= limit;) ++excess;
  return rounding_shift_right(x, excess, Rounding::kHalfEven) * (T{1} << excess);
}

/// round(acc * factor) as float32 arithmetic computes it, saturated to int32 (R5). |acc| <= 2^63 - 1.
/// Requires: factor is a float32 number, so its multiplier ends in seven zero bits; the product has 24 + 24 bits
/// and as many zeros as acc lost.
constexpr std::int32_t rescale_float(std::int64_t acc, FixedPoint factor) noexcept {
  const Int128 product = round_to_24_bits(static_cast<Int128>(acc)) * (factor.multiplier_q31 >> 7);
  const Int128 rounded = round_to_24_bits(product);
  const int shift = 24 + factor.right_shift;
  if (shift < 0) return saturate_to_int32(rounded * (Int128{1} << -shift));
  return saturate_to_int32(rounding_shift_right(rounded, shift, Rounding::kHalfEven));
}

/// round(acc * factor), saturated to int32. |acc| <= 2^31 and multiplier < 2^31
/// bound the product by 2^62.
constexpr std::int32_t rescale(std::int32_t acc, FixedPoint factor, Rounding rounding) noexcept {
  if (rounding == Rounding::kFloatEven) return rescale_float(acc, factor);
  if (rounding == Rounding::kDoubling) {
    const int left = factor.right_shift < 0 ? -factor.right_shift : 0;
    const int right = factor.right_shift > 0 ? factor.right_shift : 0;
    if (right > 31) return 0;
    // |acc| * 2^30 < 2^62. Saturates where gemmlowp leaves the behaviour open.
    const std::int64_t shifted = saturate_to_int32(static_cast<std::int64_t>(acc) * (std::int64_t{1} << left));
    const std::int64_t high =
        rounding_shift_right<std::int64_t>(shifted * factor.multiplier_q31, 31, Rounding::kHalfUp);
    return static_cast<std::int32_t>(rounding_shift_right<std::int64_t>(high, right, Rounding::kHalfAway));
  }
  const int shift = 31 + factor.right_shift;
  if (shift > 62) return 0;  // |product| < 2^62 is less than half of 2^63.
  const std::int64_t product = static_cast<std::int64_t>(acc) * factor.multiplier_q31;
  return saturate_to_int32(rounding_shift_right<std::int64_t>(product, shift, rounding));
}

/// The same for 64-bit accumulators, |acc| < 2^63: the product takes 94 bits. kDoubling rounds once here, halves up:
/// gemmlowp defines no such accumulator.
constexpr std::int32_t rescale_wide(std::int64_t acc, FixedPoint factor, Rounding rounding) noexcept {
  if (rounding == Rounding::kFloatEven) return rescale_float(acc, factor);
  const Rounding once = rounding == Rounding::kDoubling ? Rounding::kHalfUp : rounding;
  const Int128 product = static_cast<Int128>(acc) * factor.multiplier_q31;
  return saturate_to_int32(rounding_shift_right<Int128>(product, 31 + factor.right_shift, once));
}

/// (R2). The sum is formed in 64 bits and clamped before it is narrowed.
constexpr std::int32_t requantize(std::int32_t acc, const Requantizer& r) noexcept {
  const std::int64_t q = std::int64_t{rescale(acc, r.factor, r.rounding)} + r.zero_point;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(q, r.q_min, r.q_max));
}

/// (R2) for 64-bit accumulators.
constexpr std::int32_t requantize_wide(std::int64_t acc, const Requantizer& r) noexcept {
  const std::int64_t q = std::int64_t{rescale_wide(acc, r.factor, r.rounding)} + r.zero_point;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(q, r.q_min, r.q_max));
}

}  // namespace halfstep::numerics
