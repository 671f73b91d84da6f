// qoperator_names.cpp: names for the real tensors that stand where a file has integers.
#include "passes/qoperator_names.hpp"

#include <utility>

#include "passes/qdq_grid.hpp"

namespace halfstep::passes {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

RealNames::RealNames(const Graph& graph) {
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    values_.emplace(graph.values[v].name, static_cast<ValueId>(v));
  }
  for (const Node& node : graph.nodes) {
    if (is_dequantize(node) && !node.inputs.empty() && node.outputs.size() == 1 && node.outputs[0] != kNoValue) {
      codes_of_.emplace(node.outputs[0], node.inputs[0]);
    }
  }
  for (const graph::GraphOutput& output : graph.outputs) is_output_.emplace(output.value, true);
}

std::string RealNames::without_suffix(const std::string& name) {
  for (const char* suffix : {"_quantized", "quantized"}) {
    const std::string_view end(suffix);
    if (name.ends_with(end) && name.size() > end.size()) return name.substr(0, name.size() - end.size());
  }
  return name;
}

std::string RealNames::unique(const std::string& name) const {
  std::string candidate = name;
  for (int n = 2; values_.contains(candidate); ++n) candidate = name + "_" + std::to_string(n);
  return candidate;
}

ValueId RealNames::add(Graph& graph, const std::string& name) {
  const auto id = static_cast<ValueId>(graph.values.size());
  graph.values.emplace_back().name = unique(name);
  values_.emplace(graph.values.back().name, id);
  return id;
}

void RealNames::rename(Graph& graph, ValueId id, const std::string& name) {
  values_.erase(graph.value(id).name);
  graph.value(id).name = unique(name);
  values_.emplace(graph.value(id).name, id);
}

ValueId RealNames::real_of(Graph& graph, ValueId codes) {
  const std::string name = graph.value(codes).name;
  const std::string real = without_suffix(name);
  const auto taken = values_.find(real);
  if (taken == values_.end()) return add(graph, real);

  const ValueId other = taken->second;
  const auto source = codes_of_.find(other);
  if (source != codes_of_.end() && source->second == codes) {
    // import_qdq() hands the name of a graph output on to what computes it.
    if (is_output_.contains(other)) return add(graph, name + "_real");
    rename(graph, other, real + "_dequantized");
    const ValueId id = add(graph, real);
    graph.value(id).pinned = std::exchange(graph.value(other).pinned, false);
    return id;
  }
  if (is_output_.contains(codes)) return add(graph, name + "_real");
  rename(graph, codes, name + "_codes");
  return add(graph, name);
}

}  // namespace halfstep::passes
