// recognise_group_norm.cpp: group normalization as exporters write it becomes one operator.
//
//   before:  r = Reshape(x, [N or 0, G, -1]);  i = InstanceNormalization(r, ones, zeros);  z = Reshape(i, shape of x)
//            y = z * gamma + beta,  gamma and beta constants of [C, 1, ...]
//   after:   y = GroupNormalization(x, gamma, beta, num_groups = G, epsilon)
//
// also with a scale and bias of each group, and without gamma or beta. Conditions: the extents of x behind its first
// are known; nothing between is read elsewhere, pinned or a graph output. y keeps its name.
#include <algorithm>

#include "passes/expression.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

struct GroupMatch {
  ValueId x = kNoValue;
  std::int64_t channels = 0;
  std::int64_t groups = 0;
  float epsilon = 0.0F;
  std::vector<float> gamma;  ///< One a channel.
  std::vector<float> beta;
  std::vector<NodeId> nodes;  ///< The last computes the result.
};

/// From the second Reshape upwards.
std::optional<GroupMatch> match_group_norm(const Edit& edit, const ops::Facts& facts, NodeId n) {
  if (!plain(edit.node(n), "Reshape")) return std::nullopt;
  const NodeId norm = private_producer(edit, input_of(edit.node(n), 0), "InstanceNormalization");
  if (norm == kNoNode) return std::nullopt;
  const NodeId split = private_producer(edit, input_of(edit.node(norm), 0), "Reshape");
  if (split == kNoNode) return std::nullopt;
  GroupMatch match;
  match.x = input_of(edit.node(split), 0);
  const TensorType* x = type_of(facts, match.x);
  const TensorType* grouped = type_of(facts, input_of(edit.node(norm), 0));
  const TensorType* back = type_of(facts, edit.node(n).outputs[0]);
  const Tensor* scale = free_constant(edit.graph, input_of(edit.node(norm), 1));
  const Tensor* bias = free_constant(edit.graph, input_of(edit.node(norm), 2));
  if (x == nullptr || grouped == nullptr || back == nullptr || *x != *back || scale == nullptr || bias == nullptr) {
    return std::nullopt;
  }
  if (x->shape.rank() < 3 || grouped->shape.rank() < 3 || x->shape[0] != grouped->shape[0]) return std::nullopt;
  match.channels = x->shape[1];
  match.groups = grouped->shape[1];
  if (match.channels <= 0 || match.groups <= 0 || match.channels % match.groups != 0) return std::nullopt;
  for (std::int64_t c = 0; c < match.channels; ++c) {
    const auto group = static_cast<std::size_t>(c / (match.channels / match.groups));
    match.gamma.push_back(scale->values<float>()[group]);
    match.beta.push_back(bias->values<float>()[group]);
  }
  match.epsilon = edit.node(norm).attributes.get_float("epsilon", 1e-5F);
  match.nodes = {split, norm, n};
  return match;
}

/// Values of the constant that the Mul or Add behind `value` alone applies, one a channel; empty: there is none.
std::vector<float> channels_behind(const Edit& edit, ValueId value, std::string_view op_type, const Shape& x,
                                   NodeId& consumer) {
  consumer = edit.private_consumer(value);
  if (consumer == kNoNode || !plain(edit.node(consumer), op_type)) return {};
  const Node& node = edit.node(consumer);
  const Tensor* constant =
      free_constant(edit.graph, input_of(node, 0) == value ? input_of(node, 1) : input_of(node, 0));
  if (constant == nullptr || constant->shape().rank() > x.rank()) return {};
  const Shape& shape = constant->shape();
  const int channel_axis = 1 - (x.rank() - shape.rank());
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != (axis == channel_axis ? x[1] : 1)) return {};
  }
  const std::span<const float> values = constant->values<float>();
  if (values.size() == 1) return std::vector<float>(static_cast<std::size_t>(x[1]), values[0]);
  return {values.begin(), values.end()};
}

bool recognise_group_norm_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  std::optional<GroupMatch> match = match_group_norm(edit, facts, n);
  if (!match) return false;
  const Shape x = type_of(facts, match->x)->shape;
  ValueId y = edit.node(n).outputs[0];
  if (!is_closed(edit, match->nodes, y)) return false;
  NodeId consumer = kNoNode;
  if (const std::vector<float> gamma = channels_behind(edit, y, "Mul", x, consumer); !gamma.empty()) {
    std::ranges::transform(match->gamma, gamma, match->gamma.begin(), std::multiplies<>());
    std::ranges::transform(match->beta, gamma, match->beta.begin(), std::multiplies<>());
    match->nodes.push_back(consumer);
    y = edit.node(consumer).outputs[0];
  }
  if (const std::vector<float> beta = channels_behind(edit, y, "Add", x, consumer); !beta.empty()) {
    std::ranges::transform(match->beta, beta, match->beta.begin(), std::plus<>());
    match->nodes.push_back(consumer);
    y = edit.node(consumer).outputs[0];
  }
  const auto parameter = [&](const std::vector<float>& values, const char* suffix) {
    return graph::add_constant(edit.graph, edit.graph.value(y).name + suffix,
                               Tensor::of<float>(Shape{match->channels}, std::span<const float>(values)));
  };
  Node norm;
  norm.op_type = "GroupNormalization";
  norm.inputs = {match->x, parameter(match->gamma, "_scale"), parameter(match->beta, "_bias")};
  norm.attributes.set("num_groups", match->groups);
  norm.attributes.set("epsilon", match->epsilon);
  replace_nodes(edit, match->nodes, std::move(norm));
  return true;
}

}  // namespace

Result<graph::Graph> recognise_group_norm(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, recognise_group_norm_at);
}

}  // namespace halfstep::passes
