// distribution.hpp: what is known of the values whose range is to be chosen.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "calib/dyadic_histogram.hpp"
#include "calib/exact_sum.hpp"

namespace halfstep::calib {

/// Extremes and sums of the values of one sample, or of a run within it.
struct Moments {
  std::int64_t count = 0;
  float min = std::numeric_limits<float>::infinity();   ///< +infinity if count is 0.
  float max = -std::numeric_limits<float>::infinity();  ///< -infinity if count is 0.
  double sum = 0.0;
  double sum_of_squares = 0.0;

  /// As if the values of `other` came after these. The extremes do not depend on the order of merging; the sums do in
  /// their last bits, so merge in memory order.
  void merge(const Moments& other);
  friend bool operator==(const Moments&, const Moments&) = default;
};

/// The same of many samples, for any order of them.
struct PooledMoments {
  std::int64_t count = 0;
  float min = std::numeric_limits<float>::infinity();   ///< +infinity if count is 0.
  float max = -std::numeric_limits<float>::infinity();  ///< -infinity if count is 0.
  ExactSum sum;
  ExactSum sum_of_squares;

  double mean() const { return count == 0 ? 0.0 : sum.value() / static_cast<double>(count); }
  /// Of all values, as of a whole population.
  double standard_deviation() const;

  void add(const Moments& sample);
  void merge(const PooledMoments& other);
  friend bool operator==(const PooledMoments&, const PooledMoments&) = default;
};

/// The extremes of one sample.
struct Extremes {
  std::int64_t sample = 0;  ///< Its place in the whole list, from 0.
  float min = 0.0F;
  float max = 0.0F;

  friend bool operator==(const Extremes&, const Extremes&) = default;
};

/// How the extremes of single samples spread.
struct SampleExtremes {
  std::int64_t num_samples = 0;
  ExactSum sum_of_min;
  ExactSum sum_of_max;
  std::vector<Extremes> each;  ///< In the order of samples. Empty where nobody asked for it.

  double mean_min() const { return num_samples == 0 ? 0.0 : sum_of_min.value() / static_cast<double>(num_samples); }
  double mean_max() const { return num_samples == 0 ? 0.0 : sum_of_max.value() / static_cast<double>(num_samples); }

  void add(const Moments& sample);
  void merge(const SampleExtremes& other);
  friend bool operator==(const SampleExtremes&, const SampleExtremes&) = default;
};

/// The values of an activation over all samples, of one of its channels, of a constant or of a slice of it. Estimators
/// read this and nothing else. A constant is one sample. The same for any order of samples and any split of them.
struct Distribution {
  PooledMoments moments;
  SampleExtremes samples;
  /// Of as many values as moments.count; of samples of more than 2^17 values half of them, counted twice. Empty where
  /// nobody asked for it.
  DyadicHistogram histogram;

  /// As if the samples of `other` had been seen here. Requires: no sample is in both.
  void merge(const Distribution& other);
  friend bool operator==(const Distribution&, const Distribution&) = default;
};

/// Moments of `values` and the number of NaN and infinities among them (which
/// are left out). Adds in a fixed order: the same on every machine.
struct MeasuredRun {
  Moments moments;
  std::int64_t num_nonfinite = 0;
};
MeasuredRun measure(std::span<const float> values);

}  // namespace halfstep::calib
