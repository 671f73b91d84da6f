// observation.hpp: what calibration knows of one tensor, in bounded memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "calib/distribution.hpp"

namespace halfstep::calib {

/// The largest value of each row along one axis, which Softmax measures the others by.
struct RowMaxima {
  float lowest = std::numeric_limits<float>::infinity();  ///< +infinity if none was watched.
  std::int64_t extent = 0;                                ///< Of the longest row.

  void merge(const RowMaxima& other) {
    lowest = std::min(lowest, other.lowest);
    extent = std::max(extent, other.extent);
  }
  friend bool operator==(const RowMaxima&, const RowMaxima&) = default;
};

/// The whole tensor, and its channels where asked for (Watch).
struct Observation : Distribution {
  /// One for each slice along the watched axis, [C]. Empty if none is watched, if the samples disagree about C, or if
  /// the tensor has no such axis.
  std::vector<Distribution> channels;
  bool channels_disagree = false;
  RowMaxima rows;

  /// As if the samples of `other` had been seen here. Requires: both were watched alike, and no sample is in both.
  void merge(const Observation& other);

  friend bool operator==(const Observation&, const Observation&) = default;
};

}  // namespace halfstep::calib
