// observation.hpp: what calibration knows of one tensor, in bounded memory.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

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

/// What calibration knows of one tensor.
struct Observation {
  Moments moments;
  SampleExtremes samples;
  /// Axis 1 of the tensor, [C]; only where asked for. Empty if the samples disagree about C or have no axis 1.
  std::vector<Moments> channels;
  DyadicHistogram histogram;

  friend bool operator==(const Observation&, const Observation&) = default;
};

/// Moments of `values` and the number of NaN and infinities among them (which
/// are left out). Adds in a fixed order: the same on every machine.
struct MeasuredRun {
  Moments moments;
  std::int64_t num_nonfinite = 0;
};
MeasuredRun measure(std::span<const float> values);

}  // namespace halfstep::calib
