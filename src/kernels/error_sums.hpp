// error_sums.hpp: how far a tensor is from another, for comparison.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// Sums over pairs (reference, other), eight side by side: pair i of a tensor goes to lane i % 8, which fixes the order
/// of all additions. Lanes are added from 0 to 7 by whoever reads them.
struct ErrorLanes {
  static constexpr int kCount = 8;
  double reference_squared[kCount] = {};
  double other_squared[kCount] = {};
  double product[kCount] = {};
  double error_squared[kCount] = {};
  double max_abs_error[kCount] = {};
};

/// Adds `count` pairs, in double. A value that is not finite makes the sum of its squares infinite or NaN, and the
/// others nonsense; finite ones never do.
/// The same bits on every instruction set.
/// Requires: a multiple of 8 pairs in all earlier calls for these lanes.
void add_errors(const float* reference, const float* other, std::int64_t count, ErrorLanes& lanes);

/// add_errors() of `first` and of `second`, to the bit; faster than both where registers hold all sums.
/// Requires: the same reference in all earlier calls for the lanes of both.
void add_errors_of_two(const float* reference, const float* first, const float* second, std::int64_t count,
                       ErrorLanes& first_lanes, ErrorLanes& second_lanes);

/// How many of x[i] are not in [lowest, highest]. NaN is not.
std::int64_t count_outside(const float* x, std::int64_t count, float lowest, float highest);

}  // namespace halfstep::kernels
