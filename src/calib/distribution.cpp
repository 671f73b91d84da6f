// distribution.cpp: measuring and merging of statistics.
#include "calib/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/histogram.hpp"

namespace halfstep::calib {

void Moments::merge(const Moments& other) {
  count += other.count;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sum += other.sum;
  sum_of_squares += other.sum_of_squares;
}

double PooledMoments::standard_deviation() const {
  if (count == 0) return 0.0;
  const double mean_square = sum_of_squares.value() / static_cast<double>(count);
  return std::sqrt(std::max(0.0, mean_square - mean() * mean()));
}

void PooledMoments::add(const Moments& sample) {
  count += sample.count;
  min = std::min(min, sample.min);
  max = std::max(max, sample.max);
  sum.add(sample.sum);
  sum_of_squares.add(sample.sum_of_squares);
}

void PooledMoments::merge(const PooledMoments& other) {
  count += other.count;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sum.merge(other.sum);
  sum_of_squares.merge(other.sum_of_squares);
}

void SampleExtremes::add(const Moments& sample) {
  if (sample.count == 0) return;
  ++num_samples;
  sum_of_min.add(sample.min);
  sum_of_max.add(sample.max);
}

void SampleExtremes::merge(const SampleExtremes& other) {
  num_samples += other.num_samples;
  sum_of_min.merge(other.sum_of_min);
  sum_of_max.merge(other.sum_of_max);
  const auto middle = static_cast<std::ptrdiff_t>(each.size());
  each.insert(each.end(), other.each.begin(), other.each.end());
  std::inplace_merge(each.begin(), each.begin() + middle, each.end(),
                     [](const Extremes& a, const Extremes& b) { return a.sample < b.sample; });
}

void Distribution::merge(const Distribution& other) {
  moments.merge(other.moments);
  samples.merge(other.samples);
  histogram.merge(other.histogram);
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
