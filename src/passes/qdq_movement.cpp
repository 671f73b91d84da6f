// qdq_movement.cpp: operators that move stored integers move the real values instead.
//
//   before:  y = DequantizeLinear(Transpose(QuantizeLinear(x, s, z)), s, z)
//   after:   y = DequantizeLinear(QuantizeLinear(Transpose(DequantizeLinear(QuantizeLinear(x, s, z), s, z)), s, z), s,
//   z)
//
// after which every Q stands directly before a DQ. Condition: one grid for the
// whole tensor, and the operator only moves or selects. Exactness: it selects
// the same elements, (E1) is increasing, and rounding to a grid twice is
// rounding once.
#include <algorithm>
#include <array>
#include <string_view>

#include "ops/op_def.hpp"
#include "passes/qdq_import.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

/// Moves or selects elements of operand 0 and adds none of its own (as Pad would).
bool moves_only(const Node& node) {
  constexpr std::array<std::string_view, 4> kExcept = {"Pad", "Resize", "TopK", "CenterCropPad"};
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->output_rule == ops::OutputRule::kSameAsInput && op->has_integer_form && !node.clamp &&
         std::ranges::find(kExcept, node.op_type) == kExcept.end();
}

bool on_one_grid(const Graph& graph, const Node& quantize) {
  const Tensor* scale = graph::constant_of(graph, input_of(quantize, 1));
  return scale != nullptr && scale->num_elements() == 1;
}

/// A Q or DQ with the parameters and attributes of `quantize`.
Node linear(const Node& quantize, const char* op_type, ValueId from, ValueId to, const std::string& name) {
  Node node = quantize;
  node.op_type = op_type;
  node.name = name;
  node.inputs[0] = from;
  node.outputs = {to};
  if (node.op_type == "DequantizeLinear") {
    node.attributes.erase("output_dtype");
    node.attributes.erase("saturate");
    node.attributes.erase("precision");
  }
  return node;
}

}  // namespace

Graph lift_integer_movement(Graph graph) {
  std::vector<graph::NodeId> quantized_by(graph.values.size(), kNoNode);  // Index into `nodes`.
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const ValueId source = input_of(node, 0);
    const graph::NodeId by = source == kNoValue || static_cast<std::size_t>(source) >= quantized_by.size()
                                 ? kNoNode
                                 : quantized_by[static_cast<std::size_t>(source)];
    if (by == kNoNode || !moves_only(node)) {
      nodes.push_back(node);
      if (is_quantize(node) && on_one_grid(graph, node)) {
        quantized_by[static_cast<std::size_t>(node.outputs[0])] = static_cast<graph::NodeId>(nodes.size() - 1);
      }
      continue;
    }
    const Node quantize = nodes[static_cast<std::size_t>(by)];
    const std::string base = graph.value(source).name;
    const ValueId real = graph::add_value(graph, base + "_real");
    nodes.push_back(linear(quantize, "DequantizeLinear", source, real, base + "_DequantizeLinear"));
    node.inputs[0] = real;
    const std::vector<ValueId> integers = node.outputs;
    for (ValueId& output : node.outputs) {
      if (output != kNoValue) output = graph::add_value(graph, graph.value(output).name + "_real");
    }
    const std::vector<ValueId> reals = node.outputs;
    nodes.push_back(std::move(node));
    for (std::size_t i = 0; i < integers.size(); ++i) {
      if (integers[i] == kNoValue) continue;
      nodes.push_back(
          linear(quantize, "QuantizeLinear", reals[i], integers[i], graph.value(integers[i]).name + "_QuantizeLinear"));
      quantized_by[static_cast<std::size_t>(integers[i])] = static_cast<graph::NodeId>(nodes.size() - 1);
    }
  }
  graph.nodes = std::move(nodes);
  return graph;
}

}  // namespace halfstep::passes
