// fold_constants.cpp: what is the same for every sample is computed once, here.
//
//   before:  y = f(constants), or y = Gather(Shape(x), 1) where that extent never changes
//   after:   y is a constant, under its name
//
// Conditions: the operator is deterministic, no output is a graph output, no
// pinned constant takes part (its encoding would be lost), and the model grows
// by no more than PassContext::max_growth_bytes.
#include <algorithm>

#include "ops/op_def.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

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

/// Bytes of constants that only `node` reads: they go when it is folded.
std::int64_t freed_bytes(const Edit& edit, const Node& node) {
  std::int64_t bytes = 0;
  for (ValueId id : node.inputs) {
    const Tensor* constant = graph::constant_of(edit.graph, id);
    if (constant != nullptr && edit.links.single_consumer(id) != graph::kNoNode) bytes += constant->num_bytes();
  }
  return bytes;
}

/// The outputs of `node` if they are, or can be, known. Empty: they are not.
Result<std::vector<Tensor>> known_outputs(const Edit& edit, const Node& node, const ops::Facts& facts,
                                          std::int64_t max_bytes) {
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
  if (bytes > max_bytes) return std::vector<Tensor>{};
  if (all_known) return outputs;

  std::vector<const Tensor*> operands;
  for (ValueId id : node.inputs) {
    operands.push_back(graph::constant_of(edit.graph, id));
    if (id != kNoValue && operands.back() == nullptr) return std::vector<Tensor>{};
  }
  return ops::evaluate_node(edit.graph, node, operands);
}

/// One sweep in topological order. Sets `changed`.
Result<Graph> sweep(Graph graph, const PassContext& context, bool& changed) {
  const Result<ops::Facts> facts = ops::infer_invariant_facts(graph, context.shapes);
  if (!facts.ok()) return facts.error();
  const std::vector<bool> through_pinned = known_through_pinned(graph, *facts);
  Edit edit(std::move(graph));
  for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
    const Node& node = edit.graph.nodes[n];
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || op->nondeterministic || node.clamp || node.outputs.empty()) continue;
    const bool must_stay = std::ranges::any_of(node.outputs, [&](ValueId id) {
      return id != kNoValue && (edit.links.is_output[index(id)] || through_pinned[index(id)]);
    });
    if (must_stay) continue;
    Result<std::vector<Tensor>> outputs =
        known_outputs(edit, node, *facts, context.max_growth_bytes + freed_bytes(edit, node));
    if (!outputs.ok()) return outputs.error();
    if (outputs->size() < node.outputs.size()) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) edit.graph.value(node.outputs[i]).constant = std::move((*outputs)[i]);
    }
    edit.detach(static_cast<NodeId>(n));
    changed = true;
  }
  return drop_unused(std::move(edit.graph));
}

}  // namespace

Result<Graph> fold_constants(Graph graph, const PassContext& context) {
  // A large constant folded in one sweep may decide a type in the next.
  for (bool changed = true; changed;) {
    changed = false;
    Result<Graph> swept = sweep(std::move(graph), context, changed);
    if (!swept.ok()) return swept;
    graph = *std::move(swept);
  }
  return graph;
}

}  // namespace halfstep::passes
