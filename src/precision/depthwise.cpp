// depthwise.cpp: told by weight and groups.
#include "precision/depthwise.hpp"

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {

bool is_depthwise(const graph::Graph& graph, const ops::Facts& facts, const graph::Node& node) {
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || !op->channels.channels_first || node.inputs.empty()) return false;
  const auto& type = facts[static_cast<std::size_t>(node.inputs[0])].type;
  const Tensor* weight = graph::constant_of(graph, ops::weight_of(graph, node));
  if (!type || weight == nullptr) return false;
  const Shape& input = type->shape;
  if (input.rank() < 3 || weight->shape().rank() != input.rank()) return false;
  return op->channels.weight_output_axis(node, weight->shape()) == 0 && weight->shape()[1] == 1 &&
         node.attributes.get_int("group", 1) == input[1];
}

}  // namespace halfstep::precision
