// operands.cpp: reads the operator table.
#include "ops/operands.hpp"

#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

graph::ValueId operand_with_role(const graph::Graph& graph, const graph::Node& node, OperandRole role) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (operand_role(graph, node, i) == role) return node.inputs[i];
  }
  return graph::kNoValue;
}

}  // namespace

OperandRole operand_role(const graph::Graph& graph, const graph::Node& node, std::size_t index) {
  const OpDef* op = find_op(node);
  if (op == nullptr || !op->has_integer_form || node.inputs[index] == graph::kNoValue) return OperandRole::kPlain;
  const Tensor* constant = graph::constant_of(graph, node.inputs[index]);
  if (constant != nullptr && constant->dtype() != DType::kFloat32) return OperandRole::kPlain;
  const OperandRole role = op->operands[index];
  const bool needs_constant = role == OperandRole::kWeight || role == OperandRole::kBias;
  return needs_constant && constant == nullptr ? OperandRole::kData : role;
}

std::optional<int> weight_channel_axis(const OpDef& op, const graph::Node& node, const Shape& weight) {
  if (op.channels.weight_output_axis == nullptr) return std::nullopt;
  const int axis = op.channels.weight_output_axis(node, weight);
  if (axis < 0 || axis >= weight.rank()) return std::nullopt;
  if (axis != 0 && op.channels.channels_first && node.attributes.get_int("group", 1) != 1) return std::nullopt;
  return axis;
}

int output_channel_axis(const OpDef& op, int output_rank) { return op.channels.channels_first ? 1 : output_rank - 1; }

std::optional<int> weight_axis(const graph::Graph& graph, const graph::Node& node) {
  const graph::ValueId weight = weight_of(graph, node);
  if (weight == graph::kNoValue) return std::nullopt;
  return weight_channel_axis(*find_op(node), node, graph::constant_of(graph, weight)->shape());
}

graph::ValueId weight_of(const graph::Graph& graph, const graph::Node& node) {
  return operand_with_role(graph, node, OperandRole::kWeight);
}

graph::ValueId bias_of(const graph::Graph& graph, const graph::Node& node) {
  return operand_with_role(graph, node, OperandRole::kBias);
}

std::optional<double> known_fill(const graph::Graph& graph, const graph::Node& node, const Facts& facts) {
  const OpDef* op = find_op(node);
  const auto at = op == nullptr || op->fill_operand == nullptr ? std::nullopt : op->fill_operand(node);
  if (!at) return std::nullopt;
  if (*at >= node.inputs.size() || node.inputs[*at] == graph::kNoValue) return 0.0;
  const graph::ValueId id = node.inputs[*at];
  const Tensor* value = graph::constant_of(graph, id);
  const std::optional<Tensor>& computed = facts[static_cast<std::size_t>(id)].value;
  if (value == nullptr && computed) value = &*computed;
  if (value == nullptr || value->dtype() != DType::kFloat32 || value->num_elements() != 1) return std::nullopt;
  return static_cast<double>(value->values<float>()[0]);
}

bool leaves_input_range(const graph::Graph& graph, const graph::Node& node, const Facts& facts) {
  const OpDef* op = find_op(node);
  if (op == nullptr || op->output_rule != OutputRule::kSameAsInput) return false;
  if (op->leaves_range != nullptr && op->leaves_range(node)) return true;
  const bool fills = op->fill_operand != nullptr && op->fill_operand(node);
  return fills && known_fill(graph, node, facts) != 0.0;
}

bool is_float(const Facts& facts, graph::ValueId value) {
  if (value == graph::kNoValue) return false;
  const auto& type = facts[static_cast<std::size_t>(value)].type;
  return type && type->dtype == DType::kFloat32;
}

bool is_integer_node(const graph::Node& node, const Facts& facts) {
  const OpDef* op = find_op(node);
  if (op == nullptr || !op->has_integer_form || node.outputs.empty()) return false;
  const std::size_t data = op->operands.first_data();
  return node.inputs.size() > data && is_float(facts, node.inputs[data]) && is_float(facts, node.outputs[0]);
}

graph::NodeId activation_behind(const graph::Graph& graph, const graph::Links& links, const Facts& facts,
                                graph::NodeId n) {
  const graph::ValueId output = graph.node(n).outputs[0];
  const graph::NodeId reader = links.single_consumer(output);
  if (reader == graph::kNoNode) return graph::kNoNode;
  const graph::Node& node = graph.node(reader);
  const OpDef* op = find_op(node);
  if (op == nullptr || !is_integer_node(node, facts)) return graph::kNoNode;
  const bool computes = op->output_rule == OutputRule::kObserved || op->output_rule == OutputRule::kFixed;
  const bool is_unary = node.inputs.size() == 1 && node.outputs.size() == 1;
  const auto& before = facts[static_cast<std::size_t>(output)].type;
  const auto& after = facts[static_cast<std::size_t>(node.outputs[0])].type;
  const bool same_shape = before && after && before->shape == after->shape;
  return computes && is_unary && op->keeps_channels_apart && same_shape ? reader : graph::kNoNode;
}

}  // namespace halfstep::ops
