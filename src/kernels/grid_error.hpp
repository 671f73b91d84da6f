// grid_error.hpp: the rounding and clipping error of a grid, for calibration.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// Sum over i of weights[i] * F(edges[i]), where scale^3 * F(x) is the integral from 0 to x of the squared distance to
/// the nearest of scale * {lowest, ..., highest}; beyond the outermost by more than half a step, `clip_weight` times
/// the square. With t = x / scale, n = round(t) limited to [lowest, highest], r = t - n and r' = r limited to [-1/2,
/// 1/2]:
///   F = n / 12 + (r'^3 + clip_weight * (r^3 - r'^3)) / 3
/// Adds in a fixed order: the same, to the bit, on every instruction set.
/// Requires: scale > 0; lowest <= 0 <= highest are integers below 2^32 in magnitude.
double weighted_grid_error(const double* edges, const double* weights, std::int64_t count, double scale, double lowest,
                           double highest, double clip_weight);

}  // namespace halfstep::kernels
