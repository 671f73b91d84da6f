// distribution.cpp: measuring and merging of statistics.
#include "calib/distribution.hpp"

#include <algorithm>

#include "kernels/histogram.hpp"

namespace halfstep::calib {

void Moments::merge(const Moments& other) {
  count += other.count;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sum += other.sum;
  sum_of_squares += other.sum_of_squares;
}

void SampleExtremes::add(const Moments& sample) {
  ++num_samples;
  sum_of_min += sample.min;
  sum_of_max += sample.max;
  highest_min = std::max(highest_min, sample.min);
  lowest_max = std::min(lowest_max, sample.max);
}

MeasuredRun measure(std::span<const float> values) {
  const kernels::FiniteSums found = kernels::minmax_sum(values.data(), static_cast<std::int64_t>(values.size()));
  return {.moments = {.count = found.count - found.num_nonfinite,
                      .min = found.min,
                      .max = found.max,
                      .sum = found.sum,
                      .sum_of_squares = found.sum_of_squares},
          .num_nonfinite = found.num_nonfinite};
}

}  // namespace halfstep::calib
