// cut.cpp: demand flows backwards from the outputs and stops at the inputs.
#include "graph/cut.hpp"

#include <algorithm>
#include <variant>

#include "core/text.hpp"

namespace halfstep::graph {
namespace {

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

Error misuse(std::string message) { return {ErrorCode::kUsage, std::move(message)}; }

/// upstream_of(), where nothing is asked of the nodes behind values in `stops`.
Upstream demand(const Graph& graph, std::span<const ValueId> values, const std::vector<bool>& stops) {
  Upstream needed{std::vector<bool>(graph.values.size(), false), std::vector<bool>(graph.nodes.size(), false)};
  for (const ValueId id : values) needed.values[at(id)] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    needed.nodes[n] = std::ranges::any_of(
        node.outputs, [&](ValueId id) { return id != kNoValue && needed.values[at(id)] && !stops[at(id)]; });
    if (!needed.nodes[n]) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed.values[at(id)] = true;
    }
  }
  return needed;
}

/// By ValueId: what changes when a value in `starts` does.
std::vector<bool> downstream_of(const Graph& graph, const std::vector<bool>& starts) {
  std::vector<bool> reached = starts;
  for (const Node& node : graph.nodes) {
    if (!std::ranges::any_of(node.inputs, [&](ValueId id) { return id != kNoValue && reached[at(id)]; })) continue;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) reached[at(id)] = true;
    }
  }
  return reached;
}

Result<std::vector<bool>> marked(const Graph& graph, std::span<const ValueId> ids, const char* role) {
  std::vector<bool> marks(graph.values.size(), false);
  for (const ValueId id : ids) {
    if (id < 0 || at(id) >= graph.values.size()) {
      return misuse(std::string("an ") + role + " of the part is no tensor of the model");
    }
    if (marks[at(id)]) return misuse(std::string(role) + " " + quoted(graph.value(id).name) + " is given twice");
    marks[at(id)] = true;
  }
  return marks;
}

Result<void> check_outputs(const Graph& graph, std::span<const ValueId> outputs, const std::vector<bool>& is_input) {
  const std::vector<bool> reached = downstream_of(graph, is_input);
  for (const ValueId output : outputs) {
    const std::string name = "output " + quoted(graph.value(output).name);
    if (!reached[at(output)]) return misuse(name + " depends on none of the inputs of the part");
    const Upstream needed = demand(graph, {&output, 1}, is_input);
    for (const GraphInput& outer : graph.inputs) {
      if (!needed.values[at(outer.value)] || is_input[at(outer.value)]) continue;
      return misuse(name + " depends on the model's input " + quoted(graph.value(outer.value).name) +
                    ", which is not cut off; make it an input of the part, too");
    }
  }
  return {};
}

Result<void> check_nodes(const Graph& graph, const Upstream& needed, const std::vector<bool>& is_input) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!needed.nodes[n]) continue;
    for (const ValueId id : node.outputs) {
      if (id == kNoValue || !is_input[at(id)]) continue;
      return misuse("input " + quoted(graph.value(id).name) + " is written by " + describe(graph, node) +
                    ", which the part needs for another of its outputs; make that one an input, too");
    }
    const bool has_subgraph = std::ranges::any_of(node.attributes, [](const auto& named) {
      return std::holds_alternative<std::shared_ptr<const Graph>>(named.second);
    });
    if (has_subgraph) {
      return Error{ErrorCode::kUnsupported, describe(graph, node) + " holds a subgraph; a part cannot contain it"};
    }
  }
  return {};
}

/// `graph` with only what `needed` says.
Graph copy_of(const Graph& graph, const Upstream& needed) {
  std::vector<bool> is_used = needed.values;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!needed.nodes[n]) continue;
    // All of a node's outputs stay: what it computes may depend on their number.
    for (const ValueId id : graph.nodes[n].outputs) {
      if (id != kNoValue) is_used[at(id)] = true;
    }
  }
  Graph part;
  part.name = graph.name;
  part.opset = graph.opset;
  part.ir_version = graph.ir_version;
  part.metadata = graph.metadata;
  std::vector<ValueId> new_id(graph.values.size(), kNoValue);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (!is_used[v]) continue;
    new_id[v] = static_cast<ValueId>(part.values.size());
    part.values.push_back(graph.values[v]);
  }
  const auto renumber = [&](ValueId& id) {
    if (id != kNoValue) id = new_id[at(id)];
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!needed.nodes[n]) continue;
    Node& node = part.nodes.emplace_back(graph.nodes[n]);
    std::ranges::for_each(node.inputs, renumber);
    std::ranges::for_each(node.outputs, renumber);
  }
  return part;
}

}  // namespace

Upstream upstream_of(const Graph& graph, std::span<const ValueId> values) {
  return demand(graph, values, std::vector<bool>(graph.values.size(), false));
}

Result<Graph> cut(const Graph& graph, std::span<const GraphInput> inputs, std::span<const ValueId> outputs) {
  std::vector<ValueId> input_ids;
  for (const GraphInput& input : inputs) input_ids.push_back(input.value);
  const Result<std::vector<bool>> is_input = marked(graph, input_ids, "input");
  if (!is_input.ok()) return is_input.error();
  const Result<std::vector<bool>> is_output = marked(graph, outputs, "output");
  if (!is_output.ok()) return is_output.error();
  for (const ValueId id : input_ids) {
    if (!graph.value(id).constant) continue;
    return misuse("input " + quoted(graph.value(id).name) + " is a constant, the same for every sample");
  }
  if (Result<void> valid = check_outputs(graph, outputs, *is_input); !valid.ok()) return valid.error();
  Upstream needed = demand(graph, outputs, *is_input);
  if (Result<void> valid = check_nodes(graph, needed, *is_input); !valid.ok()) return valid.error();

  for (const ValueId id : input_ids) needed.values[at(id)] = true;
  Graph part = copy_of(graph, needed);
  const auto id_of = [&](ValueId id) { return find_value(part, graph.value(id).name); };
  for (const GraphInput& input : inputs) part.inputs.push_back({id_of(input.value), input.declared});
  for (const ValueId output : outputs) {
    const auto declared = std::ranges::find(graph.outputs, output, &GraphOutput::value);
    part.outputs.push_back({id_of(output), declared == graph.outputs.end() ? Declared{} : declared->declared});
  }
  return part;
}

}  // namespace halfstep::graph
