// fold_constants.cpp: what is the same for every sample is computed once, here.
//
//   before:  y = f(constants), or y = Gather(Shape(x), 1) where that extent never changes
//   after:   y is a constant, under its name
//
// Conditions: the operator is deterministic, no output is a graph output, no
// pinned constant takes part (its encoding would be lost), and neither the node
// nor all of them exceed the limits of PassContext on growth and work.
#include <algorithm>

#include "ops/op_def.hpp"
#include "ops/work.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// A chain of types that large constants decide gets longer by one a sweep; what is left is computed while running.
constexpr int kMaxSweeps = 16;

/// What may still be folded.
struct Allowance {
  std::int64_t bytes;  ///< By which all constants may grow.
  double work;
};

/// Values that are known only because a pinned constant is.
std::vector<bool> known_through_pinned(const Graph& graph, const ops::Facts& facts) {
  std::vector<bool> through(graph.values.size(), false);
  for (std::size_t v = 0; v < graph.values.size(); ++v) through[v] = graph.values[v].pinned && graph.values[v].constant;
  for (const Node& node : graph.nodes) {
    bool any = false;
    bool all_known = true;
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      any = any || through[index(id)];
      all_known = all_known && (through[index(id)] || facts[index(id)].value);
    }
    if (!any || !all_known) continue;
    for (ValueId id : node.outputs) {
      if (id != kNoValue) through[index(id)] = true;
    }
  }
  return through;
}

/// Constants that only `node` reads: they go when it is folded.
std::vector<ValueId> freed_constants(const Edit& edit, const Node& node) {
  std::vector<ValueId> freed;
  for (ValueId id : node.inputs) {
    const bool is_constant = graph::constant_of(edit.graph, id) != nullptr;
    if (is_constant && edit.links.single_consumer(id) != graph::kNoNode && !edit.links.is_output[index(id)] &&
        !edit.graph.value(id).pinned) {
      freed.push_back(id);
    }
  }
  return freed;
}

std::int64_t freed_bytes(const Edit& edit, const Node& node) {
  std::int64_t bytes = 0;
  for (ValueId id : freed_constants(edit, node)) bytes += edit.graph.value(id).constant->num_bytes();
  return bytes;
}

double work_of(const ops::OpDef& op, const Node& node, const std::vector<const Tensor*>& operands,
               const ops::Facts& facts) {
  std::vector<const TensorType*> types;
  std::vector<TensorType> outputs;
  for (const Tensor* operand : operands) types.push_back(operand == nullptr ? nullptr : &operand->type());
  for (ValueId id : node.outputs) outputs.push_back(id == kNoValue ? TensorType{} : *facts[index(id)].type);
  return ops::work_of(op, {node, types, operands}, outputs);
}

/// The outputs of `node` if they are, or can be, known, and the bytes by which the model grows, taken from `allowance`.
/// Empty: they are not, or too large.
Result<std::vector<Tensor>> known_outputs(const Edit& edit, const ops::OpDef& op, const Node& node,
                                          const ops::Facts& facts, std::int64_t max_growth_bytes,
                                          Allowance& allowance) {
  std::vector<Tensor> outputs;
  std::int64_t bytes = 0;
  bool all_known = true;
  for (ValueId id : node.outputs) {
    if (id == kNoValue) {
      outputs.emplace_back();
      continue;
    }
    const ops::Fact& fact = facts[index(id)];
    if (!fact.type || std::ranges::any_of(fact.type->shape, [](std::int64_t extent) { return extent < 0; })) {
      return std::vector<Tensor>{};
    }
    bytes += fact.type->num_bytes();
    all_known = all_known && fact.value.has_value();
    outputs.push_back(fact.value ? *fact.value : Tensor());
  }
  const std::int64_t growth = bytes - freed_bytes(edit, node);
  if (growth > std::min(max_growth_bytes, allowance.bytes)) return std::vector<Tensor>{};
  if (all_known) {
    allowance.bytes -= growth;
    return outputs;
  }
  std::vector<const Tensor*> operands;
  for (ValueId id : node.inputs) {
    operands.push_back(graph::constant_of(edit.graph, id));
    if (id != kNoValue && operands.back() == nullptr) return std::vector<Tensor>{};
  }
  const double work = work_of(op, node, operands, facts);
  if (work > allowance.work) return std::vector<Tensor>{};
  allowance.bytes -= growth;
  allowance.work -= work;
  return ops::evaluate_node(edit.graph, node, operands);
}

/// One sweep in topological order. Sets `changed`.
Result<Graph> sweep(Graph graph, const PassContext& context, double& work, bool& changed) {
  const Result<ops::Facts> facts = ops::infer_invariant_facts(graph, context.shapes);
  if (!facts.ok()) return facts.error();
  const std::vector<bool> through_pinned = known_through_pinned(graph, *facts);
  Allowance allowance{std::max<std::int64_t>(context.max_constant_bytes - constant_bytes(graph), 0), work};
  Edit edit(std::move(graph));
  for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
    const Node& node = edit.graph.nodes[n];
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || op->nondeterministic || node.clamp || node.outputs.empty()) continue;
    const bool must_stay = std::ranges::any_of(node.outputs, [&](ValueId id) {
      return id != kNoValue && (edit.links.is_output[index(id)] || through_pinned[index(id)]);
    });
    if (must_stay) continue;
    Result<std::vector<Tensor>> outputs = known_outputs(edit, *op, node, *facts, context.max_growth_bytes, allowance);
    if (!outputs.ok()) return outputs.error();
    if (outputs->size() < node.outputs.size()) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) edit.graph.value(node.outputs[i]).constant = std::move((*outputs)[i]);
    }
    // Now, not at the end of the sweep: what a chain computes on the way may be larger than memory.
    for (ValueId id : freed_constants(edit, node)) edit.graph.value(id).constant.reset();
    edit.detach(static_cast<NodeId>(n));
    changed = true;
  }
  work = allowance.work;
  return drop_unused(std::move(edit.graph));
}

}  // namespace

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const graph::Value& value : graph.values) {
    if (value.constant) bytes += value.constant->num_bytes();
  }
  return bytes;
}

Result<Graph> fold_constants(Graph graph, const PassContext& context) {
  // A large constant folded in one sweep may decide a type in the next.
  double work = context.max_folding_work;
  bool changed = true;
  for (int i = 0; changed && i < kMaxSweeps; ++i) {
    changed = false;
    Result<Graph> swept = sweep(std::move(graph), context, work, changed);
    if (!swept.ok()) return swept;
    graph = *std::move(swept);
  }
  return graph;
}

}  // namespace halfstep::passes
