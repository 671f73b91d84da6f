// outputs.hpp: the outputs of two forms of a model, one sample at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compare/scores.hpp"
#include "compare/tally.hpp"
#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::compare {

/// What is measured of a model's outputs beside their errors.
struct OutputMeasures {
  std::vector<std::int64_t> labels;  ///< Class index by sample; empty: no labels.
  MaskSource masks;                  ///< Empty: no segmentation metric. Not beside labels.
  /// The user asked for top-1 agreement: a first output that holds no scores is an error then.
  bool needs_scores = false;
};

/// One output of both forms.
struct OutputPair {
  ConstView reference;
  ConstView other;
  bool is_static = true;  ///< In both, its type is decided by the inputs' shapes, not by their values.
};

/// Whether the first output, as two forms have it, is what a class is chosen from; see
/// Comparison::top1_agreement_percent.
bool holds_classes(const OutputMeasures& measures, const graph::Graph& reference, const ConstView& a,
                   const ConstView& b);

/// Adds what `outputs` of sample `i`, in the order of `reference`'s, tell to tally.outputs and tally.scores.
/// Errors: kInvalidInput if outputs differ in type, or labels or masks do not fit the first output; kUsage if the first
/// output holds no scores and needs_scores is set.
Result<void> tally_outputs(const OutputMeasures& measures, const graph::Graph& reference, std::int64_t i,
                           std::span<const OutputPair> outputs, Tally& tally);

}  // namespace halfstep::compare
