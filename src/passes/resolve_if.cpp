// resolve_if.cpp: the branch that is taken replaces an If.
//
//   before:  y = If(condition) {then: y' = f(captured); else: y' = g(captured)}
//   after:   y = f(captured)   if the condition is true, else y = g(captured)
//
// Condition: what decides is the same for every sample and, where possible, for
// every size of the symbolic dimensions. Names of the branch's inner tensors are kept, with a
// number appended where the graph has such a name already.
#include <algorithm>
#include <memory>

#include "core/text.hpp"
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;
using Subgraph = std::shared_ptr<const Graph>;

bool has_subgraph(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [](const auto& entry) { return std::holds_alternative<Subgraph>(entry.second); });
}

/// The subgraph's captures after its enclosing graph's values moved to `new_ids`.
Subgraph with_moved_captures(const Subgraph& inner, const std::vector<ValueId>& new_ids) {
  auto copy = std::make_shared<Graph>(*inner);
  for (graph::Capture& capture : copy->captures) capture.outer = new_ids[static_cast<std::size_t>(capture.outer)];
  return copy;
}

/// Appends the nodes of `branch` to `nodes`; its outputs become `outputs`.
void inline_branch(const Graph& branch, const std::vector<ValueId>& outputs, Graph& graph, std::vector<Node>& nodes) {
  std::vector<ValueId> new_ids(branch.values.size(), kNoValue);
  const auto new_id = [&](ValueId id) -> ValueId& { return new_ids[static_cast<std::size_t>(id)]; };
  for (const graph::Capture& capture : branch.captures) new_id(capture.inner) = capture.outer;

  std::vector<bool> computed(branch.values.size(), false);
  for (const Node& node : branch.nodes) {
    for (ValueId id : node.outputs) {
      if (id != kNoValue) computed[static_cast<std::size_t>(id)] = true;
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ValueId inner = branch.outputs[i].value;
    if (outputs[i] != kNoValue && computed[static_cast<std::size_t>(inner)] && new_id(inner) == kNoValue) {
      new_id(inner) = outputs[i];
    }
  }
  for (std::size_t v = 0; v < branch.values.size(); ++v) {
    if (new_ids[v] != kNoValue) continue;
    const graph::Value& value = branch.values[v];
    new_ids[v] = graph::add_value(graph, value.name);
    graph.value(new_ids[v]).constant = value.constant;
    graph.value(new_ids[v]).narrow_bits = value.narrow_bits;
  }

  for (const Node& inner : branch.nodes) {
    Node node = inner;
    for (ValueId& id : node.inputs) id = id == kNoValue ? kNoValue : new_id(id);
    for (ValueId& id : node.outputs) id = id == kNoValue ? kNoValue : new_id(id);
    for (const auto& [name, attribute] : inner.attributes) {
      if (const auto* nested = std::get_if<Subgraph>(&attribute)) {
        node.attributes.set(name, with_moved_captures(*nested, new_ids));
      }
    }
    nodes.push_back(std::move(node));
  }
  // A branch may hand out a constant, something it captured, or one tensor twice.
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ValueId source = new_id(branch.outputs[i].value);
    if (outputs[i] == kNoValue || outputs[i] == source) continue;
    Node& identity = nodes.emplace_back();
    identity.op_type = "Identity";
    identity.inputs = {source};
    identity.outputs = {outputs[i]};
  }
}

Error refused(const Graph& graph, const Node& node) {
  std::string fact = "operators with a body are not supported";
  if (node.op_type == "If") {
    const ValueId condition = input_of(node, 0);
    fact = condition == kNoValue ? "has no condition"
                                 : "its condition " + quoted(graph.value(condition).name) +
                                       " depends on the data; only an If that always goes the same "
                                       "way is supported";
  }
  return Error{ErrorCode::kUnsupported, fact}.at(graph::describe(graph, node));
}

/// The branch an If takes; nullptr if that is not known.
const Graph* taken_branch(const Node& node, const ops::Facts& facts) {
  const ValueId condition = input_of(node, 0);
  if (node.op_type != "If" || !node.domain.empty() || condition == kNoValue) return nullptr;
  if (static_cast<std::size_t>(condition) >= facts.size()) return nullptr;
  const std::optional<Tensor>& value = facts[static_cast<std::size_t>(condition)].value;
  if (!value || value->dtype() != DType::kBool || value->num_elements() != 1) return nullptr;
  const auto* branch = node.attributes.find<Subgraph>(value->data<bool>()[0] ? "then_branch" : "else_branch");
  return branch == nullptr ? nullptr : branch->get();
}

/// Inlines what `facts` decide; says whether anything was. `note` is set where
/// they hold for the given sizes only.
Result<bool> inline_known(Graph& graph, const ops::Facts& facts, const std::function<void(const std::string&)>& note) {
  std::vector<Node> nodes;
  const std::vector<Node> old_nodes = std::move(graph.nodes);
  graph.nodes.clear();
  bool progress = false;
  for (const Node& node : old_nodes) {
    const Graph* branch = taken_branch(node, facts);
    if (branch == nullptr) {
      nodes.push_back(node);
      continue;
    }
    if (branch->outputs.size() != node.outputs.size()) {
      return Error{ErrorCode::kInvalidInput, "has " + std::to_string(node.outputs.size()) +
                                                 " outputs, its branch has " + std::to_string(branch->outputs.size())}
          .at(graph::describe(graph, node));
    }
    if (note) {
      note(graph::describe(graph, node) +
           " depends on a dimension that is not fixed; the branch for these input shapes is kept");
    }
    // The branch lives in an attribute of old_nodes, which outlives this.
    inline_branch(*branch, node.outputs, graph, nodes);
    progress = true;
  }
  graph.nodes = std::move(nodes);
  return progress;
}

}  // namespace

Result<Graph> resolve_if(Graph graph, const PassContext& context) {
  while (std::ranges::any_of(graph.nodes, has_subgraph)) {
    Result<ops::Facts> facts = ops::infer_invariant_facts(graph, context.shapes);
    if (!facts.ok()) return facts.error();
    Result<bool> progress = inline_known(graph, *facts, {});
    if (!progress.ok()) return progress.error();
    if (*progress) continue;
    facts = ops::infer_facts(graph, context.shapes);
    if (!facts.ok()) return facts.error();
    progress = inline_known(
        graph, *facts, context.note ? context.note : [](const std::string&) {});
    if (!progress.ok()) return progress.error();
    if (!*progress) return refused(graph, *std::ranges::find_if(graph.nodes, has_subgraph));
  }
  return graph::remove_unused(std::move(graph));
}

}  // namespace halfstep::passes
