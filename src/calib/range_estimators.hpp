// range_estimators.hpp: from a distribution to the range that a grid shall cover.
#pragma once

#include <string_view>

#include "calib/distribution.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// How a range is chosen: the method and its parameters.
struct RangeRule {
  RangeMethod method = RangeMethod::kMinMax;

  friend bool operator==(const RangeRule&, const RangeRule&) = default;
};

/// "min-max".
std::string_view name_of(RangeMethod method);

/// True if the rule reads Distribution::histogram.
bool needs_histogram(const RangeRule& rule);

/// The range that a grid of this kind shall cover for these values; [0, 0] if there are none. Activations, channels of
/// activations and weights all go through here.
RealRange estimate_range(const Distribution& distribution, const GridRequest& grid, const RangeRule& rule);

}  // namespace halfstep::calib
