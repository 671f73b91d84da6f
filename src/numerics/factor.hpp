// factor.hpp: from a real factor and an Arithmetic to integers.
#pragma once

#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "numerics/fixed_point.hpp"
#include "numerics/rounding.hpp"

namespace halfstep::numerics {

/// Requires x finite and > 0.
bool is_power_of_two(double x) noexcept;

/// How products are rounded under `arithmetic`.
Rounding rounding_of(Arithmetic arithmetic) noexcept;

/// How a simulated run rounds: as `arithmetic` where scales are powers of two and ties are common, else halves to even.
Rounding simulated_rounding_of(Arithmetic arithmetic) noexcept;

/// x rounded to the nearest integer, halves by `rounding`. Requires |x| <= 2^22 for float, 2^51 for double.
template <class T>
inline T round_by(T x, Rounding rounding) noexcept {
  const T even = round_half_even(x);
  const T rest = x - even;  // Exact.
  if (rest == T(0.5) && (rounding == Rounding::kHalfUp || (rounding == Rounding::kHalfAway && x > 0))) return even + 1;
  if (rest == T(-0.5) && rounding == Rounding::kHalfAway && x < 0) return even - 1;
  return even;
}

/// `real` as a FixedPoint: the mantissa rounded to 31 bits, halves away from
/// zero. Factors below 2^-63 become 0.
/// Errors: kUnsupported if `real` is negative, not finite or >= 2^30 - 1/4.
Result<FixedPoint> fixed_point_from_real(double real);

/// The factor that `arithmetic` uses for `real`, a product and quotient of scales:
/// kFloatHalfEven rounds it to float32 first; the shift rules demand a power of two.
/// Errors: those of fixed_point_from_real; kUnsupported if a shift rule meets another factor.
Result<FixedPoint> scale_factor(double real, Arithmetic arithmetic);

/// The factor for a number that is no scale (1/49 of an average, a slope):
/// as scale_factor, but the shift rules, too, take any value, as a 31-bit multiplier.
Result<FixedPoint> plain_factor(double real, Arithmetic arithmetic);

/// The real number `factor` stands for. Exact.
double real_of(FixedPoint factor) noexcept;

}  // namespace halfstep::numerics
