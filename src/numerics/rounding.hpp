// rounding.hpp: rounding of real numbers to integers and to float32.
#pragma once

#include <cmath>

namespace halfstep::numerics {

/// x rounded to the nearest integer, halves to even, whatever the rounding mode of the processor.
/// Requires |x| <= 2^51: then adding 1.5 * 2^52 leaves no fractional bits, and the addition itself rounds to even.
inline double round_half_even(double x) noexcept {
  constexpr double kMagic = 6755399441055744.0;
  return (x + kMagic) - kMagic;
}

/// The same in float32. Requires |x| <= 2^22.
inline float round_half_even(float x) noexcept {
  constexpr float kMagic = 12582912.0F;
  return (x + kMagic) - kMagic;
}

/// x rounded to the nearest integer, halves away from zero.
inline double round_half_away(double x) noexcept { return std::round(x); }

/// x rounded to float32, as a double; infinite if it overflows, and NaN stays NaN.
double to_float32(double x) noexcept;

/// The smallest float32 that is >= x, as a double. Requires 0 <= x <= the largest float32.
double to_float32_up(double x) noexcept;

/// The smallest integer e with x <= 2^e. Exact. Requires x finite and > 0.
int ceil_log2(double x) noexcept;

}  // namespace halfstep::numerics
