// expression.cpp: arithmetic spread over nodes, brought to a normal form for matching.
#include "passes/expression.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// No formula that is recognised here is longer; bounds the walk on odd graphs.
constexpr std::size_t kMaxNodes = 8;

void collect(const Edit& edit, ValueId id, bool root, Product& product);

/// Appends the operands of the Mul, Div or Pow at `n`; false if it is none of these.
bool collect_operands(const Edit& edit, NodeId n, Product& product) {
  const Node& node = edit.node(n);
  if (plain(node, "Mul")) {
    collect(edit, node.inputs[0], false, product);
    collect(edit, node.inputs[1], false, product);
    return true;
  }
  const std::optional<double> constant = scalar_of(edit.graph, input_of(node, 1));
  if (plain(node, "Div") && constant) {
    product.coefficient /= *constant;
    collect(edit, node.inputs[0], false, product);
    return true;
  }
  if (plain(node, "Pow") && constant && (*constant == 2.0 || *constant == 3.0)) {
    product.factors.insert(product.factors.end(), *constant == 2.0 ? 2 : 3, node.inputs[0]);
    return true;
  }
  return false;
}

void collect(const Edit& edit, ValueId id, bool root, Product& product) {
  if (const std::optional<double> constant = scalar_of(edit.graph, id)) {
    product.coefficient *= *constant;
    return;
  }
  const NodeId n = edit.producer(id);
  const bool enter = n != kNoNode && (root || edit.is_private(id)) && product.nodes.size() < kMaxNodes;
  if (enter && collect_operands(edit, n, product)) {
    product.nodes.push_back(n);
  } else {
    product.factors.push_back(id);
  }
}

}  // namespace

Product product_at(const Edit& edit, ValueId root) {
  Product product;
  collect(edit, root, true, product);
  return product;
}

std::optional<Sum> sum_at(const Edit& edit, ValueId root) {
  if (!edit.is_private(root)) return std::nullopt;
  const NodeId n = edit.producer(root);
  if (n == kNoNode) return std::nullopt;
  const Node& node = edit.node(n);
  const bool add = plain(node, "Add");
  if (!add && !plain(node, "Sub")) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const std::optional<double> constant = scalar_of(edit.graph, input_of(node, i));
    if (!constant) continue;
    Sum sum;
    const ValueId rest = input_of(node, 1 - i);
    if (edit.is_private(rest)) {
      sum.product = product_at(edit, rest);
    } else {
      sum.product.factors = {rest};
    }
    sum.constant = !add && i == 1 ? -*constant : *constant;
    if (!add && i == 0) sum.product.coefficient = -sum.product.coefficient;
    sum.product.nodes.push_back(n);
    return sum;
  }
  return std::nullopt;
}

NodeId private_producer(const Edit& edit, ValueId id, std::string_view op_type) {
  return edit.is_private(id) ? edit.producer_of_type(id, op_type) : kNoNode;
}

void append(std::vector<NodeId>& nodes, const std::vector<NodeId>& more) {
  nodes.insert(nodes.end(), more.begin(), more.end());
}

}  // namespace halfstep::passes
