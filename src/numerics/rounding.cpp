// rounding.cpp: conversions to float32 and exact logarithms.
#include "numerics/rounding.hpp"

#include <limits>

namespace halfstep::numerics {

double to_float32(double x) noexcept {
  // From half a float32 step above the largest one on, rounding gives infinity; converting would be undefined.
  constexpr double kOverflow = 3.4028235677973366e38;
  if (x >= kOverflow) return std::numeric_limits<double>::infinity();
  if (x <= -kOverflow) return -std::numeric_limits<double>::infinity();
  return static_cast<double>(static_cast<float>(x));
}

double to_float32_up(double x) noexcept {
  const auto nearest = static_cast<float>(x);
  if (static_cast<double>(nearest) >= x) return static_cast<double>(nearest);
  return static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity()));
}

int ceil_log2(double x) noexcept {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);  // x = mantissa * 2^exponent, mantissa in [0.5, 1)
  return mantissa == 0.5 ? exponent - 1 : exponent;
}

}  // namespace halfstep::numerics
