// sweep_support.hpp: small quantized models with samples, and whole-model runs of them to compare a sweep with.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "exec/samples.hpp"
#include "precision/assign_encodings.hpp"
#include "precision/choose_tensors.hpp"
#include "tune/sweep.hpp"
#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {

/// Tensors of one sample, one a graph input.
using Inputs = std::vector<Tensor>;

inline exec::SampleSource source_of(const std::vector<Inputs>& samples) {
  exec::SampleSource source;
  source.count = static_cast<std::int64_t>(samples.size());
  source.load = [&samples](std::int64_t i) -> Result<Inputs> { return samples[static_cast<std::size_t>(i)]; };
  source.place = [](std::int64_t i) { return "list.txt:" + std::to_string(i + 1); };
  return source;
}

/// A tensor as a tap saw it.
struct StoredTensor {
  Tensor tensor;
  std::optional<Encoding> grid;  ///< Set: `tensor` holds codes on it.
};
using StoredTensors = std::map<std::string, StoredTensor>;

/// All tensors of one run.
inline StoredTensors run_tapped(const graph::Graph& graph, Result<lower::Program> program, const Inputs& inputs) {
  StoredTensors seen;
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  if (!program.ok()) return seen;
  exec::Executor executor(std::make_shared<const lower::Program>(*std::move(program)));
  const Result<void> ran = executor.run(inputs, [&](const exec::Tapped& tapped) -> Result<void> {
    StoredTensor stored{Tensor::copy_of(tapped.view), {}};
    if (tapped.encoding != nullptr) stored.grid = *tapped.encoding;
    seen.insert_or_assign(graph.value(tapped.value).name, std::move(stored));
    return {};
  });
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  return seen;
}

inline StoredTensors run_fixed(const QuantizedGraph& model, const FixedPointOptions& fixed, const Inputs& inputs) {
  return run_tapped(model.graph, lower::fixed_program(model.graph, {}, model.encodings, fixed), inputs);
}

inline StoredTensors run_float(const graph::Graph& graph, const Inputs& inputs) {
  return run_tapped(graph, lower::float_program(graph, {}), inputs);
}

/// A float model, its samples, and what calibration on them makes of it.
struct SweptCase {
  graph::Graph graph;
  std::vector<Inputs> samples;
  ops::Facts facts;
  QuantizedGraph model;

  /// Samples are normal around `mean`.
  SweptCase(RandomGraph& small, int num_samples, const precision::Options& options = {}, float mean = 0.0F)
      : graph(small.graph()) {
    EXPECT_TRUE(graph::verify(graph).ok());
    for (int s = 0; s < num_samples; ++s) {
      Inputs& inputs = samples.emplace_back();
      for (const graph::GraphInput& input : graph.inputs) {
        std::vector<std::int64_t> extents;
        for (const graph::Dim& dim : *input.declared.dims) extents.push_back(dim.extent);
        Tensor& drawn = inputs.emplace_back(small.draw(Shape(std::move(extents)), 1.0F));
        for (std::int64_t i = 0; i < drawn.num_elements(); ++i) drawn.mutable_data<float>()[i] += mean;
      }
    }
    facts = facts_of(graph);
    const precision::Plan plan = precision::choose_tensors(graph, facts, options);
    exec::Executor executor = executor_of(graph);
    calib::ObserveRequest request;
    request.samples = source_of(samples);
    request.watches = precision::watches_of(graph, facts, plan);
    request.executor = [&](int, std::span<const Tensor>) -> Result<exec::Executor*> { return &executor; };
    const Result<calib::Observations> seen = calib::observe(graph, request);
    EXPECT_TRUE(seen.ok()) << (seen.ok() ? "" : seen.error().message);
    Result<precision::Assignment> assigned = precision::assign_encodings(graph, facts, plan, *seen);
    EXPECT_TRUE(assigned.ok()) << (assigned.ok() ? "" : assigned.error().message);
    model = {graph, std::move(assigned->encodings)};
  }

  SweepRequest request(int num_threads = 1, const FixedPointOptions& fixed = {}) const {
    SweepRequest made;
    made.samples = source_of(samples);
    made.fixed = fixed;
    made.num_threads = num_threads;
    return made;
  }

  graph::ValueId id(const std::string& name) const { return graph::find_value(model.graph, name); }
  TensorEncoding& encoding(const std::string& name) { return model.encodings.at(name); }

  /// Runs the sweep up to the layer that writes `output` and calls `use` there.
  template <class F>
  void at_layer(const std::string& output, const SweepRequest& sweep_request, F&& use) {
    bool was_there = false;
    const Result<SweepOutcome> outcome = sweep(model, sweep_request, [&](const SweptLayer& layer) -> Result<void> {
      const graph::Node& node = model.graph.node(layer.node());
      if (model.graph.value(node.outputs[0]).name != output) return {};
      was_there = true;
      use(layer, node);
      return {};
    });
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
    EXPECT_TRUE(was_there) << output;
  }
};

/// Options whose encodings every Arithmetic takes.
inline precision::Options power_of_two_options() {
  precision::Options options;
  options.scale = ScaleKind::kPowerOfTwo;
  options.act_schema = Schema::kUnsignedSymmetric;
  return options;
}

/// A layer whose output is given, sample by sample.
class GivenLayer final : public SweptLayer {
 public:
  GivenLayer(std::vector<Tensor> outputs, std::optional<Encoding> grid, int num_workers = 1)
      : outputs_(std::move(outputs)), grid_(std::move(grid)), num_workers_(num_workers) {}

  graph::NodeId node() const override { return 0; }
  graph::NodeId last() const override { return 0; }
  const Encoding* input_grid() const override { return nullptr; }
  Result<void> for_each_input(std::int64_t, const SeeTensor&) const override { return {}; }
  Result<void> for_each_output(std::int64_t num_samples, const SeeTensor& see) const override {
    for (std::int64_t s = 0; s < num_samples; ++s) {
      const Tensor& output = outputs_[static_cast<std::size_t>(s)];
      if (auto seen = see(s, static_cast<int>(s) % num_workers_, output.view(), grid_ ? &*grid_ : nullptr); !seen.ok())
        return seen;
    }
    return {};
  }

 private:
  std::vector<Tensor> outputs_;
  std::optional<Encoding> grid_;
  int num_workers_;
};

}  // namespace halfstep::tune
