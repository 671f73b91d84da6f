// range_search.hpp: the cheapest range for a grid, over candidates.
#pragma once

#include <functional>

#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// What a grid costs; lower is better.
using GridCost = std::function<double(const FittedGrid&)>;

/// The range whose grid costs least, of those within `extremes`; of equals the widest. What is tried:
///   power-of-two scales   the exponent that covers the extremes, the next higher one, and the 16 below
///   one free end          (symmetric grids, one-sided data) shares of the extremes from 1 down to 2^-10, then between
///                         the best one's neighbours
///   two free ends         shares of both, then each end alone with the other held, twice
/// Requires: extremes contain more than 0; fit_grid() serves them.
RealRange cheapest_range(RealRange extremes, const GridRequest& request, const GridCost& cost);

/// AIMET's candidates for tf-enhanced, in its order, the first of the cheapest:
///   symmetric    thresholds k / 100 of the largest magnitude, k = 1 to 101
///   asymmetric   17 steps f = k / 16 of the observed one, each with 21 offsets, cut to the extremes
/// Power-of-two scales: as cheapest_range().
/// Source: AIMET, DlQuantization, TfEnhancedEncodingAnalyzer. Requires: as cheapest_range().
RealRange cheapest_aimet_range(RealRange extremes, const GridRequest& request, const GridCost& cost);

}  // namespace halfstep::calib
