// fold_scale_shift.cpp: arithmetic with a constant per channel becomes part of the weights.
//
//   before:  z = Conv(x, W, b) * s        after:  z = Conv(x, W * s, b * s)
//   before:  z = Conv(x, W, b) + t        after:  z = Conv(x, W, b + t)
//
// and the same for Div, Sub, t - y, and for ConvTranspose, Gemm and MatMul. A
// MatMul of matrices that gets a bias becomes a Gemm; of more dimensions it
// takes factors only. W' and b' are those of linear.hpp.
// Conditions: the constant varies along the output channels only and does not
// broadcast the output up; nothing is pinned; the value between the two has no
// other reader and is no graph output.
#include <algorithm>

#include "passes/linear.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// The constant's value for each output channel; empty if it varies along another axis.
std::vector<double> per_channel(const Tensor& constant, const Linear& linear) {
  const Shape& shape = constant.shape();
  if (shape.rank() > linear.output_rank) return {};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool on_channels = axis + linear.output_rank - shape.rank() == linear.channel_axis;
    if (shape[axis] != 1 && !(on_channels && shape[axis] == linear.out_channels)) return {};
  }
  const bool one_for_all = constant.num_elements() == 1;
  std::vector<double> values;
  for (std::int64_t c = 0; c < linear.out_channels; ++c) values.push_back(constant.data<float>()[one_for_all ? 0 : c]);
  return values;
}

ChannelMap map_of(std::string_view op_type, bool constant_first, std::vector<double> values) {
  ChannelMap map;
  const std::size_t count = values.size();
  if (op_type == "Mul") {
    map = {std::move(values), std::vector<double>(count, 0.0)};
  } else if (op_type == "Div") {
    for (double& value : values) value = 1.0 / value;
    map = {std::move(values), std::vector<double>(count, 0.0)};
  } else if (op_type == "Add") {
    map = {std::vector<double>(count, 1.0), std::move(values)};
  } else {
    if (!constant_first) {
      for (double& value : values) value = -value;
    }
    map = {std::vector<double>(count, constant_first ? -1.0 : 1.0), std::move(values)};
  }
  return map;
}

bool fold(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  if (!plain(node, "Mul") && !plain(node, "Div") && !plain(node, "Add") && !plain(node, "Sub")) return false;
  for (const std::size_t i : {0U, 1U}) {
    const bool constant_first = i == 0;
    if (constant_first && node.op_type == "Div") continue;
    const Tensor* constant = free_constant(edit.graph, input_of(node, i));
    const ValueId between = input_of(node, 1 - i);
    if (constant == nullptr || !edit.is_private(between)) continue;
    const std::optional<Linear> linear = linear_at(edit, edit.producer(between), facts);
    if (!linear) continue;
    std::vector<double> values = per_channel(*constant, *linear);
    if (values.empty()) continue;
    if (!fold_behind(edit, *linear, map_of(node.op_type, constant_first, std::move(values)))) continue;
    edit.node(linear->node).outputs[0] = edit.node(n).outputs[0];
    edit.detach(n);
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> fold_scale_shift(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fold);
}

}  // namespace halfstep::passes
