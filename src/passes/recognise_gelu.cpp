// recognise_gelu.cpp: the written-out Gaussian error linear unit becomes one operator.
//
//   before:  y = x * 0.5 * (1 + erf(x / sqrt(2)))                                 after:  y = Gelu(x)
//   before:  y = x * 0.5 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))          after:  y = Gelu(x, tanh)
//
// in any order of factors, with Div in place of Mul, with the 0.5 inside the
// parentheses, and with x * (1 + 0.044715 * x^2) for the sum in the tanh form.
// Conditions: constants agree to float32 precision; nothing between is read
// elsewhere, pinned or a graph output. y keeps its name.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "passes/expression.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr double kCubic = 0.044715;
const double kTanhScale = std::sqrt(2.0 / std::numbers::pi);

bool are_all(const std::vector<ValueId>& factors, std::size_t count, ValueId x) {
  return factors.size() == count && std::ranges::all_of(factors, [&](ValueId id) { return id == x; });
}

/// u = x / sqrt(2). Appends the nodes that compute u.
bool is_erf_argument(const Edit& edit, ValueId u, ValueId x, std::vector<NodeId>& nodes) {
  if (!edit.is_private(u)) return false;
  const Product product = product_at(edit, u);
  append(nodes, product.nodes);
  return are_all(product.factors, 1, x) && nearly(product.coefficient, 1.0 / std::numbers::sqrt2);
}

/// value = k * (x + 0.044715 x^3) as a sum with x itself; k is 1.
bool is_cubic_sum(const Edit& edit, ValueId value, ValueId x, std::vector<NodeId>& nodes) {
  const NodeId add = private_producer(edit, value, "Add");
  if (add == kNoNode) return false;
  const Node& node = edit.node(add);
  const ValueId other = node.inputs[0] == x ? node.inputs[1] : node.inputs[0];
  if ((node.inputs[0] != x && node.inputs[1] != x) || !edit.is_private(other)) return false;
  const Product cubic = product_at(edit, other);
  append(nodes, cubic.nodes);
  nodes.push_back(add);
  return are_all(cubic.factors, 3, x) && nearly(cubic.coefficient, kCubic);
}

/// u = sqrt(2/pi) * (x + 0.044715 x^3), or sqrt(2/pi) * x * (1 + 0.044715 x^2).
bool is_tanh_argument(const Edit& edit, ValueId u, ValueId x, std::vector<NodeId>& nodes) {
  if (!edit.is_private(u)) return false;
  const Product product = product_at(edit, u);
  bool matches = false;
  if (product.factors.size() == 1) {
    matches = nearly(product.coefficient, kTanhScale) && is_cubic_sum(edit, product.factors[0], x, nodes);
  } else if (product.factors.size() == 2 && std::ranges::count(product.factors, x) == 1) {
    const ValueId other = product.factors[0] == x ? product.factors[1] : product.factors[0];
    if (const std::optional<Sum> sum = sum_at(edit, other)) {
      append(nodes, sum->product.nodes);
      matches = are_all(sum->product.factors, 2, x) && nearly(product.coefficient * sum->constant, kTanhScale) &&
                nearly(sum->product.coefficient, kCubic * sum->constant);
    }
  }
  append(nodes, product.nodes);
  return matches;
}

/// y = k * x * (c + c * f(u)) with k * c = 0.5.
bool fuse_gelu_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  if (!plain(edit.node(n), "Mul") && !plain(edit.node(n), "Div")) return false;
  const ValueId y = edit.node(n).outputs[0];
  const Product outer = product_at(edit, y);
  if (outer.factors.size() != 2 || outer.nodes.empty()) return false;
  for (const std::size_t i : {0U, 1U}) {
    const ValueId x = outer.factors[i];
    const std::optional<Sum> sum = sum_at(edit, outer.factors[1 - i]);
    if (!sum || sum->product.factors.size() != 1) continue;
    if (!nearly(sum->constant, sum->product.coefficient) || !nearly(sum->constant * outer.coefficient, 0.5)) continue;
    const ValueId f = sum->product.factors[0];
    std::vector<NodeId> nodes;
    const NodeId erf = private_producer(edit, f, "Erf");
    const NodeId tanh = private_producer(edit, f, "Tanh");
    const bool matches = (erf != kNoNode && is_erf_argument(edit, edit.node(erf).inputs[0], x, nodes)) ||
                         (tanh != kNoNode && is_tanh_argument(edit, edit.node(tanh).inputs[0], x, nodes));
    if (!matches) continue;
    nodes.push_back(erf != kNoNode ? erf : tanh);
    append(nodes, sum->product.nodes);
    append(nodes, outer.nodes);
    if (!is_closed(edit, nodes, y) || !same_rank(facts, x, y)) continue;
    Node gelu;
    gelu.op_type = "Gelu";
    gelu.inputs = {x};
    if (tanh != kNoNode) gelu.attributes.set("approximate", std::string("tanh"));
    replace_nodes(edit, nodes, std::move(gelu));
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> recognise_gelu(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_gelu_at);
}

}  // namespace halfstep::passes
