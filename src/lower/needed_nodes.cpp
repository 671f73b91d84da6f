// needed_nodes.cpp: demand flows from the outputs backwards.
#include "lower/needed_nodes.hpp"

#include <algorithm>

namespace halfstep::lower {

std::vector<bool> needed_nodes(const graph::Graph& graph, const ops::Facts& facts) {
  std::vector<bool> node_needed(graph.nodes.size(), false);
  std::vector<bool> value_needed(graph.values.size(), false);
  for (const graph::GraphOutput& output : graph.outputs) value_needed[static_cast<std::size_t>(output.value)] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const graph::Node& node = graph.nodes[n];
    node_needed[n] = std::ranges::any_of(node.outputs, [&](graph::ValueId id) {
      const auto at = static_cast<std::size_t>(id);
      return id != graph::kNoValue && value_needed[at] && !facts[at].value;
    });
    if (!node_needed[n]) continue;
    for (graph::ValueId id : node.inputs) {
      if (id != graph::kNoValue) value_needed[static_cast<std::size_t>(id)] = true;
    }
  }
  return node_needed;
}

}  // namespace halfstep::lower
