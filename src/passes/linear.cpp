// linear.cpp: changes to the weights and biases of linear nodes.
#include "passes/linear.hpp"

#include <algorithm>
#include <cmath>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Calls f(position, in_channel, out_channel) for each element of the weight.
template <class F>
void for_each_weight(const Linear& linear, const Shape& shape, F&& f) {
  const std::int64_t kernel = shape.num_elements(2, shape.rank());
  const std::int64_t in_per_group = linear.in_channels / linear.groups;
  const std::int64_t out_per_group = linear.out_channels / linear.groups;
  std::int64_t position = 0;
  for (std::int64_t a = 0; a < shape[0]; ++a) {
    const std::int64_t group = a / (linear.output_first ? out_per_group : in_per_group);
    for (std::int64_t b = 0; b < shape[1]; ++b) {
      const std::int64_t second = group * (linear.output_first ? in_per_group : out_per_group) + b;
      for (std::int64_t k = 0; k < kernel; ++k, ++position) {
        f(index(position), index(linear.output_first ? second : a), index(linear.output_first ? a : second));
      }
    }
  }
}

/// beta * C of a Gemm, or the bias, one a channel; zeros if absent. Empty: not one a channel.
std::vector<double> bias_of(const Edit& edit, const Linear& linear) {
  const Node& node = edit.node(linear.node);
  std::vector<double> bias(index(linear.out_channels), 0.0);
  const Tensor* constant = graph::constant_of(edit.graph, input_of(node, 2));
  if (constant == nullptr) return bias;
  const Shape& shape = constant->shape();
  const std::int64_t count = constant->num_elements();
  const bool one_a_channel = count == linear.out_channels && (shape.rank() == 0 || shape[shape.rank() - 1] == count);
  if (count != 1 && !one_a_channel) return {};
  const double beta = node.attributes.get_float("beta", 1.0F);
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = beta * constant->data<float>()[count == 1 ? 0 : c];
  return bias;
}

bool all_finite(const Tensor& tensor) {
  return std::ranges::all_of(tensor.values<float>(), [](float value) { return std::isfinite(value); });
}

/// Puts the new weight and bias in place. `needs_bias`: also where there was none.
bool commit(Edit& edit, const Linear& linear, Tensor weight, const std::vector<double>& bias, bool needs_bias) {
  Tensor bias_tensor(TensorType{DType::kFloat32, Shape{linear.out_channels}});
  for (std::size_t c = 0; c < bias.size(); ++c) bias_tensor.mutable_data<float>()[c] = static_cast<float>(bias[c]);
  if (!all_finite(weight) || !all_finite(bias_tensor)) return false;

  const graph::Value& old_weight = edit.graph.value(edit.node(linear.node).inputs[1]);
  const std::string weight_name = old_weight.name;
  // A weight that others read too is copied only where it changes.
  if (!identical(weight, *old_weight.constant)) {
    set_constant_input(edit, linear.node, 1, std::move(weight), weight_name);
  }
  Node& node = edit.node(linear.node);
  if (!needs_bias && input_of(node, 2) == kNoValue) return true;
  if (const std::string_view op_type = ops::find_op(node)->channels.with_bias; !op_type.empty()) node.op_type = op_type;
  node.attributes.erase("beta");
  set_constant_input(edit, linear.node, 2, std::move(bias_tensor), bias_name_for(weight_name));
  return true;
}

/// What map(y) is like where y has `statistics`.
void transform(std::optional<graph::NormalStatistics>& statistics, const ChannelMap& map) {
  if (!statistics) return;
  for (std::size_t c = 0; c < map.scale.size(); ++c) {
    float& mean = statistics->mean[c];
    float& deviation = statistics->standard_deviation[c];
    mean = static_cast<float>(mean * map.scale[c] + map.shift[c]);
    deviation = static_cast<float>(deviation * std::abs(map.scale[c]));
  }
}

bool weights_are_free(const Edit& edit, const Node& node) {
  const ValueId bias = input_of(node, 2);
  return free_constant(edit.graph, input_of(node, 1)) != nullptr &&
         (bias == kNoValue || free_constant(edit.graph, bias) != nullptr);
}

}  // namespace

bool ChannelMap::shifts() const {
  return std::ranges::any_of(shift, [](double value) { return value != 0.0; });
}

