// operands.cpp: reads the operator table; the list below says what the table does not.
#include "precision/operands.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace halfstep::precision {
namespace {

/// Operators all of whose operands are data (Where: but the condition, which is no float tensor); of the others
/// only the first is. Sorted.
constexpr std::array<std::string_view, 15> kAllOperandsAreData = {"Add",  "Concat", "Conv", "ConvTranspose", "Div",
                                                                  "Gemm", "MatMul", "Max",  "Mean",          "Min",
                                                                  "Mul",  "PRelu",  "Sub",  "Sum",           "Where"};

bool all_operands_are_data(const graph::Node& node) {
  return node.domain.empty() &&
         std::binary_search(kAllOperandsAreData.begin(), kAllOperandsAreData.end(), node.op_type);
}

graph::ValueId operand_of_kind(const graph::Graph& graph, const graph::Node& node, OperandKind kind) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (operand_kind(graph, node, i) == kind) return node.inputs[i];
  }
  return graph::kNoValue;
}

}  // namespace

OperandKind operand_kind(const graph::Graph& graph, const graph::Node& node, std::size_t index) {
  const ops::OpDef* def = ops::find_op(node);
  if (def == nullptr || !def->has_integer_form || node.inputs[index] == graph::kNoValue) return OperandKind::kPlain;
  const Tensor* constant = graph::constant_of(graph, node.inputs[index]);
  if (constant != nullptr && constant->dtype() != DType::kFloat32) return OperandKind::kPlain;
  const ops::WeightSpec& spec = def->weights;
  if (constant != nullptr && spec.channel_axis != nullptr) {
    if (static_cast<int>(index) == spec.weight_input) return OperandKind::kWeight;
    if (static_cast<int>(index) == spec.bias_input) return OperandKind::kBias;
  }
  return index == def->first_data_input || all_operands_are_data(node) ? OperandKind::kData : OperandKind::kPlain;
}

std::optional<int> weight_axis(const graph::Graph& graph, const graph::Node& node) {
  const graph::ValueId weight = weight_of(graph, node);
  if (weight == graph::kNoValue) return std::nullopt;
  const Shape& shape = graph::constant_of(graph, weight)->shape();
  const int axis = ops::find_op(node)->weights.channel_axis(node, shape);
  if (axis < 0 || axis >= shape.rank()) return std::nullopt;
  return axis;
}

graph::ValueId weight_of(const graph::Graph& graph, const graph::Node& node) {
  return operand_of_kind(graph, node, OperandKind::kWeight);
}

graph::ValueId bias_of(const graph::Graph& graph, const graph::Node& node) {
  return operand_of_kind(graph, node, OperandKind::kBias);
}

bool is_float(const ops::Facts& facts, graph::ValueId value) {
  if (value == graph::kNoValue) return false;
  const auto& type = facts[static_cast<std::size_t>(value)].type;
  return type && type->dtype == DType::kFloat32;
}

bool is_integer_node(const graph::Node& node, const ops::Facts& facts) {
  const ops::OpDef* def = ops::find_op(node);
  return def != nullptr && def->has_integer_form && node.inputs.size() > def->first_data_input &&
         !node.outputs.empty() && is_float(facts, node.inputs[def->first_data_input]) &&
         is_float(facts, node.outputs[0]);
}

}  // namespace halfstep::precision
