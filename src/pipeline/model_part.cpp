// model_part.cpp: cuts, and where quantization ends.
#include "pipeline/model_part.hpp"

#include <algorithm>
#include <map>

#include "core/text.hpp"
#include "exec/parts.hpp"
#include "graph/cut.hpp"

namespace halfstep::pipeline {
namespace {

using graph::Graph;
using graph::ValueId;

/// What `tensors` need, and all that the nodes among it write.
Result<graph::Upstream> quantized_side(const std::vector<std::string>& tensors, const Graph& graph) {
  std::vector<ValueId> ids;
  for (const std::string& name : tensors) {
    ids.push_back(graph::find_value(graph, name));
    if (ids.back() != graph::kNoValue) continue;
    return Error{ErrorCode::kUsage, "--quantized_until: folding constants removed the tensor " + quoted(name)};
  }
  graph::Upstream side = graph::upstream_of(graph, ids);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!side.nodes[n]) continue;
    for (const ValueId id : graph.nodes[n].outputs) {
      if (id != graph::kNoValue) side.values[static_cast<std::size_t>(id)] = true;
    }
  }
  return side;
}

/// Nodes outside of `side` read copies of the constants in it.
void double_shared_constants(const graph::Upstream& side, Graph& graph) {
  std::map<ValueId, ValueId> copies;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (side.nodes[n]) continue;
    for (ValueId& id : graph.nodes[n].inputs) {
      const Tensor* constant = graph::constant_of(graph, id);
      if (constant == nullptr || static_cast<std::size_t>(id) >= side.values.size() ||
          !side.values[static_cast<std::size_t>(id)]) {
        continue;
      }
      if (!copies.contains(id)) copies[id] = graph::add_constant(graph, graph.value(id).name + "_float", *constant);
      id = copies[id];
    }
  }
}

std::vector<std::string> input_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const graph::GraphInput& input : graph.inputs) names.push_back(graph.value(input.value).name);
  return names;
}

std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const graph::GraphOutput& output : graph.outputs) names.push_back(graph.value(output.value).name);
  return names;
}

Result<void> check_all_needed(const Graph& part) {
  const graph::Links links = graph::links_of(part);
  for (const graph::GraphInput& input : part.inputs) {
    const auto v = static_cast<std::size_t>(input.value);
    if (!links.consumers[v].empty() || links.is_output[v]) continue;
    return Error{ErrorCode::kUsage, "no output of the part depends on " + quoted(part.value(input.value).name)};
  }
  return {};
}

}  // namespace

Result<void> quantize_until(const std::vector<std::string>& tensors, PreparedModel& model) {
  const Result<graph::Upstream> side = quantized_side(tensors, model.graph);
  if (!side.ok()) return side.error();
  double_shared_constants(*side, model.graph);
  std::erase_if(model.encodings, [&](const auto& named) {
    const ValueId id = graph::find_value(model.graph, named.first);
    return id == graph::kNoValue || static_cast<std::size_t>(id) >= side->values.size() ||
           !side->values[static_cast<std::size_t>(id)];
  });
  if (!model.encodings.empty()) return {};
  return Error{ErrorCode::kUsage, "--quantized_until: nothing up to " + quoted(tensors.front()) + " has an encoding"};
}

Result<void> cut_model(const Cut& cut, const ops::InputShapes& shapes, PreparedModel& model) {
  const std::string option = cut.to.empty() ? "--from" : cut.from.empty() ? "--to" : "--from, --to";
  const Result<exec::Parts> parts = exec::Parts::make(model.graph, shapes);
  if (!parts.ok()) return parts.error();
  Result<Graph> part = parts->between(cut.from.empty() ? input_names(model.graph) : cut.from,
                                      cut.to.empty() ? output_names(model.graph) : cut.to);
  if (!part.ok()) return part.error().at(option);
  if (Result<void> needed = check_all_needed(*part); !cut.from.empty() && !needed.ok()) {
    return needed.error().at(option);
  }
  model.graph = *std::move(part);
  return {};
}

Result<lower::CodeInputs> inherited_grids(const std::vector<std::string>& from, const ops::InputShapes& shapes,
                                          const PreparedModel& model, const FixedPointOptions& options) {
  std::vector<std::string> unencoded;
  for (const std::string& name : from) {
    if (find_encoding(model.encodings, name) == nullptr) unencoded.push_back(name);
  }
  if (unencoded.empty()) return lower::CodeInputs{};
  const Result<exec::Parts> parts = exec::Parts::make(model.graph, shapes);
  if (!parts.ok()) return parts.error();
  return parts->code_grids(unencoded, model.encodings, options);
}

}  // namespace halfstep::pipeline
