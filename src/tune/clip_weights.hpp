// clip_weights.hpp: the few weights that lie far from all others are brought in, so that the grid need not reach them.
//
//   w' = max(-bound, min(w, bound)),  one bound for each channel (row) whose grid is its own, else one for the tensor
//
// kMedian, tensors with one grid: bound = tensor_factor * median over the rows of their largest |w|. A row far larger
//   than the typical one is brought down to that many times the typical one; what lies within rows stays.
// kMedian, a row with its own grid, and tensors without rows, of n values: bound = row_margin * s * sqrt(2 ln 2n).
//   s = median |w| / 0.6745 is the standard deviation of normal values with that median; the largest |w| of n normal
//   values is at most s * sqrt(2 ln 2n) on average (the maximal inequality for the 2n values w and -w), so that with
//   the margin normal weights all but never change. Below kMinRowValues values, as in depthwise kernels, or with a
//   median of 0, nothing tells what is far; and where more than kMaxOutlierShare of the values lie beyond the bound
//   they are no outliers: such rows stay.
// kPercentile: bound = the smallest |w| that 100 - shrink percent of the values do not exceed; none if that is 0.
// Source: what TIDL's first calibration step and its percentileWtRangeShrink clip; the median rules are ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "halfstep/tuning_options.hpp"
#include "precision/plan.hpp"

namespace halfstep::tune {

/// How far is far. Fields that the method does not name are not looked at.
struct ClipOptions {
  ClipMethod method = ClipMethod::kMedian;
  double tensor_factor = 4.0;  ///< kMedian: >= 1.
  double row_margin = 1.5;     ///< kMedian: >= 1.
  double shrink = 0.01;        ///< kPercentile: percent of the values, >= 0 and < 100.
};

/// kMedian: rows of fewer values have no bound.
inline constexpr std::int64_t kMinRowValues = 64;
/// kMedian: a row of which more than this share would be clipped has no bound.
inline constexpr double kMaxOutlierShare = 0.05;

/// What happened to one weight.
struct ClippedWeight {
  std::string weight;  ///< The tensor's name.
  std::int64_t num_values = 0;
  std::int64_t num_clipped = 0;  ///< 1 or more.
  double largest_before = 0.0;   ///< |w| of the value that was reduced most, in units of the weight.
  double largest_after = 0.0;    ///< Its bound.
};

/// One line: "'conv1.weight': 3 of 864 values clipped, one from 5.2 to 1.1".
std::string to_string(const ClippedWeight& weight);

struct WeightClipping {
  graph::Graph graph;                  ///< The same but for the values of weights.
  std::vector<ClippedWeight> clipped;  ///< In the order of values. Weights that stay are not listed.
};

/// Clips the weights that `plan` gives a grid of their own values (Source::kConstant, OperandRole::kWeight), by row
/// where it gives one to each slice. Others stay: float ones, those that came with an encoding, and pinned ones. The
/// layers' NormalStatistics stay as well: those of the model before clipping.
/// Requires: `plan` is one of `graph`. Errors: kUsage naming the field for options outside what ClipOptions says;
/// kCalibration naming the weight if it holds NaN or an infinity.
Result<WeightClipping> clip_weights(const graph::Graph& graph, const precision::Plan& plan, const ClipOptions& options);

}  // namespace halfstep::tune
