// unchanged_values.cpp: operator by operator, without shapes.
#include "precision/unchanged_values.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace halfstep::precision {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

constexpr std::array<std::string_view, 4> kAlwaysUnchanged{"Identity", "Dropout", "QuantizeLinear", "DequantizeLinear"};
constexpr std::array<std::string_view, 5> kUnchangedAlone{"Concat", "Sum", "Max", "Min", "Mean"};
constexpr std::array<std::string_view, 12> kMoving{"Reshape",   "Flatten",      "Squeeze",      "Unsqueeze",
                                                   "Transpose", "Expand",       "Slice",        "Tile",
                                                   "Resize",    "DepthToSpace", "SpaceToDepth", "Pad"};
/// ONNX's numbers of float32, float16, float64 and bfloat16.
constexpr std::array<std::int64_t, 4> kFloatTypes{1, 10, 11, 16};

template <class List, class Element>
bool holds(const List& list, const Element& element) {
  return std::ranges::find(list, element) != list.end();
}

ValueId operand(const Node& node, std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNoValue; }

bool is_full_of(const graph::Graph& graph, ValueId id, float expected) {
  const Tensor* constant = graph::constant_of(graph, id);
  if (constant == nullptr || constant->dtype() != DType::kFloat32 || graph.value(id).pinned) return false;
  return std::ranges::all_of(constant->values<float>(), [&](float value) { return value == expected; });
}

/// The other operand where one is the neutral element of the arithmetic.
ValueId unchanged_by_arithmetic(const graph::Graph& graph, const Node& node) {
  if (node.inputs.size() != 2) return kNoValue;
  const bool is_product = node.op_type == "Mul" || node.op_type == "Div";
  if (!is_product && node.op_type != "Add" && node.op_type != "Sub") return kNoValue;
  const float neutral = is_product ? 1.0F : 0.0F;
  if (is_full_of(graph, node.inputs[1], neutral)) return node.inputs[0];
  const bool commutes = node.op_type == "Mul" || node.op_type == "Add";
  return commutes && is_full_of(graph, node.inputs[0], neutral) ? node.inputs[1] : kNoValue;
}

}  // namespace

ValueId unchanged_operand_of(const graph::Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.inputs.empty()) return kNoValue;
  if (holds(kAlwaysUnchanged, node.op_type)) return node.inputs[0];
  if (node.op_type == "Cast") {
    return holds(kFloatTypes, node.attributes.get_int("to", 0)) ? node.inputs[0] : kNoValue;
  }
  if (node.op_type == "Clip") {
    return operand(node, 1) == kNoValue && operand(node, 2) == kNoValue ? node.inputs[0] : kNoValue;
  }
  if (holds(kUnchangedAlone, node.op_type)) return node.inputs.size() == 1 ? node.inputs[0] : kNoValue;
  return unchanged_by_arithmetic(graph, node);
}

bool moves_values(const Node& node) { return node.domain.empty() && holds(kMoving, node.op_type); }

}  // namespace halfstep::precision
