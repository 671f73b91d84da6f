// fuse_clamp.cpp: an activation that clamps becomes part of its producer.
//
//   before:  m = Conv(x, W); y = Clip(m, 0, 6)       after:  y = Conv(x, W) with clamp [0, 6]
//
// so that y, not m, gets an encoding. Relu is the clamp [0, infinity], Max and Min with constants are one side each;
// behind a linear operator they may have a bound for each channel, [C, 1, 1]. A clamp behind a clamp becomes one.
// Conditions: the producer computes a float tensor with a range of its own and
// has an integer form (the operator table says both); m has no
// other reader, is no graph output and not pinned; the bounds are constants.
// Node::clamp keeps m's and the activation's name for export.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr float kUnbounded = std::numeric_limits<float>::infinity();

/// The bounds of one side, one number or one a channel.
struct Bounds {
  std::vector<float> values;
  int inner_axes = 0;  ///< With several values: axes behind theirs.
};

/// A constant that bounds a whole tensor, or each channel of it: all axes but one have extent 1.
std::optional<Bounds> bounds_of(const Edit& edit, ValueId id) {
  const Tensor* constant = graph::constant_of(edit.graph, id);
  if (constant == nullptr || constant->dtype() != DType::kFloat32 || constant->num_elements() == 0) return std::nullopt;
  const std::span<const float> values = constant->values<float>();
  if (std::ranges::any_of(values, [](float x) { return std::isnan(x); })) return std::nullopt;
  const Shape& shape = constant->shape();
  Bounds bounds{{values.begin(), values.end()}};
  if (values.size() == 1) return shape.rank() <= 1 ? std::optional(bounds) : std::nullopt;
  for (int axis = shape.rank(); axis-- > 0;) {
    if (shape[axis] == constant->num_elements()) return bounds;
    if (shape[axis] != 1) return std::nullopt;
    ++bounds.inner_axes;
  }
  return std::nullopt;
}

graph::FusedClamp clamp_between(const Bounds& low, const Bounds& high) {
  graph::FusedClamp clamp;
  clamp.min = *std::ranges::min_element(low.values);
  clamp.max = *std::ranges::max_element(high.values);
  const std::size_t count = std::max(low.values.size(), high.values.size());
  if (count == 1) return clamp;
  const auto spread = [&](const Bounds& side) {
    return side.values.size() == 1 ? std::vector<float>(count, side.values[0]) : side.values;
  };
  const int inner_axes = low.values.size() > 1 ? low.inner_axes : high.inner_axes;
  clamp.channels = graph::ChannelBounds{.min = spread(low), .max = spread(high), .inner_axes = inner_axes};
  return clamp;
}

/// A clamp, and the tensor it limits.
struct Clamp {
  graph::FusedClamp bounds;
  ValueId limited = kNoValue;
};

std::optional<Clamp> max_or_min_of(const Edit& edit, const Node& node) {
  if (node.inputs.size() != 2) return std::nullopt;
  const Bounds none_below{{-kUnbounded}};
  const Bounds none_above{{kUnbounded}};
  for (const std::size_t i : {0U, 1U}) {
    const std::optional<Bounds> bounds = bounds_of(edit, input_of(node, i));
    if (!bounds) continue;
    return Clamp{node.op_type == "Max" ? clamp_between(*bounds, none_above) : clamp_between(none_below, *bounds),
                 node.inputs[1 - i]};
  }
  return std::nullopt;
}

/// A Relu, a float Clip with constant bounds, or a Max or Min with a constant.
std::optional<Clamp> clamp_of(const Edit& edit, const Node& node) {
  if (plain(node, "Max") || plain(node, "Min")) return max_or_min_of(edit, node);
  if (plain(node, "Relu")) return Clamp{clamp_between({{0.0F}}, {{kUnbounded}}), node.inputs[0]};
  if (!plain(node, "Clip")) return std::nullopt;
  const auto bound = [&](std::size_t i, float absent) {
    return input_of(node, i) == kNoValue ? std::optional(static_cast<double>(absent))
                                         : scalar_of(edit.graph, node.inputs[i]);
  };
  const std::optional<double> low = bound(1, -kUnbounded);
  const std::optional<double> high = bound(2, kUnbounded);
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return Clamp{clamp_between({{static_cast<float>(*low)}}, {{static_cast<float>(*high)}}), node.inputs[0]};
}

/// The clamp that does what `first` and then `second` do; empty if their channels differ.
std::optional<graph::FusedClamp> composed(const graph::FusedClamp& first, const graph::FusedClamp& second) {
  if (first.channels && second.channels &&
      (first.channels->inner_axes != second.channels->inner_axes ||
       first.channels->min.size() != second.channels->min.size())) {
    return std::nullopt;
  }
  const auto& by_channel = first.channels ? first.channels : second.channels;
  const std::size_t count = by_channel ? by_channel->min.size() : 1;
  Bounds low{{}, by_channel ? by_channel->inner_axes : 0};
  Bounds high{{}, low.inner_axes};
  for (std::size_t c = 0; c < count; ++c) {
    const auto limited = [&](float x) { return std::min(std::max(x, second.min_of(c)), second.max_of(c)); };
    low.values.push_back(limited(first.min_of(c)));
    high.values.push_back(limited(first.max_of(c)));
  }
  return clamp_between(low, high);
}

bool can_clamp(const Node& node, ValueId value) {
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && op->has_integer_form && op->output_rule == ops::OutputRule::kObserved &&
         only_first_output(node) && node.outputs[0] == value;
}

/// The bounds lie along the output channels of a linear operator, one for each.
bool fits_channels(const Node& node, const graph::ChannelBounds& bounds, const TensorType& output) {
  const ops::OpDef& op = *ops::find_op(node);
  const int axis = ops::output_channel_axis(op, output.shape.rank());
  return op.channels.weight_output_axis != nullptr && output.shape.rank() - 1 - bounds.inner_axes == axis &&
         output.shape[axis] == static_cast<std::int64_t>(bounds.min.size());
}

bool fuse_clamp_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  std::optional<Clamp> clamp = clamp_of(edit, edit.node(n));
  if (!clamp) return false;
  const ValueId between = clamp->limited;
  const TensorType* type = type_of(facts, between);
  if (type == nullptr || type->dtype != DType::kFloat32 || !edit.is_private(between)) return false;
  const NodeId producer = edit.producer(between);
  if (producer == kNoNode || !can_clamp(edit.node(producer), between)) return false;
  std::optional<graph::FusedClamp> bounds = clamp->bounds;
  bounds->pre_name = edit.graph.value(between).name;
  if (const auto& before = edit.node(producer).clamp) {
    bounds = composed(*before, clamp->bounds);
    if (!bounds) return false;
    bounds->pre_name = before->pre_name;
  }
  if (bounds->channels && !fits_channels(edit.node(producer), *bounds->channels, *type)) return false;
  bounds->node_name = edit.node(n).name;
  edit.node(producer).clamp = std::move(*bounds);
  edit.node(producer).outputs[0] = edit.node(n).outputs[0];
  edit.detach(n);
  return true;
}

}  // namespace

Result<graph::Graph> fuse_clamp(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_clamp_at);
}

}  // namespace halfstep::passes
