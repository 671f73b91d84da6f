// recognise_hard_swish.cpp: written-out hard sigmoid and hard swish become one operator.
//
//   before:  y = x * HardSigmoid(x, 1/6, 0.5)                     after:  y = HardSwish(x)
//   before:  y = x * clip(x + 3, 0, 6) / 6                        after:  y = HardSwish(x)
//   before:  y = clip(x + 3, 0, 6) / 6                            after:  y = HardSigmoid(x, 1/6, 0.5)
//
// in any order of factors, with Mul by 1/6 in place of Div, and with
// clip(x / 6 + 0.5, 0, 1) for clip(x + 3, 0, 6) / 6.
// Conditions: constants agree to float32 precision; nothing between is read
// elsewhere, pinned or a graph output. y keeps its name.
#include <algorithm>

#include "passes/expression.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// factor * (a HardSigmoid of slope 1/6 and offset 0.5 of x), by `nodes`.
struct HardSigmoid {
  ValueId x = graph::kNoValue;
  double factor = 1.0;
  std::vector<NodeId> nodes;
};

std::optional<HardSigmoid> operator_at(const Edit& edit, ValueId value) {
  const NodeId n = private_producer(edit, value, "HardSigmoid");
  if (n == kNoNode) return std::nullopt;
  const graph::Attributes& attributes = edit.node(n).attributes;
  if (!nearly(attributes.get_float("alpha", 0.2F), 1.0 / 6.0) || !nearly(attributes.get_float("beta", 0.5F), 0.5)) {
    return std::nullopt;
  }
  return HardSigmoid{edit.node(n).inputs[0], 1.0, {n}};
}

/// clip(k * (x + 3), 0, k * 6) is 6 k HardSigmoid(x).
std::optional<HardSigmoid> clip_at(const Edit& edit, ValueId value) {
  const NodeId clip = private_producer(edit, value, "Clip");
  if (clip == kNoNode) return std::nullopt;
  const std::optional<double> low = scalar_of(edit.graph, input_of(edit.node(clip), 1));
  const std::optional<double> high = scalar_of(edit.graph, input_of(edit.node(clip), 2));
  const std::optional<Sum> sum = sum_at(edit, edit.node(clip).inputs[0]);
  if (!low || *low != 0.0 || !high || !(*high > 0.0) || !sum || sum->product.factors.size() != 1) return std::nullopt;
  if (!nearly(sum->constant * 2.0, *high) || !nearly(sum->product.coefficient * 6.0, *high)) return std::nullopt;
  HardSigmoid found{sum->product.factors[0], *high, sum->product.nodes};
  found.nodes.push_back(clip);
  return found;
}

bool fuse_hard_swish_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  if (!plain(node, "Mul") && !plain(node, "Div")) return false;
  const ValueId y = node.outputs[0];
  const Product product = product_at(edit, y);
  if (product.nodes.empty() || product.factors.empty() || product.factors.size() > 2) return false;
  for (std::size_t i = 0; i < product.factors.size(); ++i) {
    std::optional<HardSigmoid> gate = operator_at(edit, product.factors[i]);
    if (!gate) gate = clip_at(edit, product.factors[i]);
    if (!gate || !nearly(gate->factor * product.coefficient, 1.0)) continue;
    const bool swish = product.factors.size() == 2;
    if (swish && product.factors[1 - i] != gate->x) continue;
    if (!swish && gate->nodes.size() == 1) continue;  // HardSigmoid * 1 is for remove_no_ops.
    std::vector<NodeId> nodes = gate->nodes;
    append(nodes, product.nodes);
    if (!is_closed(edit, nodes, y) || !same_rank(facts, gate->x, y)) continue;
    Node replacement;
    replacement.op_type = swish ? "HardSwish" : "HardSigmoid";
    replacement.inputs = {gate->x};
    if (!swish) {
      replacement.attributes.set("alpha", 1.0F / 6.0F);
      replacement.attributes.set("beta", 0.5F);
    }
    replace_nodes(edit, nodes, std::move(replacement));
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> recognise_hard_swish(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_hard_swish_at);
}

}  // namespace halfstep::passes
