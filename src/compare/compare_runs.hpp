// compare_runs.hpp: two forms of a model over the same samples.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compare/grid_values.hpp"
#include "compare/metrics.hpp"
#include "compare/scores.hpp"
#include "encoding/encoding.hpp"
#include "exec/samples.hpp"
#include "exec/session.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::compare {

/// One of the two: its graph and how to run it.
struct Side {
  const graph::Graph* graph = nullptr;
  exec::Session* session = nullptr;
};

/// A tensor that both sides compute.
struct Layer {
  graph::ValueId reference = graph::kNoValue;
  graph::ValueId other = graph::kNoValue;
  const Encoding* encoding = nullptr;  ///< Its grid in `other`; nullptr: not rounded. Must outlive the run.
};

struct CompareRequest {
  Side reference;
  Side other;  ///< Simulated or fixed point.
  /// Set: a simulated Program of `other.graph` that is compared with the reference as well, and with the codes of
  /// `other`, which is fixed point then.
  exec::Session* simulated = nullptr;
  /// One more run of `other` a sample, in which every encoded layer, once compared, is overwritten by the
  /// reference's values on its grid: fills TensorError::isolated.
  bool isolated = false;
  exec::SampleSource samples;
  int num_threads = 1;               ///< All sessions have at least as many workers.
  std::vector<Layer> layers;         ///< To compare beside the outputs.
  std::vector<std::int64_t> labels;  ///< Class index by sample; empty: no labels.
  MaskSource masks;                  ///< Empty: no segmentation metric. Not beside labels.
  /// The user asked for top-1 agreement: a first output that holds no scores is an error then.
  bool needs_scores = false;
  /// Called once a sample, when both sides have run; from several threads at a time. May be empty.
  std::function<Result<void>(std::int64_t sample, const exec::Executor& reference, const exec::Executor& other)> seen;
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

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
  /// Share of samples whose best class is the same in both, in percent; set
  /// when the first output is float32 and holds one row of at least two scores.
  std::optional<double> top1_agreement_percent;
  /// Beside a simulated run: share of samples whose best class is the same in fixed point and simulated, in percent.
  std::optional<double> simulated_agreement_percent;
  std::optional<TopK> miou;  ///< With masks: mean intersection over union, in percent.
};

/// What compare_runs() found.
struct Compared {
  Comparison comparison;                ///< Reference against `other`.
  std::optional<Comparison> simulated;  ///< Reference against `simulated`.
};

/// One pass over the samples; the result does not depend on the number of threads.
/// Errors: those of loading, running and `seen`, the sample's place in front;
/// kInvalidInput if outputs differ in type, or labels or masks do not fit the
/// first output; kUsage if the first output holds no scores and needs_scores is set.
Result<Compared> compare_runs(const CompareRequest& request);

}  // namespace halfstep::compare
