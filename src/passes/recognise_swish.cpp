// recognise_swish.cpp: x times a gate of x becomes one operator.
//
//   before:  y = x * Sigmoid(a * x)         after:  y = Swish(x, alpha = a)    (SiLU: a = 1)
//   before:  y = x * Tanh(Softplus(x))      after:  y = Mish(x)
//
// Conditions: nothing between is read elsewhere, pinned or a graph output. y keeps its name.
#include "passes/expression.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

struct Gate {
  Node replacement;
  std::vector<NodeId> nodes;
};

std::optional<Gate> swish_gate(const Edit& edit, ValueId value, ValueId x) {
  const NodeId sigmoid = private_producer(edit, value, "Sigmoid");
  if (sigmoid == kNoNode) return std::nullopt;
  const ValueId argument = edit.node(sigmoid).inputs[0];
  Gate gate;
  double alpha = 1.0;
  if (argument != x) {
    if (!edit.is_private(argument)) return std::nullopt;
    const Product product = product_at(edit, argument);
    if (product.factors.size() != 1 || product.factors[0] != x) return std::nullopt;
    alpha = product.coefficient;
    gate.nodes = product.nodes;
  }
  gate.nodes.push_back(sigmoid);
  gate.replacement.op_type = "Swish";
  gate.replacement.attributes.set("alpha", static_cast<float>(alpha));
  return gate;
}

std::optional<Gate> mish_gate(const Edit& edit, ValueId value, ValueId x) {
  const NodeId tanh = private_producer(edit, value, "Tanh");
  if (tanh == kNoNode) return std::nullopt;
  const NodeId softplus = private_producer(edit, edit.node(tanh).inputs[0], "Softplus");
  if (softplus == kNoNode || edit.node(softplus).inputs[0] != x) return std::nullopt;
  Gate gate;
  gate.nodes = {softplus, tanh};
  gate.replacement.op_type = "Mish";
  return gate;
}

bool fuse_swish_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  if (!plain(node, "Mul")) return false;
  const ValueId y = node.outputs[0];
  for (const std::size_t i : {0U, 1U}) {
    const ValueId x = node.inputs[i];
    std::optional<Gate> gate = swish_gate(edit, node.inputs[1 - i], x);
    if (!gate) gate = mish_gate(edit, node.inputs[1 - i], x);
    if (!gate) continue;
    gate->nodes.push_back(n);
    if (!is_closed(edit, gate->nodes, y) || !same_rank(facts, x, y)) continue;
    gate->replacement.inputs = {x};
    replace_nodes(edit, gate->nodes, std::move(gate->replacement));
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> recognise_swish(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_swish_at);
}

}  // namespace halfstep::passes
