// convert_inserter.cpp: nodes are collected first, so that ids stay what they are.
#include "precision/convert_inserter.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace halfstep::precision {

using graph::NodeId;
using graph::ValueId;

ValueId ConvertInserter::add(ValueId from, const std::string& name, const std::vector<OperandUse>& uses) {
  ValueId to = graph::kNoValue;
  if (const Tensor* constant = graph::constant_of(graph_, from)) {
    const Tensor copy = *constant;
    to = graph::add_constant(graph_, name, copy);
  } else {
    to = graph::add_value(graph_, name);
    graph_.value(to).pinned = true;
    graph::Node node;
    node.name = graph_.value(to).name;
    node.op_type = "Identity";
    node.inputs = {from};
    node.outputs = {to};
    node.file_opset = graph_.opset;
    in_front_[uses[0].node].push_back(std::move(node));
  }
  for (const OperandUse& use : uses) graph_.node(use.node).inputs[use.operand] = to;
  return to;
}

void ConvertInserter::finish() {
  std::vector<graph::Node> nodes;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const auto before = in_front_.find(static_cast<NodeId>(n));
    if (before != in_front_.end()) std::ranges::move(before->second, std::back_inserter(nodes));
    nodes.push_back(std::move(graph_.nodes[n]));
  }
  graph_.nodes = std::move(nodes);
  in_front_.clear();
}

RecordedConverts record_converts(const graph::Graph& graph, const std::map<std::string, std::string>& names) {
  RecordedConverts converts;
  for (const auto& [name, from] : names) converts[name].from = from;
  for (const graph::Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      if (id == graph::kNoValue) continue;
      const auto convert = converts.find(graph.value(id).name);
      if (convert == converts.end()) continue;
      std::vector<std::string>& readers = convert->second.readers;
      const std::string& reader = graph.value(node.outputs[0]).name;
      if (std::ranges::find(readers, reader) == readers.end()) readers.push_back(reader);
    }
  }
  return converts;
}

namespace {

/// Where nodes that write one of `readers` read `from`.
std::vector<OperandUse> uses_in(const graph::Graph& graph, ValueId from, const std::vector<std::string>& readers) {
  std::vector<OperandUse> uses;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    if (std::ranges::find(readers, graph.value(node.outputs[0]).name) == readers.end()) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == from) uses.push_back({static_cast<NodeId>(n), i});
    }
  }
  return uses;
}

}  // namespace

std::map<std::string, std::string> restore_converts(graph::Graph& graph, const RecordedConverts& converts) {
  std::map<std::string, std::string> restored;
  // A convert may read another one: as long as there is one whose tensor is there.
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [name, convert] : converts) {
      if (graph::find_value(graph, name) != graph::kNoValue) continue;
      const ValueId from = graph::find_value(graph, convert.from);
      if (from == graph::kNoValue) continue;
      std::vector<std::string> readers = convert.readers;
      // Converts of converts are readers that are not there yet: theirs are as good.
      for (std::size_t i = 0; i < readers.size(); ++i) {
        const auto inner = converts.find(readers[i]);
        if (inner != converts.end())
          readers.insert(readers.end(), inner->second.readers.begin(), inner->second.readers.end());
      }
      const std::vector<OperandUse> uses = uses_in(graph, from, readers);
      if (uses.empty()) continue;
      ConvertInserter inserter(graph);
      inserter.add(from, name, uses);
      inserter.finish();
      restored.emplace(name, convert.from);
      changed = true;
    }
  }
  return restored;
}

}  // namespace halfstep::precision
