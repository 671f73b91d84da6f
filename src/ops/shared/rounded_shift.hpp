// rounded_shift.hpp: numerics::rounding_shift_right without branches, for inner loops.
#pragma once

#include "numerics/fixed_point.hpp"

namespace halfstep::ops {

/// x / 2^shift to nearest, halves by kRounding (kDoubling counts as kHalfUp here).
/// Requires shift >= 1 and |x| + 2^(shift - 1) representable in T.
template <numerics::Rounding kRounding, class T>
constexpr T rounded_shift(T x, int shift) noexcept {
  const T half = T{1} << (shift - 1);
  if constexpr (kRounding == numerics::Rounding::kHalfEven) {
    // Less than half is added to an even floor, half to an odd one.
    return (x + (half - 1) + ((x >> shift) & 1)) >> shift;
  } else if constexpr (kRounding == numerics::Rounding::kHalfAway) {
    return (x + half - (x < 0 ? 1 : 0)) >> shift;
  } else {
    return (x + half) >> shift;
  }
}

/// Calls f.template operator()<kRounding>() with kHalfUp, kHalfEven or kHalfAway; kDoubling becomes kHalfUp.
template <class F>
decltype(auto) visit_rounding(numerics::Rounding rounding, F&& f) {
  switch (rounding) {
    case numerics::Rounding::kHalfEven:
    case numerics::Rounding::kFloatEven:
      return f.template operator()<numerics::Rounding::kHalfEven>();
    case numerics::Rounding::kHalfAway:
      return f.template operator()<numerics::Rounding::kHalfAway>();
    default:
      return f.template operator()<numerics::Rounding::kHalfUp>();
  }
}

}  // namespace halfstep::ops
