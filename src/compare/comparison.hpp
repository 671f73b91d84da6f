// comparison.hpp: what a comparison of two forms of a model found.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/grid_values.hpp"
#include "compare/metrics.hpp"
#include "compare/scores.hpp"

namespace halfstep::compare {

/// Errors of one tensor, all samples together.
struct TensorError {
  std::string name;
  std::string op;  ///< Operator that writes it; "" for graph inputs.
  ErrorSums sums;  ///< Whole network: everything upstream is quantized, too.
  /// Samples left out because the tensor has another shape in the other model:
  /// its size depends on the data (NonMaxSuppression).
  std::int64_t num_unlike_samples = 0;
  /// Only this layer quantized: its inputs are the float run's, rounded onto their grids.
  std::optional<ErrorSums> isolated = std::nullopt;
  /// Root mean square of the grid's scales, real units per step; 0: the tensor has no encoding.
  double scale = 0.0;
  /// Values of the reference more than half a step outside the grid's range; counted where `scale` > 0.
  std::int64_t num_clipped = 0;
  /// Fixed point against simulated, in steps of the grid; set when both ran.
  std::optional<OffBy> off_by = std::nullopt;

  /// Root mean square error in steps: an ideal quantizer gives 1 / sqrt(12) = 0.29. 0 without a scale.
  double rmse_in_steps() const { return scale > 0.0 ? std::sqrt(sums.mean_squared_error()) / scale : 0.0; }
  double clipped_percent() const {
    return sums.count > 0 ? 100.0 * static_cast<double>(num_clipped) / static_cast<double>(sums.count) : 0.0;
  }
};

struct Comparison {
  std::int64_t num_samples = 0;
  std::vector<TensorError> outputs;  ///< In the order of Graph::outputs; float32 ones only.
  std::vector<TensorError> layers;   ///< Worst SQNR first; ties by name.
  std::optional<TopK> top1;          ///< With labels.
  std::optional<TopK> top5;          ///< With labels.
  /// Share of samples whose best class is the same in both, in percent. Set if the first output holds class scores:
  /// the user says so by labels or needs_scores, or it is the only output and is_class_scores().
  std::optional<double> top1_agreement_percent;
  std::string classes_of;  ///< The output whose best class top1, top5 and the agreements are about; "" without any.
  /// Beside a simulated run: share of samples whose best class is the same in fixed point and simulated, in percent.
  std::optional<double> simulated_agreement_percent;
  std::optional<TopK> miou;  ///< With masks: mean intersection over union, in percent.
};

/// What compare_runs() found.
struct RunsOutcome {
  Comparison comparison;                ///< Reference against `other`.
  std::optional<Comparison> simulated;  ///< Reference against `simulated`.
};

}  // namespace halfstep::compare
