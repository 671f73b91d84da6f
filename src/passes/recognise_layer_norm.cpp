// recognise_layer_norm.cpp: a written-out layer normalization becomes one operator.
//
//   before:  d = x - ReduceMean(x, axes)
//            y = d / sqrt(ReduceMean(d^2, axes) + epsilon) * gamma + beta
//   after:   y = LayerNormalization(x, gamma, beta, axis, epsilon)
//
// also with d * d for d^2, with Reciprocal and Mul for the division, with d
// computed twice, and without beta or gamma (which is then 1).
// Conditions: axes are the last ones and their extents are known; gamma and
// beta are constants of exactly these extents; nothing between is read
// elsewhere, pinned or a graph output. y keeps its name.
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

struct Match {
  ValueId x = kNoValue;
  int axis = 0;      ///< First normalized axis.
  Shape normalized;  ///< Extents from `axis` on.
  double epsilon = 0.0;
  std::vector<NodeId> nodes;  ///< What one operator replaces; the last computes the result.
};

class Matcher {
 public:
  Matcher(const Edit& edit, const ops::Facts& facts) : edit_(edit), facts_(facts) {}

  /// Matches from the division at `n` upwards.
  std::optional<Match> match(NodeId n) {
    const auto [centered, deviation] = split_division(n);
    if (centered == kNoValue) return std::nullopt;
    if (!match_deviation(deviation) || !match_centered(centered)) return std::nullopt;
    // The squared difference may have been computed by a Sub of its own.
    if (squared_ != centered) {
      const ValueId x = match_.x;
      if (!match_centered(squared_) || match_.x != x) return std::nullopt;
    }
    match_.nodes.push_back(n);
    return match_;
  }

 private:
  /// d and sqrt(...) of d / sqrt(...) or d * Reciprocal(sqrt(...)).
  std::pair<ValueId, ValueId> split_division(NodeId n) {
    const Node& node = edit_.node(n);
    if (plain(node, "Div")) return {node.inputs[0], node.inputs[1]};
    if (!plain(node, "Mul")) return {kNoValue, kNoValue};
    for (const std::size_t i : {0U, 1U}) {
      const NodeId reciprocal = private_producer(edit_, node.inputs[i], "Reciprocal");
      if (reciprocal == kNoNode) continue;
      match_.nodes.push_back(reciprocal);
      return {node.inputs[1 - i], edit_.node(reciprocal).inputs[0]};
    }
    return {kNoValue, kNoValue};
  }

  bool match_deviation(ValueId deviation) {
    const NodeId root = private_producer(edit_, deviation, "Sqrt");
    if (root == kNoNode) return false;
    const std::optional<Sum> sum = sum_at(edit_, edit_.node(root).inputs[0]);
    if (!sum || sum->product.factors.size() != 1 || sum->product.coefficient != 1.0) return false;
    if (!(sum->constant >= 0.0)) return false;
    const NodeId mean = private_producer(edit_, sum->product.factors[0], "ReduceMean");
    if (mean == kNoNode || !edit_.is_private(edit_.node(mean).inputs[0])) return false;
    const Product square = product_at(edit_, edit_.node(mean).inputs[0]);
    if (square.factors.size() != 2 || square.factors[0] != square.factors[1] || square.coefficient != 1.0) return false;
    squared_ = square.factors[0];
    variance_mean_ = mean;
    match_.epsilon = sum->constant;
    match_.nodes.push_back(root);
    match_.nodes.push_back(mean);
    append(match_.nodes, sum->product.nodes);
    append(match_.nodes, square.nodes);
    return true;
  }

  /// d = x - ReduceMean(x), over the axes of the variance.
  bool match_centered(ValueId centered) {
    const NodeId sub = edit_.producer_of_type(centered, "Sub");
    if (sub == kNoNode) return false;
    const NodeId mean = edit_.producer_of_type(edit_.node(sub).inputs[1], "ReduceMean");
    match_.x = edit_.node(sub).inputs[0];
    if (mean == kNoNode || edit_.node(mean).inputs[0] != match_.x) return false;
    if (!match_axes(mean) || !match_axes(variance_mean_)) return false;
    for (NodeId found : {sub, mean}) {
      if (std::ranges::find(match_.nodes, found) == match_.nodes.end()) match_.nodes.push_back(found);
    }
    return true;
  }

