// weights_fingerprint.cpp: a graph of constants only.
#include "pipeline/weights_fingerprint.hpp"

#include <map>

#include "graph/fingerprint.hpp"
#include "ops/operands.hpp"

namespace halfstep::pipeline {

std::string weights_fingerprint(const graph::Graph& graph) {
  std::map<std::string, graph::ValueId> by_name;
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId id : {ops::weight_of(graph, node), ops::bias_of(graph, node)}) {
      if (id != graph::kNoValue) by_name.emplace(graph.value(id).name, id);
    }
  }
  graph::Graph constants;
  for (const auto& [name, id] : by_name)
    constants.values.push_back({.name = name, .constant = graph.value(id).constant});
  return graph::fingerprint(constants);
}

}  // namespace halfstep::pipeline
