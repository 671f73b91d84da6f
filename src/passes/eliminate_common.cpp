// eliminate_common.cpp: what nothing needs goes, and integers are computed once.
//
//   before:  a = Shape(x); b = Shape(x); both read         after:  a, read by all readers of b
//
// Conditions for merging: same deterministic operator, attributes and operands
// (equal integer constants count as the same operand); every output is an
// integer or bool tensor. Float tensors stay apart, each under its name: the
// user may have named one in an override. Pinned values and graph outputs stay.
#include <algorithm>

#include "ops/op_def.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr std::int64_t kMaxComparedElements = 64;

bool same_operand(const graph::Graph& graph, ValueId a, ValueId b) {
  if (a == b) return true;
  const Tensor* x = graph::constant_of(graph, a);
  const Tensor* y = graph::constant_of(graph, b);
  return x != nullptr && y != nullptr && x->dtype() != DType::kFloat32 && x->num_elements() <= kMaxComparedElements &&
         identical(*x, *y);
}

bool can_merge(const Edit& edit, const Node& node, const ops::Facts& facts) {
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || op->nondeterministic || node.clamp || node.inputs.empty()) return false;
  return std::ranges::all_of(node.outputs, [&](ValueId id) {
    const TensorType* type = type_of(facts, id);
    return id != kNoValue && type != nullptr && type->dtype != DType::kFloat32 && !edit.graph.value(id).pinned &&
           !edit.links.is_output[static_cast<std::size_t>(id)];
  });
}

bool same_computation(const graph::Graph& graph, const Node& a, const Node& b) {
  return a.op_type == b.op_type && a.domain == b.domain && a.outputs.size() == b.outputs.size() &&
         std::ranges::equal(a.inputs, b.inputs, [&](ValueId x, ValueId y) { return same_operand(graph, x, y); }) &&
         same_attributes(a.attributes, b.attributes);
}

/// An earlier reader of the same operand that computes the same; kNoNode if none.
NodeId earlier_twin(const Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  const auto first = std::ranges::find_if(
      node.inputs, [&](ValueId id) { return id != kNoValue && graph::constant_of(edit.graph, id) == nullptr; });
  if (first == node.inputs.end()) return graph::kNoNode;
  for (NodeId other : edit.links.consumers[static_cast<std::size_t>(*first)]) {
    if (other >= n) break;
    if (same_computation(edit.graph, edit.node(other), node) && can_merge(edit, edit.node(other), facts)) return other;
  }
  return graph::kNoNode;
}

}  // namespace

Result<graph::Graph> eliminate_common(graph::Graph graph, const PassContext& context) {
  graph = drop_unused(std::move(graph));
  const Result<ops::Facts> facts = ops::infer_invariant_facts(graph, context.shapes);
  if (!facts.ok()) return facts.error();
  return rewrite(std::move(graph), [&](Edit& edit, NodeId n) {
    if (!can_merge(edit, edit.node(n), *facts)) return false;
    const NodeId twin = earlier_twin(edit, n, *facts);
    if (twin == graph::kNoNode) return false;
    const std::vector<ValueId> duplicates = edit.node(n).outputs;
    edit.detach(n);
    for (std::size_t i = 0; i < duplicates.size(); ++i) {
      graph::replace_uses(edit.graph, duplicates[i], edit.node(twin).outputs[i]);
    }
    return true;
  });
}

}  // namespace halfstep::passes
