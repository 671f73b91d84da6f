// small_graph.hpp: builds graphs for tests, a line a node.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace halfstep::exec {

/// Values are made on first mention; all inputs and outputs are float32.
class SmallGraph {
 public:
  /// Without dims: of a shape that nobody looks at.
  SmallGraph& input(const std::string& name) {
    graph_.inputs.push_back({value(name), {}});
    return *this;
  }
  SmallGraph& input(const std::string& name, std::vector<std::int64_t> dims) {
    graph::Declared declared;
    declared.dims.emplace();
    for (std::int64_t dim : dims) declared.dims->push_back({dim, ""});
    graph_.inputs.push_back({value(name), declared});
    return *this;
  }
  SmallGraph& constant(const std::string& name, Tensor tensor) {
    graph_.value(value(name)).constant = std::move(tensor);
    return *this;
  }
  SmallGraph& node(const std::string& op_type, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
    graph::Node made;
    made.name = outputs[0] + "_node";
    made.op_type = op_type;
    for (const std::string& name : inputs) made.inputs.push_back(name.empty() ? graph::kNoValue : value(name));
    for (const std::string& name : outputs) made.outputs.push_back(name.empty() ? graph::kNoValue : value(name));
    graph_.nodes.push_back(std::move(made));
    return *this;
  }
  graph::Node& last_node() { return graph_.nodes.back(); }
  SmallGraph& output(const std::string& name) {
    graph_.outputs.push_back({value(name), {}});
    return *this;
  }
  const graph::Graph& graph() const { return graph_; }
  graph::Graph& graph() { return graph_; }
  /// The value of this name, made if there is none.
  graph::ValueId value(const std::string& name) {
    const graph::ValueId known = graph::find_value(graph_, name);
    return known != graph::kNoValue ? known : graph::add_value(graph_, name);
  }

 private:
  graph::Graph graph_;
};

}  // namespace halfstep::exec
