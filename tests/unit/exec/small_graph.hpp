// small_graph.hpp: builds graphs for tests, a line a node.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace halfstep::exec {

/// Values are made on first mention; all inputs and outputs are float32.
class SmallGraph {
 public:
  SmallGraph& input(const std::string& name, std::vector<std::int64_t> dims) {
    graph::Declared declared;
    declared.dims.emplace();
    for (std::int64_t dim : dims) declared.dims->push_back({dim, ""});
    graph_.inputs.push_back({id(name), declared});
    return *this;
  }
  SmallGraph& constant(const std::string& name, Tensor tensor) {
    graph_.value(id(name)).constant = std::move(tensor);
    return *this;
  }
  SmallGraph& node(const std::string& op_type, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
    graph::Node made;
    made.name = outputs[0] + "_node";
    made.op_type = op_type;
    for (const std::string& name : inputs) made.inputs.push_back(name.empty() ? graph::kNoValue : id(name));
    for (const std::string& name : outputs) made.outputs.push_back(name.empty() ? graph::kNoValue : id(name));
    graph_.nodes.push_back(std::move(made));
    return *this;
  }
  graph::Node& last_node() { return graph_.nodes.back(); }
  SmallGraph& output(const std::string& name) {
    graph_.outputs.push_back({id(name), {}});
    return *this;
  }
  const graph::Graph& graph() const { return graph_; }

 private:
  graph::ValueId id(const std::string& name) {
    const graph::ValueId known = graph::find_value(graph_, name);
    return known != graph::kNoValue ? known : graph::add_value(graph_, name);
  }

  graph::Graph graph_;
};

}  // namespace halfstep::exec