std::optional<Linear> layer_at(const Edit& edit, NodeId n, const ops::Facts& facts) {
  if (n == graph::kNoNode) return std::nullopt;
  const Node& node = edit.node(n);
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || op->channels.weight_output_axis == nullptr) return std::nullopt;
  if (!only_first_output(node) || !weights_are_free(edit, node)) return std::nullopt;
  const Shape& weight = graph::constant_of(edit.graph, node.inputs[1])->shape();
  Linear linear;
  linear.node = n;
  linear.spatial = op->channels.channels_first;
  if ((linear.spatial ? weight.rank() < 3 : weight.rank() != 2) || weight.num_elements() == 0) return std::nullopt;
  if (linear.spatial) {
    linear.groups = node.attributes.get_int("group", 1);
    if (linear.groups < 1 || weight[0] % linear.groups != 0) return std::nullopt;
  }
  linear.output_first = op->channels.weight_output_axis(node, weight) == 0;
  linear.out_channels = linear.output_first ? weight[0] : weight[1] * linear.groups;
  linear.in_channels = linear.output_first ? weight[1] * linear.groups : weight[0];
  linear.output_rank = weight.rank();
  if (!op->channels.with_bias.empty()) {
    const TensorType* input = type_of(facts, node.inputs[0]);
    linear.output_rank = input == nullptr ? 0 : input->shape.rank();
    linear.takes_shift = linear.output_rank == 2;
  }
  linear.channel_axis = ops::output_channel_axis(*op, linear.output_rank);
  return linear;
}

std::optional<Linear> linear_at(const Edit& edit, NodeId n, const ops::Facts& facts) {
  return n == graph::kNoNode || edit.node(n).clamp ? std::nullopt : layer_at(edit, n, facts);
}

bool pads_nothing(const Node& node) {
  const std::string auto_pad = node.attributes.get_string("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return true;
  return auto_pad == "NOTSET" &&
         std::ranges::all_of(node.attributes.get_ints("pads"), [](std::int64_t pad) { return pad == 0; });
}

bool shift_reaches_every_tap(const Node& node, const Linear& linear) {
  return !linear.spatial || (linear.output_first && pads_nothing(node));
}

std::vector<double> weighted_sums(const Linear& linear, const Tensor& weight, std::span<const double> x) {
  std::vector<double> sums(index(linear.out_channels), 0.0);
  const float* values = weight.data<float>();
  for_each_weight(linear, weight.shape(),
                  [&](std::size_t at, std::size_t in, std::size_t out) { sums[out] += values[at] * x[in]; });
  return sums;
}

bool fold_behind(Edit& edit, const Linear& linear, const ChannelMap& map) {
  if (map.shifts() && !linear.takes_shift) return false;
  std::vector<double> bias = bias_of(edit, linear);
  if (bias.empty()) return false;
  const Tensor& old_weight = *graph::constant_of(edit.graph, edit.node(linear.node).inputs[1]);
  Tensor weight(old_weight.type());
  const float* from = old_weight.data<float>();
  float* to = weight.mutable_data<float>();
  for_each_weight(linear, weight.shape(), [&](std::size_t at, std::size_t, std::size_t out) {
    to[at] = static_cast<float>(from[at] * map.scale[out]);
  });
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * map.scale[c] + map.shift[c];
  if (!commit(edit, linear, std::move(weight), bias, map.shifts())) return false;
  transform(edit.node(linear.node).statistics, map);
  return true;
}

bool fold_in_front(Edit& edit, const Linear& linear, const ChannelMap& map) {
  if (map.shifts() && !linear.takes_shift) return false;
  std::vector<double> bias = bias_of(edit, linear);
  if (bias.empty()) return false;
  const Node& node = edit.node(linear.node);
  const double alpha = node.attributes.get_float("alpha", 1.0F);
  const Tensor& old_weight = *graph::constant_of(edit.graph, node.inputs[1]);
  Tensor weight(old_weight.type());
  const float* from = old_weight.data<float>();
  float* to = weight.mutable_data<float>();
  for_each_weight(linear, weight.shape(), [&](std::size_t at, std::size_t in, std::size_t out) {
    to[at] = static_cast<float>(from[at] * map.scale[in]);
    bias[out] += alpha * from[at] * map.shift[in];
  });
  return commit(edit, linear, std::move(weight), bias, map.shifts());
}

}  // namespace halfstep::passes
