// graph.cpp: look-ups and edits of the intermediate representation.
#include "graph/graph.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/text.hpp"
#include "graph/node_words.hpp"

namespace halfstep::graph {

std::string to_string(const std::vector<Dim>& dims) {
  std::string text = "[";
  for (const Dim& dim : dims) {
    if (text.size() > 1) text += ", ";
    text += dim.fixed() ? std::to_string(dim.extent) : dim.symbol.empty() ? "?" : printable(dim.symbol);
  }
  return text + "]";
}

std::string describe(const Graph& graph, const Node& node) {
  std::string name = node.name;
  if (name.empty() && !node.outputs.empty() && node.outputs[0] != kNoValue) name = graph.value(node.outputs[0]).name;
  return node_words(name, node.domain, node.op_type);
}

ValueId find_value(const Graph& graph, std::string_view name) {
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

std::vector<std::string> value_names(const Graph& graph) {
  std::vector<std::string> names;
  names.reserve(graph.values.size());
  for (const Value& value : graph.values) names.push_back(value.name);
  return names;
}

const Tensor* constant_of(const Graph& graph, ValueId id) {
  if (id == kNoValue || !graph.value(id).constant) return nullptr;
  return &*graph.value(id).constant;
}

NodeId Links::single_consumer(ValueId id) const {
  const auto i = static_cast<std::size_t>(id);
  return !is_output[i] && consumers[i].size() == 1 ? consumers[i][0] : kNoNode;
}

Links links_of(const Graph& graph) {
  Links links;
  links.producer.assign(graph.values.size(), kNoNode);
  links.consumers.resize(graph.values.size());
  links.is_output.assign(graph.values.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue) links.consumers[static_cast<std::size_t>(id)].push_back(static_cast<NodeId>(n));
    }
    for (ValueId id : graph.nodes[n].outputs) {
      if (id != kNoValue) links.producer[static_cast<std::size_t>(id)] = static_cast<NodeId>(n);
    }
  }
  for (const GraphOutput& output : graph.outputs) links.is_output[static_cast<std::size_t>(output.value)] = true;
  return links;
}

ValueId add_value(Graph& graph, std::string name) {
  std::string unique = name;
  for (int suffix = 2; unique.empty() || find_value(graph, unique) != kNoValue; ++suffix) {
    unique = name + "_" + std::to_string(suffix);
  }
  graph.values.emplace_back().name = std::move(unique);
  return static_cast<ValueId>(graph.values.size() - 1);
}

ValueId add_constant(Graph& graph, std::string name, Tensor tensor) {
  const ValueId id = add_value(graph, std::move(name));
  graph.value(id).constant = std::move(tensor);
  return id;
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) std::ranges::replace(node.inputs, from, to);
  for (GraphOutput& output : graph.outputs) {
    if (output.value == from) output.value = to;
  }
}

}  // namespace halfstep::graph
