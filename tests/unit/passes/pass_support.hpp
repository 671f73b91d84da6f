// pass_support.hpp: small graphs to run passes on, and the check that they still compute the same.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {

using graph::Graph;
using graph::kNoValue;
using graph::ValueId;
using Ints = std::vector<std::int64_t>;
using AttributeList = std::initializer_list<std::pair<const char*, graph::Attribute>>;
using Pass = Result<Graph> (*)(Graph, const PassContext&);

/// Random values in [low, high], the same on every run.
inline Tensor random_tensor(Shape shape, unsigned seed, float low = -1.0F, float high = 1.0F) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> draw(low, high);
  Tensor tensor(TensorType{DType::kFloat32, std::move(shape)});
  std::generate_n(tensor.mutable_data<float>(), tensor.num_elements(), [&] { return draw(rng); });
  return tensor;
}

class Model {
 public:
  Graph graph;

  /// Extents of -1 are symbolic.
  ValueId input(const std::string& name, const Ints& dims, DType dtype = DType::kFloat32) {
    const ValueId id = graph::add_value(graph, name);
    std::vector<graph::Dim> declared;
    for (std::int64_t dim : dims) declared.push_back({dim, dim < 0 ? "N" : ""});
    graph.inputs.push_back({id, {dtype, declared}});
    return id;
  }
  ValueId constant(const std::string& name, Tensor tensor) {
    return graph::add_constant(graph, name, std::move(tensor));
  }
  ValueId random(const std::string& name, Shape shape, float low = -1.0F, float high = 1.0F) {
    return constant(name, random_tensor(std::move(shape), ++seed_, low, high));
  }
  ValueId scalar(const std::string& name, float value) { return constant(name, Tensor::of<float>({}, {value})); }
  ValueId ints(const std::string& name, const Ints& values) {
    return constant(name, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())},
                                                   std::span<const std::int64_t>(values)));
  }
  ValueId node(const std::string& op_type, std::vector<ValueId> inputs, const std::string& output,
               AttributeList attributes = {}) {
    const ValueId id = graph::add_value(graph, output);
    graph::Node& added = graph.nodes.emplace_back();
    added.op_type = op_type;
    added.name = output + "_node";
    added.inputs = std::move(inputs);
    added.outputs = {id};
    for (const auto& [name, value] : attributes) added.attributes.set(name, value);
    return id;
  }
  void output(ValueId id) { graph.outputs.push_back({id, {}}); }

 private:
  unsigned seed_ = 0;
};

/// Runs a graph node by node.
inline std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<std::optional<Tensor>> values(graph.values.size());
  for (std::size_t v = 0; v < values.size(); ++v) values[v] = graph.values[v].constant;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    values[static_cast<std::size_t>(graph.inputs[i].value)] = inputs[i];
  }
  for (const graph::Node& node : graph.nodes) {
    std::vector<const Tensor*> operands;
    for (ValueId id : node.inputs)
      operands.push_back(id == kNoValue ? nullptr : &*values[static_cast<std::size_t>(id)]);
    const Result<std::vector<Tensor>> results = ops::evaluate_node(graph, node, operands);
    if (!results.ok()) {
      ADD_FAILURE() << results.error().message;
      return {};
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[static_cast<std::size_t>(node.outputs[i])] = (*results)[i];
    }
  }
  std::vector<Tensor> outputs;
  for (const graph::GraphOutput& output : graph.outputs)
    outputs.push_back(*values[static_cast<std::size_t>(output.value)]);
  return outputs;
}

inline std::vector<Tensor> random_inputs(const Graph& graph, std::int64_t symbolic_extent) {
  std::vector<Tensor> inputs;
  for (const graph::GraphInput& input : graph.inputs) {
    Shape shape;
    for (const graph::Dim& dim : *input.declared.dims) shape.push_back(dim.fixed() ? dim.extent : symbolic_extent);
    inputs.push_back(random_tensor(std::move(shape), 99 + static_cast<unsigned>(inputs.size()), -4.0F, 4.0F));
  }
  return inputs;
}

/// Largest difference relative to the largest magnitude.
inline double difference(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return INFINITY;
  const std::vector<float> x = to_floats(a.view());
  const std::vector<float> y = to_floats(b.view());
  double largest = 1e-3;
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(x[i])));
    if (std::isnan(x[i]) != std::isnan(y[i])) return INFINITY;
    if (!std::isnan(x[i]) && x[i] != y[i]) worst = std::max(worst, static_cast<double>(std::abs(x[i] - y[i])));
  }
  return worst / largest;
}

inline PassContext context_for(const Graph& graph, std::int64_t symbolic_extent = 2) {
  PassContext context;
  const std::vector<Tensor> inputs = random_inputs(graph, symbolic_extent);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    context.shapes[graph.value(graph.inputs[i].value).name] = inputs[i].shape();
  }
  return context;
}

inline std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const graph::GraphOutput& output : graph.outputs) names.push_back(graph.value(output.value).name);
  return names;
}

/// Operator types in order, blank between: "Conv Relu".
inline std::string operators(const Graph& graph) {
  std::string text;
  for (const graph::Node& node : graph.nodes) text += (text.empty() ? "" : " ") + node.op_type;
  return text;
}

/// Applies `pass`; checks that outputs and their names stay, also for another
/// symbolic extent, that the graph is sound and that a second time changes nothing.
inline Graph apply(Pass pass, const Graph& graph) {
  EXPECT_TRUE(graph::verify(graph).ok());
  const PassContext context = context_for(graph);
  Result<Graph> after = pass(graph, context);
  if (!after.ok()) {
    ADD_FAILURE() << after.error().message;
    return graph;
  }
  const Result<void> sound = graph::verify(*after);
  EXPECT_TRUE(sound.ok()) << sound.error().message;
  EXPECT_EQ(output_names(graph), output_names(*after));
  for (std::int64_t extent : {2, 3}) {
    const std::vector<Tensor> inputs = random_inputs(graph, extent);
    const std::vector<Tensor> expected = run(graph, inputs);
    const std::vector<Tensor> found = run(*after, inputs);
    EXPECT_EQ(expected.size(), found.size());
    for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
      EXPECT_LT(difference(expected[i], found[i]), 1e-5) << "output " << i << " of " << operators(*after);
    }
  }
  const Result<Graph> again = pass(*after, context);
  EXPECT_TRUE(again.ok() && same_graph(*after, *again)) << "twice: " << operators(*again);
  return *after;
}

}  // namespace halfstep::passes
