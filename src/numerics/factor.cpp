// factor.cpp: equation (R1) backwards.
#include "numerics/factor.hpp"

#include <cmath>
#include <string>

#include "numerics/rounding.hpp"

namespace halfstep::numerics {

bool is_power_of_two(double x) noexcept {
  int exponent = 0;
  return std::frexp(x, &exponent) == 0.5;
}

Rounding rounding_of(Arithmetic arithmetic) noexcept {
  switch (arithmetic) {
    case Arithmetic::kFloatHalfEven:
    case Arithmetic::kShiftHalfEven:
      return Rounding::kHalfEven;
    case Arithmetic::kQ31Double:
      return Rounding::kDoubling;
    case Arithmetic::kShiftHalfAway:
      return Rounding::kHalfAway;
    case Arithmetic::kQ31Single:
    case Arithmetic::kShiftHalfUp:
      return Rounding::kHalfUp;
  }
  return Rounding::kHalfUp;  // Unreachable: the switch covers the enum.
}

Rounding simulated_rounding_of(Arithmetic arithmetic) noexcept {
  return needs_power_of_two(arithmetic) ? rounding_of(arithmetic) : Rounding::kHalfEven;
}

Result<FixedPoint> fixed_point_from_real(double real) {
  // From 2^30 - 1/4 on, the mantissa would round up to 2^30.
  if (!(real >= 0.0) || !(real < 0x1p30 - 0.25)) {
    return Error{ErrorCode::kUnsupported,
                 "the ratio of scales, " + std::to_string(real) + ", is outside what a 31-bit multiplier can express"};
  }
  int exponent = 0;
  const double mantissa = std::frexp(real, &exponent);  // In [0.5, 1).
  auto multiplier = static_cast<std::int64_t>(round_half_away(mantissa * 0x1p31));
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++exponent;
  }
  const int right_shift = -exponent;
  if (multiplier == 0 || right_shift > kMaxRightShift) return FixedPoint{};
  return FixedPoint{static_cast<std::int32_t>(multiplier), right_shift};
}

Result<FixedPoint> scale_factor(double real, Arithmetic arithmetic) {
  if (needs_power_of_two(arithmetic) && !is_power_of_two(real)) {
    return Error{ErrorCode::kUnsupported, std::string(name_of(arithmetic)) +
                                              " needs power-of-two scales, their ratio is " + std::to_string(real)};
  }
  return plain_factor(real, arithmetic);
}

Result<FixedPoint> plain_factor(double real, Arithmetic arithmetic) {
  return fixed_point_from_real(arithmetic == Arithmetic::kFloatHalfEven ? to_float32(real) : real);
}

double real_of(FixedPoint factor) noexcept { return std::ldexp(factor.multiplier_q31, -31 - factor.right_shift); }

}  // namespace halfstep::numerics
