// graphs.hpp: small graphs for the tests of this folder.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// Builds a graph by tensor names; every activation is float32 unless said otherwise.
class GraphBuilder {
 public:
  graph::ValueId value(const std::string& name) {
    const graph::ValueId found = graph::find_value(graph_, name);
    if (found != graph::kNoValue) return found;
    graph_.values.push_back({.name = name, .constant = {}});
    return static_cast<graph::ValueId>(graph_.values.size() - 1);
  }
  GraphBuilder& input(const std::string& name) {
    graph_.inputs.push_back({value(name), {}});
    return *this;
  }
  GraphBuilder& output(const std::string& name) {
    graph_.outputs.push_back({value(name), {}});
    return *this;
  }
  GraphBuilder& constant(const std::string& name, Tensor tensor) {
    graph_.value(value(name)).constant = std::move(tensor);
    return *this;
  }
  GraphBuilder& node(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs) {
    graph::Node node;
    node.name = "make_" + outputs[0];
    node.op_type = type;
    for (const std::string& name : inputs) node.inputs.push_back(value(name));
    for (const std::string& name : outputs) node.outputs.push_back(value(name));
    graph_.nodes.push_back(std::move(node));
    return *this;
  }

  graph::Graph& graph() { return graph_; }

 private:
  graph::Graph graph_;
};

/// float32 for everything but constants, which have their own types. Shapes are not looked at.
inline ops::Facts float_facts(const graph::Graph& graph) {
  ops::Facts facts(graph.values.size());
  for (std::size_t v = 0; v < facts.size(); ++v) {
    facts[v].type = graph.values[v].constant ? graph.values[v].constant->type() : TensorType{DType::kFloat32, {1}};
    facts[v].value = graph.values[v].constant;
  }
  return facts;
}

}  // namespace halfstep::precision
