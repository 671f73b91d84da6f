// charts.hpp: what the charts of the HTML report show.
#pragma once

#include "pipeline/comparison.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Ranges and histograms of the float model's activations over the first samples, beside their grids, and the weights
/// by channel. `comparison` says which tensors are worst.
/// Errors: those of running; kCalibration if an activation is not finite.
Result<report::Charts> make_charts(const FloatComparison& request, const compare::Comparison& comparison,
                                   const Observer& observer);

}  // namespace halfstep::pipeline
