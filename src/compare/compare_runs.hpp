// compare_runs.hpp: two forms of a model over the same samples.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compare/metrics.hpp"
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

struct CompareRequest {
  Side reference;
  Side other;
  exec::SampleSource samples;
  int num_threads = 1;  ///< Both sessions have at least as many workers.
  /// Tensors to compare beside the outputs: in `reference`, in `other`.
  std::vector<std::pair<graph::ValueId, graph::ValueId>> layers;
  /// Class index by sample; empty: no labels.
  std::vector<std::int64_t> labels;
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// How many codes differ by 0, 1, 2, 3 to 4, 5 to 8 and more than 8 steps.
inline constexpr std::size_t kNumOffByClasses = 6;
using OffBy = std::array<std::int64_t, kNumOffByClasses>;

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
  /// Values of the reference outside the grid's range; counted where `scale` > 0.
  std::int64_t num_clipped = 0;
  /// Fixed point against simulated, in steps of the grid; set when both ran.
  std::optional<OffBy> off_by = std::nullopt;

  /// Root mean square error in steps: an ideal quantizer gives 1 / sqrt(12) = 0.29. 0 without a scale.
  double rmse_in_steps() const { return scale > 0.0 ? std::sqrt(sums.mean_squared_error()) / scale : 0.0; }
  double clipped_percent() const {
    return sums.count > 0 ? 100.0 * static_cast<double>(num_clipped) / static_cast<double>(sums.count) : 0.0;
  }
};

/// How often the label is among the best k, in percent of the samples.
struct TopK {
  double reference_percent = 0.0;
  double other_percent = 0.0;
  double drop() const { return reference_percent - other_percent; }
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
};

/// One pass over the samples; the result does not depend on the number of threads.
/// Errors: those of loading and running, the sample's place in front;
/// kInvalidInput if outputs differ in type, or labels do not fit the scores.
Result<Comparison> compare_runs(const CompareRequest& request);

}  // namespace halfstep::compare
