// order.cpp: topological order, removal of what is unused, and the checks.
#include <queue>
#include <unordered_set>

#include "core/text.hpp"
#include "graph/graph.hpp"

namespace halfstep::graph {
namespace {

Error broken(std::string fact) { return {ErrorCode::kInvalidInput, std::move(fact)}; }

bool in_range(const Graph& graph, ValueId id) { return id >= 0 && static_cast<std::size_t>(id) < graph.values.size(); }

}  // namespace

Graph remove_unused(Graph graph) {
  const Links links = links_of(graph);
  std::vector<bool> node_used(graph.nodes.size(), false);
  std::vector<ValueId> pending;
  for (const GraphOutput& output : graph.outputs) pending.push_back(output.value);
  while (!pending.empty()) {
    const NodeId n = links.producer[static_cast<std::size_t>(pending.back())];
    pending.pop_back();
    if (n == kNoNode || node_used[static_cast<std::size_t>(n)]) continue;
    node_used[static_cast<std::size_t>(n)] = true;
    for (ValueId id : graph.node(n).inputs) {
      if (id != kNoValue) pending.push_back(id);
    }
  }

  std::vector<bool> value_used(graph.values.size(), false);
  const auto use = [&](ValueId id) {
    if (id != kNoValue) value_used[static_cast<std::size_t>(id)] = true;
  };
  for (const GraphInput& input : graph.inputs) use(input.value);
  for (const GraphOutput& output : graph.outputs) use(output.value);
  for (const Capture& capture : graph.captures) use(capture.inner);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!node_used[n]) continue;
    for (ValueId id : graph.nodes[n].inputs) use(id);
    // An output nobody reads is dropped, unless it is the node's only trace.
    for (std::size_t i = 0; i < graph.nodes[n].outputs.size(); ++i) {
      ValueId& id = graph.nodes[n].outputs[i];
      if (id == kNoValue) continue;
      const auto v = static_cast<std::size_t>(id);
      if (i > 0 && links.consumers[v].empty() && !links.is_output[v]) {
        id = kNoValue;
      } else {
        use(id);
      }
    }
    while (!graph.nodes[n].outputs.empty() && graph.nodes[n].outputs.back() == kNoValue) {
      graph.nodes[n].outputs.pop_back();
    }
  }

  std::vector<ValueId> new_id(graph.values.size(), kNoValue);
  std::vector<Value> values;
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (!value_used[v]) continue;
    new_id[v] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[v]));
  }
  const auto renumber = [&](ValueId& id) {
    if (id != kNoValue) id = new_id[static_cast<std::size_t>(id)];
  };
  std::vector<Node> nodes;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!node_used[n]) continue;
    for (ValueId& id : graph.nodes[n].inputs) renumber(id);
    for (ValueId& id : graph.nodes[n].outputs) renumber(id);
    nodes.push_back(std::move(graph.nodes[n]));
  }
  graph.values = std::move(values);
  graph.nodes = std::move(nodes);
  for (GraphInput& input : graph.inputs) renumber(input.value);
  for (GraphOutput& output : graph.outputs) renumber(output.value);
  for (Capture& capture : graph.captures) renumber(capture.inner);
  return graph;
}

Result<Graph> sort_nodes(Graph graph) {
  const Links links = links_of(graph);
  std::vector<int> missing(graph.nodes.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId id : graph.nodes[n].inputs) {
      if (id != kNoValue && links.producer[static_cast<std::size_t>(id)] != kNoNode) ++missing[n];
    }
  }
  // Smallest file position first keeps the file's order where it is legal.
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  for (std::size_t n = 0; n < missing.size(); ++n) {
    if (missing[n] == 0) ready.push(static_cast<NodeId>(n));
  }
  std::vector<NodeId> order;
  while (!ready.empty()) {
    const NodeId n = ready.top();
    ready.pop();
    order.push_back(n);
    for (ValueId id : graph.node(n).outputs) {
      if (id == kNoValue) continue;
      for (NodeId consumer : links.consumers[static_cast<std::size_t>(id)]) {
        if (--missing[static_cast<std::size_t>(consumer)] == 0) ready.push(consumer);
      }
    }
  }
  if (order.size() != graph.nodes.size()) {
    for (std::size_t n = 0; n < missing.size(); ++n) {
      if (missing[n] > 0) return broken(describe(graph, graph.nodes[n]) + " is part of a cycle or depends on one");
    }
  }
  std::vector<Node> sorted;
  sorted.reserve(order.size());
  for (NodeId n : order) sorted.push_back(std::move(graph.node(n)));
  graph.nodes = std::move(sorted);
  return graph;
}

Result<void> verify(const Graph& graph) {
  std::unordered_set<std::string_view> names;
  for (const Value& value : graph.values) {
    if (value.name.empty()) return broken("a tensor has no name");
    if (!names.insert(value.name).second) return broken("two tensors are called " + quoted(value.name));
  }
  std::vector<bool> written(graph.values.size(), false);
  const auto write = [&](ValueId id) {
    const auto i = static_cast<std::size_t>(id);
    const bool first = !written[i];
    written[i] = true;
    return first;
  };
  const auto twice = [&](ValueId id) { return broken("tensor " + quoted(graph.value(id).name) + " is written twice"); };
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (graph.values[v].constant) written[v] = true;
  }
  for (const Capture& capture : graph.captures) {
    if (!in_range(graph, capture.inner)) return broken("a captured tensor does not exist");
    if (!write(capture.inner)) return twice(capture.inner);
  }
  for (const GraphInput& input : graph.inputs) {
    if (!in_range(graph, input.value)) return broken("a graph input does not exist");
    if (!write(input.value)) return twice(input.value);
  }
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      if (!in_range(graph, id)) return broken(describe(graph, node) + " reads a tensor that does not exist");
      if (!written[static_cast<std::size_t>(id)]) {
        return broken(describe(graph, node) + " reads " + quoted(graph.value(id).name) + " before anything writes it");
      }
    }
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (!in_range(graph, id)) return broken(describe(graph, node) + " writes a tensor that does not exist");
      if (!write(id)) return twice(id);
    }
  }
  for (const GraphOutput& output : graph.outputs) {
    if (!in_range(graph, output.value)) return broken("a graph output does not exist");
    if (!written[static_cast<std::size_t>(output.value)]) {
      return broken("graph output " + quoted(graph.value(output.value).name) + " is written by nothing");
    }
  }
  return {};
}

}  // namespace halfstep::graph
