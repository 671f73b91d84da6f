// compare_runs.hpp: two forms of a model over the same samples.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compare/comparison.hpp"
#include "compare/outputs.hpp"
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
  /// Without a grid, and yet what a layer leaves for the next: isolated runs go on with the reference's values.
  bool ends_layer = false;
};

/// What to measure over which samples, whatever the sides are.
struct CompareOptions : OutputMeasures {
  exec::SampleSource samples;
  int num_threads = 1;
  /// One more run of the quantized side a sample, in which every encoded layer, once compared, is overwritten by the
  /// reference's values on its grid: fills TensorError::isolated.
  bool isolated = false;
  /// Called once a sample, when both sides have run; from several threads at a time. May be empty.
  std::function<Result<void>(std::int64_t sample, const exec::Executor& reference, const exec::Executor& other)> seen;
};

/// Sides that are ready to run. All sessions have at least num_threads workers; where isolated errors are asked for,
/// that of `other` has twice as many.
struct RunsRequest : CompareOptions {
  Side reference;
  Side other;  ///< Simulated or fixed point.
  /// Set: a simulated Program of `other.graph` that is compared with the reference as well, and with the codes of
  /// `other`, which is fixed point then.
  exec::Session* simulated = nullptr;
  std::vector<Layer> layers;  ///< To compare beside the outputs.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// One pass over the samples; the result does not depend on the number of threads.
/// Errors: those of loading, running and `seen`, the sample's place in front;
/// kInvalidInput if outputs differ in type, or labels or masks do not fit the
/// first output; kUsage if the first output holds no scores and needs_scores is set.
Result<RunsOutcome> compare_runs(const RunsRequest& request);

}  // namespace halfstep::compare
