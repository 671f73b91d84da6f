// recognise_softmax.cpp: a written-out softmax becomes one operator.
//
//   before:  e = exp(x - ReduceMax(x, axis));  y = e / ReduceSum(e, axis)         after:  y = Softmax(x, axis)
//   before:  e = exp(x);                       y = e / ReduceSum(e, axis)         after:  y = Softmax(x, axis)
//   before:  y = u - log(ReduceSum(exp(u), axis)),  u = x or x - ReduceMax(x, axis)   after:  y = LogSoftmax(x, axis)
//
// also with Reciprocal and Mul for the division, and ReduceLogSumExp for the logarithm of the sum.
// Conditions: one axis, which is kept; nothing between is read elsewhere, pinned or a graph output. y keeps its name.
// The exponentials span powers of ten, which no grid of integers does.
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

/// What Softmax or LogSoftmax replaces.
struct SoftmaxMatch {
  ValueId x = kNoValue;
  std::int64_t axis = 0;      ///< Counted from the end, negative.
  std::vector<NodeId> nodes;  ///< But for the last.
};

/// The single axis of a reduction of `id` that keeps its axis, counted from the end.
std::optional<std::int64_t> kept_axis(const Edit& edit, const ops::Facts& facts, NodeId n) {
  const Node& node = edit.node(n);
  const TensorType* type = type_of(facts, node.inputs[0]);
  const auto axes = integers_of(edit.graph, input_of(node, 1));
  if (type == nullptr || !axes || axes->size() != 1 || node.attributes.get_int("keepdims", 1) == 0) return std::nullopt;
  const std::int64_t axis = (*axes)[0];
  return axis < 0 ? axis : axis - type->shape.rank();
}

/// `u` is what is raised to e: takes `x - ReduceMax(x)` over the same axis along, so that x is the argument.
void take_maximum(const Edit& edit, const ops::Facts& facts, ValueId u, SoftmaxMatch& match) {
  match.x = u;
  const NodeId sub = edit.producer_of_type(u, "Sub");
  if (sub == kNoNode) return;
  const NodeId max = private_producer(edit, edit.node(sub).inputs[1], "ReduceMax");
  if (max == kNoNode || edit.node(max).inputs[0] != edit.node(sub).inputs[0]) return;
  if (kept_axis(edit, facts, max) != match.axis) return;
  match.x = edit.node(sub).inputs[0];
  match.nodes.insert(match.nodes.begin(), {max, sub});
}

/// e and ReduceSum(e) of y = e / ReduceSum(e).
std::optional<std::pair<ValueId, NodeId>> quotient_at(const Edit& edit, NodeId n, std::vector<NodeId>& nodes) {
  const Node& node = edit.node(n);
  if (plain(node, "Div")) {
    const NodeId sum = private_producer(edit, node.inputs[1], "ReduceSum");
    return sum == kNoNode ? std::nullopt : std::optional(std::pair(node.inputs[0], sum));
  }
  if (!plain(node, "Mul")) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const NodeId reciprocal = private_producer(edit, node.inputs[i], "Reciprocal");
    if (reciprocal == kNoNode) continue;
    const NodeId sum = private_producer(edit, edit.node(reciprocal).inputs[0], "ReduceSum");
    if (sum == kNoNode) continue;
    nodes.push_back(reciprocal);
    return std::pair(node.inputs[1 - i], sum);
  }
  return std::nullopt;
}

std::optional<SoftmaxMatch> match_softmax(const Edit& edit, const ops::Facts& facts, NodeId n) {
  SoftmaxMatch match;
  const auto quotient = quotient_at(edit, n, match.nodes);
  if (!quotient) return std::nullopt;
  const auto [e, sum] = *quotient;
  const NodeId exp = edit.producer_of_type(e, "Exp");
  const auto axis = kept_axis(edit, facts, sum);
  if (exp == kNoNode || edit.node(sum).inputs[0] != e || !axis) return std::nullopt;
  match.axis = *axis;
  match.nodes.insert(match.nodes.begin(), {exp, sum});
  take_maximum(edit, facts, edit.node(exp).inputs[0], match);
  return match;
}

/// y = u - log(ReduceSum(exp(u))).
std::optional<SoftmaxMatch> match_log_softmax(const Edit& edit, const ops::Facts& facts, NodeId n) {
  const Node& node = edit.node(n);
  if (!plain(node, "Sub")) return std::nullopt;
  const ValueId u = node.inputs[0];
  SoftmaxMatch match;
  NodeId sum = private_producer(edit, node.inputs[1], "ReduceLogSumExp");
  if (sum != kNoNode) {
    if (edit.node(sum).inputs[0] != u) return std::nullopt;
    match.nodes = {sum};
  } else {
    const NodeId log = private_producer(edit, node.inputs[1], "Log");
    if (log == kNoNode) return std::nullopt;
    sum = private_producer(edit, edit.node(log).inputs[0], "ReduceSum");
    if (sum == kNoNode) return std::nullopt;
    const NodeId exp = private_producer(edit, edit.node(sum).inputs[0], "Exp");
    if (exp == kNoNode || edit.node(exp).inputs[0] != u) return std::nullopt;
    match.nodes = {exp, sum, log};
  }
  const auto axis = kept_axis(edit, facts, sum);
  if (!axis) return std::nullopt;
  match.axis = *axis;
  take_maximum(edit, facts, u, match);
  return match;
}

bool recognise_softmax_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const ValueId y = edit.node(n).outputs.empty() ? kNoValue : edit.node(n).outputs[0];
  const TensorType* type = type_of(facts, y);
  if (type == nullptr || type->dtype != DType::kFloat32) return false;
  const std::optional<SoftmaxMatch> softmax = match_softmax(edit, facts, n);
  std::optional<SoftmaxMatch> match = softmax ? softmax : match_log_softmax(edit, facts, n);
  if (!match || !same_rank(facts, match->x, y)) return false;
  match->nodes.push_back(n);
  if (!is_closed(edit, match->nodes, y)) return false;
  Node node;
  node.op_type = softmax ? "Softmax" : "LogSoftmax";
  node.inputs = {match->x};
  node.attributes.set("axis", match->axis);
  replace_nodes(edit, match->nodes, std::move(node));
  return true;
}

}  // namespace

Result<graph::Graph> recognise_softmax(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, recognise_softmax_at);
}

}  // namespace halfstep::passes
