// quantized_case.hpp: small quantized models with samples, and whole-model runs of forms of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/quantized_graph.hpp"
#include "exec/executor.hpp"
#include "exec/samples.hpp"
#include "lower/lower.hpp"
#include "precision/assign_encodings.hpp"
#include "precision/choose_tensors.hpp"
#include "sensitivity/groups.hpp"
#include "unit/tune/scaling_support.hpp"

namespace halfstep::sensitivity {

using tune::RandomGraph;
using Inputs = std::vector<Tensor>;

/// A float model, normal samples, and what calibration on them makes of it.
struct QuantizedCase {
  graph::Graph reference;
  std::vector<Inputs> samples;
  ops::Facts facts;
  QuantizedGraph model;

  explicit QuantizedCase(RandomGraph& small, int num_samples = 5, const precision::Options& options = {})
      : reference(small.graph()), facts(tune::facts_of(reference)) {
    EXPECT_TRUE(graph::verify(reference).ok());
    for (int s = 0; s < num_samples; ++s) {
      Inputs& inputs = samples.emplace_back();
      for (const graph::GraphInput& input : reference.inputs) {
        inputs.push_back(small.draw(facts[static_cast<std::size_t>(input.value)].type->shape, 1.0F));
      }
    }
    const precision::Plan plan = precision::choose_tensors(reference, facts, options);
    exec::Executor executor = tune::executor_of(reference);
    calib::ObserveRequest request;
    request.samples = source();
    request.watches = precision::watches_of(reference, facts, plan);
    request.executor = [&](int, std::span<const Tensor>) -> Result<exec::Executor*> { return &executor; };
    const Result<calib::Observations> seen = calib::observe(reference, request);
    EXPECT_TRUE(seen.ok()) << (seen.ok() ? "" : seen.error().message);
    Result<precision::Assignment> assigned = precision::assign_encodings(reference, facts, plan, *seen);
    EXPECT_TRUE(assigned.ok()) << (assigned.ok() ? "" : assigned.error().message);
    model = {reference, std::move(assigned->encodings)};
  }

  exec::SampleSource source() const {
    exec::SampleSource made;
    made.count = static_cast<std::int64_t>(samples.size());
    made.load = [this](std::int64_t i) -> Result<Inputs> { return samples[static_cast<std::size_t>(i)]; };
    made.place = [](std::int64_t i) { return "list.txt:" + std::to_string(i + 1); };
    return made;
  }

  std::vector<QuantizerGroup> groups() const { return quantizer_groups(model, facts); }

  /// The constant of this name in the quantized model, multiplied.
  void scale_constant(const std::string& name, float factor) {
    graph::Value& value = model.graph.value(graph::find_value(model.graph, name));
    Tensor scaled = Tensor::copy_of(value.constant->view());
    for (std::int64_t i = 0; i < scaled.num_elements(); ++i) scaled.mutable_data<float>()[i] *= factor;
    value.constant = std::move(scaled);
  }
};

/// All outputs of one sample, in real numbers, of the whole model lowered at once.
inline std::vector<Tensor> outputs_of(const QuantizedGraph& form, const FixedPointOptions& fixed,
                                      const Inputs& inputs) {
  std::vector<Tensor> outputs;
  Result<lower::Program> program = lower::fixed_program(form.graph, {}, form.encodings, fixed);
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  if (!program.ok()) return outputs;
  exec::Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Result<void> ran = executor.run(inputs);
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  for (std::size_t o = 0; o < form.graph.outputs.size(); ++o) outputs.push_back(Tensor::copy_of(executor.output(o)));
  return outputs;
}

/// The group of this name; a failure and an empty group where there is none.
inline QuantizerGroup group_named(const std::vector<QuantizerGroup>& groups, const std::string& name) {
  const auto at = std::ranges::find(groups, name, &QuantizerGroup::name);
  EXPECT_NE(at, groups.end()) << name;
  return at == groups.end() ? QuantizerGroup{} : *at;
}

}  // namespace halfstep::sensitivity
