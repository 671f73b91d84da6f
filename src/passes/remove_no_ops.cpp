// remove_no_ops.cpp: nodes that hand on their input as it is disappear.
//
//   before:  y = Identity(x); Transpose(Transpose(x)); Reshape(Reshape(x)); x * 1; ...
//   after:   x
//
// Conditions: that the node changes nothing holds for every size of the
// symbolic dimensions; the value that goes is not pinned. The name nearest to
// the input stays; where the node writes a graph output, the producer of its
// input takes over that name, and if it can't (a graph input, another graph
// output), the node stays. What each operator must satisfy is in no_op_rules.cpp.
#include "passes/edit.hpp"
#include "passes/no_op_rules.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// bypass(), and whoever asked is told of a name that changes.
bool skip_node(Edit& edit, NodeId n, ValueId source, const PassContext& context) {
  const ValueId output = edit.node(n).outputs[0];
  const bool renames = edit.links.is_output[index(output)];
  if (!bypass(edit, n, source)) return false;
  if (renames && context.renamed) context.renamed(edit.graph.value(source).name, edit.graph.value(output).name);
  return true;
}

bool is_reshape_like(const Node& node) {
  for (const char* type : {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}) {
    if (plain(node, type)) return true;
  }
  return false;
}

/// Transpose(Transpose(x, p), q) is Transpose(x, r) with r[i] = p[q[i]].
bool merge_transposes(Edit& edit, NodeId n) {
  if (!plain(edit.node(n), "Transpose")) return false;
  const ValueId between = edit.node(n).inputs[0];
  const NodeId first = edit.producer_of_type(between, "Transpose");
  if (first == kNoNode || edit.graph.value(between).pinned) return false;
  const auto p = edit.node(first).attributes.get_ints("perm");
  const auto q = edit.node(n).attributes.get_ints("perm");
  if (p.empty() || p.size() != q.size()) return false;
  std::vector<std::int64_t> merged;
  for (std::int64_t axis : q) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(p.size())) return false;
    merged.push_back(p[static_cast<std::size_t>(axis)]);
  }
  edit.node(n).attributes.set("perm", std::move(merged));
  edit.node(n).inputs[0] = edit.node(first).inputs[0];
  return true;
}

/// A Reshape whose target says everything does not care what its input looked like.
bool skip_earlier_reshape(Edit& edit, NodeId n) {
  const Node& node = edit.node(n);
  if (!plain(node, "Reshape")) return false;
  const ValueId between = node.inputs[0];
  const NodeId first = edit.producer(between);
  if (first == kNoNode || !is_reshape_like(edit.node(first)) || edit.graph.value(between).pinned) return false;
  const auto target = integers_of(edit.graph, input_of(node, 1));
  if (!target || target->empty()) return false;
  for (std::int64_t extent : *target) {
    if (extent == 0) return false;  // Copies the extent of its direct input.
  }
  edit.node(n).inputs[0] = edit.node(first).inputs[0];
  return true;
}

/// Walks up a chain of Reshape and its like to a value of the same shape.
bool cancel_reshapes(Edit& edit, NodeId n, const ops::Facts& facts, const PassContext& context) {
  if (!is_reshape_like(edit.node(n))) return false;
  const TensorType* target = type_of(facts, edit.node(n).outputs[0]);
  NodeId at = n;
  while (target != nullptr) {
    const ValueId source = edit.node(at).inputs[0];
    const TensorType* type = type_of(facts, source);
    if (type != nullptr && same_after_reshape(*type, *target)) return skip_node(edit, n, source, context);
    at = edit.producer(source);
    if (at == kNoNode || !is_reshape_like(edit.node(at)) || edit.graph.value(source).pinned) return false;
  }
  return false;
}

}  // namespace

Result<graph::Graph> remove_no_ops(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, [&context](Edit& edit, NodeId n, const ops::Facts& facts) {
    const ValueId source = unchanged_input(edit, edit.node(n), facts);
    if (source != kNoValue && skip_node(edit, n, source, context)) return true;
    return merge_transposes(edit, n) || cancel_reshapes(edit, n, facts, context) || skip_earlier_reshape(edit, n);
  });
}

}  // namespace halfstep::passes
