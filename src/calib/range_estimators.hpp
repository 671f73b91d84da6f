// range_estimators.hpp: from a distribution to the range that a grid shall cover. docs/calibration.md explains each.
#pragma once

#include <string_view>

#include "calib/distribution.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// "min-max", "moving-average", ...: as options spell it.
std::string_view name_of(RangeMethod method);

/// True if the rule reads Distribution::histogram.
bool needs_histogram(const RangeRule& rule);

/// True if the rule reads SampleExtremes::each.
bool needs_sample_extremes(const RangeRule& rule);

/// The range that a grid of this kind shall cover for these values; [0, 0] if there are none. Activations, channels of
/// activations and weights all go through here. Where the grid is part of the search (entropy, mse, sqnr), cost is
/// counted on fit_grid() of each candidate. Requires: what needs_histogram() and needs_sample_extremes() say is there;
/// fit_grid(extremes, grid) succeeds.
RealRange estimate_range(const Distribution& distribution, const GridRequest& grid, const RangeRule& rule);

/// The share of the values, 0 to 1, that lie outside [range.min, range.max], values taken as spread evenly within their
/// bins. Requires: a histogram, unless the range covers the extremes.
double share_outside(const Distribution& distribution, RealRange range);

}  // namespace halfstep::calib
