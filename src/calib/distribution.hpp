// distribution.hpp: what is known of the values whose range is to be chosen.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "calib/dyadic_histogram.hpp"

namespace halfstep::calib {

/// Extremes and mean of some values.
struct Moments {
  std::int64_t count = 0;
  float min = std::numeric_limits<float>::infinity();   ///< +infinity if count is 0.
  float max = -std::numeric_limits<float>::infinity();  ///< -infinity if count is 0.
  double sum = 0.0;
  double sum_of_squares = 0.0;

  double mean() const { return count == 0 ? 0.0 : sum / static_cast<double>(count); }

  /// As if the values of `other` came after these. The extremes do not depend
  /// on the order of merging; the sums do in their last bits, so merge in
  /// sample order.
  void merge(const Moments& other);
  friend bool operator==(const Moments&, const Moments&) = default;
};

/// How the extremes of single samples spread.
struct SampleExtremes {
  std::int64_t num_samples = 0;
  double sum_of_min = 0.0;  ///< For the average of the samples' minima.
  double sum_of_max = 0.0;
  float highest_min = -std::numeric_limits<float>::infinity();
  float lowest_max = std::numeric_limits<float>::infinity();

  double mean_min() const { return num_samples == 0 ? 0.0 : sum_of_min / static_cast<double>(num_samples); }
  double mean_max() const { return num_samples == 0 ? 0.0 : sum_of_max / static_cast<double>(num_samples); }

  /// Adds one sample, in sample order.
  void add(const Moments& sample);
  friend bool operator==(const SampleExtremes&, const SampleExtremes&) = default;
};

/// The values of an activation over all samples, of one of its channels, of a constant or of a slice of it. Estimators
/// read this and nothing else. A constant is one sample.
struct Distribution {
  Moments moments;
  SampleExtremes samples;
  DyadicHistogram histogram;  ///< Empty where nobody asked for it.

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
