// recognise_layer_norm.cpp: a written-out layer normalization becomes one operator.
//
//   before:  d = x - ReduceMean(x, axes)
//            y = d / sqrt(ReduceMean(d^2, axes) + epsilon) * gamma + beta
//   after:   y = LayerNormalization(x, gamma, beta, axis, epsilon)
//
//   before:  y = x / sqrt(ReduceMean(x^2, axes) + epsilon) * gamma
//   after:   y = RMSNormalization(x, gamma, axis, epsilon)
//
// also with d * d for d^2, with Reciprocal, Pow and Mul for division and root, with a sum divided by the number of
// elements for the mean, with d computed twice, and without beta or gamma (which is then 1).
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
  bool centred = true;        ///< False: the mean is not taken out (RMS).
  std::vector<NodeId> nodes;  ///< What one operator replaces; the last computes the result.
};

class Matcher {
 public:
  Matcher(const Edit& edit, const ops::Facts& facts) : edit_(edit), facts_(facts) {}

  /// Matches from the division at `n` upwards.
  std::optional<Match> match(NodeId n) {
    const auto [centered, variance] = split_division(n);
    if (centered == kNoValue || !match_variance(variance)) return std::nullopt;
    const std::vector<NodeId> before = match_.nodes;
    if (!match_centered(centered)) {
      // Squares of x itself: there is no mean to take out.
      match_.nodes = before;
      match_.x = centered;
      match_.centred = false;
      match_.normalized = Shape();
      if (squared_ != centered || !match_axes(variance_mean_)) return std::nullopt;
    } else if (squared_ != centered) {
      // The squared difference may have been computed by a Sub of its own.
      const ValueId x = match_.x;
      if (!match_centered(squared_) || match_.x != x) return std::nullopt;
    }
    if (mean_factor_ != 1.0 && !nearly(mean_factor_, 1.0 / static_cast<double>(match_.normalized.num_elements()))) {
      return std::nullopt;
    }
    match_.nodes.push_back(n);
    return match_;
  }

 private:
  /// v of sqrt(v), or of v^0.5; appends the node.
  ValueId under_root(ValueId root) {
    NodeId n = private_producer(edit_, root, "Sqrt");
    if (n == kNoNode) {
      n = private_producer(edit_, root, "Pow");
      if (n == kNoNode || scalar_of(edit_.graph, input_of(edit_.node(n), 1)) != 0.5) return kNoValue;
    }
    match_.nodes.push_back(n);
    return input_of(edit_.node(n), 0);
  }

  /// v of 1 / sqrt(v), or of v^-0.5; appends the nodes.
  ValueId under_inverse_root(ValueId inverse) {
    if (const NodeId pow = private_producer(edit_, inverse, "Pow"); pow != kNoNode) {
      if (scalar_of(edit_.graph, input_of(edit_.node(pow), 1)) != -0.5) return kNoValue;
      match_.nodes.push_back(pow);
      return input_of(edit_.node(pow), 0);
    }
    NodeId n = private_producer(edit_, inverse, "Reciprocal");
    std::size_t operand = 0;
    if (n == kNoNode) {
      n = private_producer(edit_, inverse, "Div");
      if (n == kNoNode || scalar_of(edit_.graph, input_of(edit_.node(n), 0)) != 1.0) return kNoValue;
      operand = 1;
    }
    match_.nodes.push_back(n);
    return under_root(input_of(edit_.node(n), operand));
  }

  /// d and v of d / sqrt(v), however it is written.
  std::pair<ValueId, ValueId> split_division(NodeId n) {
    const Node& node = edit_.node(n);
    const std::pair<ValueId, ValueId> none{kNoValue, kNoValue};
    if (plain(node, "Div")) {
      const ValueId variance = under_root(input_of(node, 1));
      return variance == kNoValue ? none : std::pair(input_of(node, 0), variance);
    }
    if (!plain(node, "Mul")) return none;
    for (const std::size_t i : {0U, 1U}) {
      match_.nodes.clear();
      const ValueId variance = under_inverse_root(input_of(node, i));
      if (variance != kNoValue) return {input_of(node, 1 - i), variance};
    }
    return none;
  }

  /// `variance` is the mean of squares plus epsilon.
  bool match_variance(ValueId variance) {
    const std::optional<Sum> sum = sum_at(edit_, variance);
    if (!sum || sum->product.factors.size() != 1 || !(sum->constant >= 0.0)) return false;
    mean_factor_ = sum->product.coefficient;
    NodeId mean = private_producer(edit_, sum->product.factors[0], mean_factor_ == 1.0 ? "ReduceMean" : "ReduceSum");
    if (mean == kNoNode || !edit_.is_private(input_of(edit_.node(mean), 0))) return false;
    const Product square = product_at(edit_, input_of(edit_.node(mean), 0));
    if (square.factors.size() != 2 || square.factors[0] != square.factors[1] || square.coefficient != 1.0) return false;
    squared_ = square.factors[0];
    variance_mean_ = mean;
    match_.epsilon = sum->constant;
    match_.nodes.push_back(mean);
    append(match_.nodes, sum->product.nodes);
    append(match_.nodes, square.nodes);
    return true;
  }

  /// d = x - ReduceMean(x), over the axes of the variance.
  bool match_centered(ValueId centered) {
    const NodeId sub = edit_.producer_of_type(centered, "Sub");
    if (sub == kNoNode) return false;
    const NodeId mean = edit_.producer_of_type(input_of(edit_.node(sub), 1), "ReduceMean");
    match_.x = input_of(edit_.node(sub), 0);
    if (mean == kNoNode || input_of(edit_.node(mean), 0) != match_.x) return false;
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
  double mean_factor_ = 1.0;  ///< 1: ReduceMean; else what a ReduceSum is multiplied by.
};

/// The constant operand of the Mul or Add that alone reads `value`, if it has
/// the normalized extents, leading ones aside.
ValueId parameter_behind(const Edit& edit, ValueId value, std::string_view op_type, const Shape& normalized,
                         NodeId& consumer) {
  consumer = edit.private_consumer(value);
  if (consumer == kNoNode || !plain(edit.node(consumer), op_type)) return kNoValue;
  const Node& node = edit.node(consumer);
  const ValueId parameter = input_of(node, 0) == value ? input_of(node, 1) : input_of(node, 0);
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
  const ValueId beta = match->centred ? parameter_behind(edit, y, "Add", match->normalized, consumer) : kNoValue;
  if (beta != kNoValue) {
    if (graph::constant_of(edit.graph, beta)->shape().rank() > x_type->shape.rank()) return false;
    match->nodes.push_back(consumer);
    y = edit.node(consumer).outputs[0];
  }

  Node norm;
  norm.op_type = match->centred ? "LayerNormalization" : "RMSNormalization";
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
    const std::string name = edit.graph.value(input_of(edit.node(fused), i)).name;
    set_constant_input(edit, fused, i, std::move(reshaped), name);
  }
  return true;
}

}  // namespace

Result<graph::Graph> recognise_layer_norm(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_layer_norm_at);
}

}  // namespace halfstep::passes
