// json_model.cpp: builds the model once.
#include "json_model.hpp"

#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace halfstep::fuzz {
namespace {

graph::Graph built() {
  graph::Graph graph;
  const auto value = [&](const std::string& name) {
    const graph::ValueId known = graph::find_value(graph, name);
    return known != graph::kNoValue ? known : graph::add_value(graph, name);
  };
  const auto node = [&](const std::string& type, const std::vector<std::string>& inputs, const std::string& output) {
    graph::Node& made = graph.nodes.emplace_back();
    made.name = output + "_node";
    made.op_type = type;
    for (const std::string& name : inputs) made.inputs.push_back(value(name));
    made.outputs.push_back(value(output));
  };
  graph::Declared declared;
  declared.dims = {{1, ""}, {2, ""}, {4, ""}, {4, ""}};
  graph.inputs.push_back({value("x"), declared});
  graph.value(value("w")).constant = Tensor::of<float>(Shape{2, 2, 1, 1}, {0.5F, -1.0F, 0.25F, 2.0F});
  graph.value(value("b")).constant = Tensor::of<float>(Shape{2}, {0.125F, -3.0F});
  node("Conv", {"x", "w", "b"}, "conv1");
  graph.nodes.back().clamp = graph::FusedClamp{.min = 0.0F, .max = 6.0F, .node_name = "relu_node", .pre_name = "relu"};
  node("Conv", {"conv1", "w", "b"}, "conv2");
  node("Add", {"conv1", "conv2"}, "sum");
  node("GlobalAveragePool", {"sum"}, "mean");
  node("Softmax", {"mean"}, "out");
  graph.outputs.push_back({value("out"), {}});
  return graph;
}

}  // namespace

const graph::Graph& json_model() {
  static const graph::Graph graph = built();
  return graph;
}

const EncodingTargets& json_targets() {
  static const EncodingTargets targets = [] {
    EncodingTargets made;
    for (const char* name : {"x", "conv1", "conv2", "sum", "mean", "out"}) {
      made[name] = {.role = TensorRole::kActivation, .channel_axis = 1, .shape = {}};
    }
    made["w"] = {.role = TensorRole::kWeight, .channel_axis = 0, .shape = Shape{2, 2, 1, 1}};
    made["b"] = {.role = TensorRole::kBias, .channel_axis = 0, .shape = Shape{2}};
    return made;
  }();
  return targets;
}

}  // namespace halfstep::fuzz
