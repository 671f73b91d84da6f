// qdq_movement.cpp: operators that move or clip stored integers do so with the real values instead.
//
//   before:  y = DequantizeLinear(Transpose(QuantizeLinear(x, s, z)), s, z)
//   after:   y = DequantizeLinear(QuantizeLinear(Transpose(DequantizeLinear(QuantizeLinear(x, s, z), s, z)), s, z), s,
//   z)
//
// after which every Q stands directly before a DQ. Condition: one grid for the
// whole tensor, and the operator only moves, selects or clips; the bounds of a
// Clip become those integers' real values. Exactness: it selects
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

/// Clip of integers by constant bounds.
bool clips_only(const Graph& graph, const Node& node) {
  if (!plain(node, "Clip")) return false;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const ValueId bound = node.inputs[i];
    if (bound == kNoValue) continue;
    const Tensor* constant = graph::constant_of(graph, bound);
    if (constant == nullptr || constant->num_elements() != 1 || constant->dtype() == DType::kFloat32) return false;
  }
  return true;
}

/// The real values of a Clip's bounds on the grid of `quantize`.
void make_bounds_real(Graph& graph, const Node& quantize, Node& clip) {
  const float scale = graph::constant_of(graph, quantize.inputs[1])->data<float>()[0];
  const Tensor* zero_point = graph::constant_of(graph, input_of(quantize, 2));
  const std::int64_t zero = zero_point == nullptr ? 0 : to_int64s(*zero_point)[0];
  for (std::size_t i = 1; i < clip.inputs.size(); ++i) {
    if (clip.inputs[i] == kNoValue) continue;
    const std::int64_t bound = to_int64s(*graph::constant_of(graph, clip.inputs[i]))[0];
    const float real = static_cast<float>(bound - zero) * scale;
    clip.inputs[i] =
        graph::add_constant(graph, graph.value(clip.inputs[i]).name + "_real", Tensor::of<float>({}, {real}));
  }
}

bool on_one_grid(const Graph& graph, const Node& quantize) {
  const Tensor* scale = graph::constant_of(graph, input_of(quantize, 1));
  const ValueId zero_point = input_of(quantize, 2);
  return scale != nullptr && scale->num_elements() == 1 && scale->dtype() == DType::kFloat32 &&
         (zero_point == kNoValue || (graph::constant_of(graph, zero_point) != nullptr &&
                                     graph::constant_of(graph, zero_point)->num_elements() == 1 &&
                                     graph::constant_of(graph, zero_point)->dtype() != DType::kFloat32));
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
    const bool clips = by != kNoNode && clips_only(graph, node);
    if (by == kNoNode || !(clips || moves_only(node))) {
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
    if (clips) make_bounds_real(graph, quantize, node);
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