  bool match_axes(NodeId mean) {
    const Node& node = edit_.node(mean);
    const TensorType* type = type_of(facts_, match_.x);
    auto axes = integers_of(edit_.graph, input_of(node, 1));
    if (type == nullptr || !axes || axes->empty() || node.attributes.get_int("keepdims", 1) == 0) return false;
    const int rank = type->shape.rank();
    for (std::int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
    std::ranges::sort(*axes);
    Shape normalized;
    match_.axis = rank - static_cast<int>(axes->size());
    for (std::size_t i = 0; i < axes->size(); ++i) {
      if (match_.axis < 0 || (*axes)[i] != match_.axis + static_cast<int>(i)) return false;
      normalized.push_back(type->shape[static_cast<int>((*axes)[i])]);
      if (normalized[static_cast<int>(i)] <= 0) return false;
    }
    const bool first = match_.normalized.rank() == 0;
    if (!first && normalized != match_.normalized) return false;
    match_.normalized = std::move(normalized);
    return true;
  }

  const Edit& edit_;
  const ops::Facts& facts_;
  Match match_;
  ValueId squared_ = kNoValue;
  NodeId variance_mean_ = kNoNode;
};

/// The constant operand of the Mul or Add that alone reads `value`, if it has
/// the normalized extents, leading ones aside.
ValueId parameter_behind(const Edit& edit, ValueId value, std::string_view op_type, const Shape& normalized,
                         NodeId& consumer) {
  consumer = edit.private_consumer(value);
  if (consumer == kNoNode || !plain(edit.node(consumer), op_type)) return kNoValue;
  const Node& node = edit.node(consumer);
  const ValueId parameter = node.inputs[0] == value ? node.inputs[1] : node.inputs[0];
  const Tensor* constant = graph::constant_of(edit.graph, parameter);
  if (constant == nullptr || constant->dtype() != DType::kFloat32) return kNoValue;
  const Shape& shape = constant->shape();
  if (shape == normalized) return parameter;
  const int extra = shape.rank() - normalized.rank();
  const bool same = extra > 0 && shape.num_elements(0, extra) == 1 && Shape(shape.dims().subspan(extra)) == normalized;
  return same && free_constant(edit.graph, parameter) != nullptr ? parameter : kNoValue;
}

bool fuse_layer_norm_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  std::optional<Match> match = Matcher(edit, facts).match(n);
  if (!match) return false;
  ValueId y = edit.node(n).outputs[0];
  const TensorType* x_type = type_of(facts, match->x);
  const TensorType* y_type = type_of(facts, y);
  if (x_type == nullptr || y_type == nullptr || *x_type != *y_type) return false;
  if (!is_closed(edit, match->nodes, y)) return false;

  NodeId consumer = kNoNode;
  const ValueId gamma = parameter_behind(edit, y, "Mul", match->normalized, consumer);
  if (gamma != kNoValue) {
    // A parameter of more dimensions than x would have given y more dimensions.
    if (graph::constant_of(edit.graph, gamma)->shape().rank() > x_type->shape.rank()) return false;
    match->nodes.push_back(consumer);
    y = edit.node(consumer).outputs[0];
  }
  const ValueId beta = parameter_behind(edit, y, "Add", match->normalized, consumer);
  if (beta != kNoValue) {
    if (graph::constant_of(edit.graph, beta)->shape().rank() > x_type->shape.rank()) return false;
    match->nodes.push_back(consumer);
    y = edit.node(consumer).outputs[0];
  }

  Node norm;
  norm.op_type = "LayerNormalization";
  norm.attributes.set("axis", std::int64_t{match->axis - x_type->shape.rank()});
  norm.attributes.set("epsilon", static_cast<float>(match->epsilon));
  norm.inputs = {match->x, gamma};
  if (beta != kNoValue) norm.inputs.push_back(beta);
  replace_nodes(edit, match->nodes, std::move(norm));
  edit.refresh();

  const NodeId fused = match->nodes.back();
  if (gamma == kNoValue) {
    Tensor ones(TensorType{DType::kFloat32, match->normalized});
    std::fill_n(ones.mutable_data<float>(), ones.num_elements(), 1.0F);
    set_constant_input(edit, fused, 1, std::move(ones), edit.graph.value(y).name + "_scale");
  }
  for (const std::size_t i : {1U, 2U}) {
    const Tensor* parameter = graph::constant_of(edit.graph, input_of(edit.node(fused), i));
    if (parameter == nullptr || parameter->shape() == match->normalized) continue;
    Tensor reshaped = parameter->reshaped(match->normalized);
    const std::string name = edit.graph.value(edit.node(fused).inputs[i]).name;
    set_constant_input(edit, fused, i, std::move(reshaped), name);
  }
  return true;
}

}  // namespace

Result<graph::Graph> recognise_layer_norm(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_layer_norm_at);
}

}  // namespace halfstep::passes
