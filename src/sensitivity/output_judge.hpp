// output_judge.hpp: how close forms of a model come to the float model at its outputs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compare/outputs.hpp"
#include "compare/tally.hpp"
#include "core/output_score.hpp"
#include "exec/activation_store.hpp"
#include "exec/executor.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::sensitivity {

/// Holds the float model's outputs for all samples, in memory up to 64 MiB and beyond that in a temporary file.
class OutputJudge {
 public:
  /// Runs `reference`. Errors: those of lowering, of samples and running; kUnsupported if no output can be measured:
  /// none is float32 of a shape known before running, and `measures` has no labels and masks.
  static Result<OutputJudge> make(const graph::Graph& reference, const ops::InputShapes& shapes,
                                  const exec::SampleSource& samples, const compare::OutputMeasures& measures,
                                  int num_threads);

  /// Adds what `executor`, which has run sample `i` of another form, has as outputs. Thread-safe.
  /// Errors: those of compare::tally_outputs().
  Result<void> tally(std::int64_t i, const exec::Executor& executor, compare::Tally& tally) const;

  /// An empty tally for tally().
  compare::Tally empty() const { return {outputs_.size(), 0}; }

  static OutputScore score(const compare::Tally& tally, const compare::OutputMeasures& measures);

  std::size_t num_outputs() const { return outputs_.size(); }
  /// Whether output `o` is float32 of a shape that is known before running.
  bool has_elements(std::size_t o) const { return elements_[o] > 0; }
  /// Of all outputs that have elements, one sample.
  std::int64_t num_elements() const;
  /// Output `o` of the float model for sample `i`. Errors: those of ActivationStore::get().
  Result<Tensor> output(std::int64_t i, std::size_t o) const { return store_->get(outputs_[o], i); }
  /// Squares of the float model's elements, those of outputs that have elements, mean over samples.
  double mean_power() const { return mean_power_; }

  OutputScore score(const compare::Tally& tally) const { return score(tally, measures_); }
  /// Of the float model itself, where there are labels or masks; else full marks.
  const OutputScore& reference() const { return reference_score_; }

 private:
  OutputJudge() = default;

  const graph::Graph* reference_ = nullptr;
  compare::OutputMeasures measures_;
  std::vector<std::string> outputs_;  // Names.
  std::vector<bool> static_;
  std::vector<std::int64_t> elements_;  // By output; 0: see has_elements().
  double mean_power_ = 0.0;
  std::unique_ptr<exec::ActivationStore> store_;
  OutputScore reference_score_;
};

}  // namespace halfstep::sensitivity
