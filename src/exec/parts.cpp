// parts.cpp: cuts where types are known.
#include "exec/parts.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "graph/cut.hpp"

namespace halfstep::exec {
namespace {

using graph::Graph;
using graph::ValueId;

/// Nodes whose outputs are all known go, the outputs become constants. Values keep their ids.
Graph with_known_values(Graph graph, const ops::Facts& facts) {
  const auto is_known = [&](ValueId id) {
    return id == graph::kNoValue || facts[static_cast<std::size_t>(id)].value.has_value();
  };
  std::erase_if(graph.nodes, [&](const graph::Node& node) {
    if (!std::ranges::all_of(node.outputs, is_known)) return false;
    for (const ValueId id : node.outputs) {
      if (id != graph::kNoValue) graph.value(id).constant = facts[static_cast<std::size_t>(id)].value;
    }
    return true;
  });
  return graph;
}

graph::Declared declared_as(const TensorType& type) {
  graph::Declared declared{type.dtype, std::vector<graph::Dim>()};
  for (int axis = 0; axis < type.shape.rank(); ++axis) declared.dims->push_back({type.shape[axis], ""});
  return declared;
}

}  // namespace

Result<Parts> Parts::make(Graph graph, const ops::InputShapes& shapes) {
  Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  graph = with_known_values(std::move(graph), *facts);
  return Parts(std::move(graph), *std::move(facts));
}

Result<std::vector<ValueId>> Parts::ids_of(std::span<const std::string> names) const {
  std::vector<ValueId> ids;
  for (const std::string& name : names) {
    ids.push_back(graph::find_value(graph_, name));
    if (ids.back() != graph::kNoValue) continue;
    const std::vector<std::string> known = graph::value_names(graph_);
    return Error{ErrorCode::kUsage, "the model has no tensor " + quoted(name) + did_you_mean(name, known)};
  }
  return ids;
}

Result<Graph> Parts::between(std::span<const std::string> inputs, std::span<const std::string> outputs) const {
  const Result<std::vector<ValueId>> input_ids = ids_of(inputs);
  if (!input_ids.ok()) return input_ids.error();
  const Result<std::vector<ValueId>> output_ids = ids_of(outputs);
  if (!output_ids.ok()) return output_ids.error();
  std::vector<graph::GraphInput> cut_inputs;
  for (const ValueId id : *input_ids) {
    const std::optional<TensorType>& type = facts_[static_cast<std::size_t>(id)].type;
    if (!type) {
      return Error{ErrorCode::kUnsupported, "the type of " + quoted(graph_.value(id).name) +
                                                " is decided while running; a part cannot begin there"};
    }
    cut_inputs.push_back({id, declared_as(*type)});
  }
  return graph::cut(graph_, cut_inputs, *output_ids);
}

Result<lower::CodeInputs> Parts::code_grids(std::span<const std::string> names, const EncodingSet& encodings,
                                            const FixedPointOptions& options) const {
  std::vector<std::string> model_inputs;
  for (const graph::GraphInput& input : graph_.inputs) model_inputs.push_back(graph_.value(input.value).name);
  const Result<Graph> above = between(model_inputs, names);
  if (!above.ok()) return above.error();
  const Result<lower::Program> program = lower::fixed_program(*above, {}, encodings, options);
  if (!program.ok()) return program.error();
  lower::CodeInputs grids;
  for (const lower::Step& step : program->steps) {
    for (const lower::SlotId id : step.completes) {
      const lower::Slot& slot = program->slots[static_cast<std::size_t>(id)];
      if (slot.encoding == nullptr || std::ranges::find(names, slot.name) == names.end()) continue;
      grids.insert_or_assign(slot.name, *slot.encoding);
    }
  }
  return grids;
}

}  // namespace halfstep::exec
