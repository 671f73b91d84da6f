// observation.hpp: what calibration knows of one tensor, in bounded memory.
#pragma once

#include <vector>

#include "calib/distribution.hpp"

namespace halfstep::calib {

/// The whole tensor, and its channels where asked for (Watch).
struct Observation : Distribution {
  /// One for each slice along the watched axis, [C]. Empty if none is watched, if the samples disagree about C, or if
  /// the tensor has no such axis.
  std::vector<Distribution> channels;

  friend bool operator==(const Observation&, const Observation&) = default;
};

}  // namespace halfstep::calib
