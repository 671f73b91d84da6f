// scalable_linear.cpp: told by the operator table and the constants' shapes.
#include "tune/scalable_linear.hpp"

#include "core/errors.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::tune {
namespace {

bool has_other_reader(const graph::Links& links, graph::ValueId id) {
  const auto at = static_cast<std::size_t>(id);
  return links.is_output[at] || links.consumers[at].size() > 1;
}

/// Empty if the bias of `linear` can be divided channel by channel; else why not.
Result<void> check_scalable_bias(const graph::Graph& graph, const graph::Links& links, const graph::Node& node,
                                 const ScalableLinear& linear) {
  if (node.inputs.size() < 3 || node.inputs[2] == graph::kNoValue) return {};
  if (linear.bias == graph::kNoValue) return unsupported("whose bias is not constant");
  if (has_other_reader(links, linear.bias)) return unsupported("whose bias is read elsewhere, too");
  const Shape& shape = graph::constant_of(graph, linear.bias)->shape();
  if (shape.num_elements() != linear.out_channels || shape.rank() == 0 ||
      shape[shape.rank() - 1] != linear.out_channels) {
    return unsupported("whose bias " + to_string(shape) + " is not one number a channel");
  }
  return {};
}

}  // namespace

bool is_linear(const graph::Node& node) {
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->channels.weight_output_axis != nullptr;
}

int linear_channel_axis(const graph::Node& node, int rank) {
  return ops::output_channel_axis(*ops::find_op(node), rank);
}

Result<ScalableLinear> scalable_linear(const graph::Graph& graph, const graph::Links& links, graph::NodeId id) {
  const graph::Node& node = graph.node(id);
  const ops::OpDef& op = *ops::find_op(node);
  ScalableLinear linear{.node = id, .weight = ops::weight_of(graph, node), .bias = ops::bias_of(graph, node)};
  if (linear.weight == graph::kNoValue || node.inputs[0] == linear.weight) {
    return unsupported("whose weight is not constant");
  }
  if (has_other_reader(links, linear.weight)) return unsupported("whose weight is read elsewhere, too");
  const Shape& shape = graph::constant_of(graph, linear.weight)->shape();
  const bool convolves = op.channels.channels_first;
  if (convolves ? shape.rank() < 3 : shape.rank() != 2) return unsupported("whose weight is no matrix");
  if (shape.num_elements() == 0) return unsupported("whose weight is empty");
  if (node.attributes.get_int("transA", 0) != 0) return unsupported("whose input is transposed");
  linear.groups = convolves ? node.attributes.get_int("group", 1) : 1;
  linear.output_first = op.channels.weight_output_axis(node, shape) == 0;
  if (linear.groups < 1 || shape[0] % linear.groups != 0) return unsupported("whose groups do not fit its weight");
  linear.out_channels = linear.output_first ? shape[0] : shape[1] * linear.groups;
  linear.in_channels = linear.output_first ? shape[1] * linear.groups : shape[0];
  linear.num_taps = shape.num_elements(2, shape.rank());
  linear.gain = node.attributes.get_float("alpha", 1.0F);
  if (Result<void> bias = check_scalable_bias(graph, links, node, linear); !bias.ok()) return bias.error();
  return linear;
}

}  // namespace halfstep::tune
