// narrow_guards.cpp: in and out again.
#include "io/onnx/narrow_guards.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr float kNoLimit = -std::numeric_limits<float>::infinity();

/// QuantizeLinear or DequantizeLinear of an activation on a grid of 4 bits.
bool is_narrow(const Graph& graph, const Node& node, const char* op_type) {
  return node.op_type == op_type && node.inputs.size() > 2 && node.inputs[2] != kNoValue &&
         graph.value(node.inputs[2]).narrow_bits == 4 && graph::constant_of(graph, node.inputs[0]) == nullptr;
}

bool is_guard(const Graph& graph, const Node& node) {
  if (node.op_type != "Max" || node.inputs.size() != 2) return false;
  const Tensor* bound = graph::constant_of(graph, node.inputs[1]);
  return bound != nullptr && bound->dtype() == DType::kFloat32 && bound->num_elements() == 1 &&
         bound->values<float>()[0] == kNoLimit;
}

class NarrowGuards {
 public:
  explicit NarrowGuards(Graph graph) : graph_(std::move(graph)), links_(graph::links_of(graph_)) {}

  Graph run() {
    for (Node& node : std::exchange(graph_.nodes, {})) {
      for (ValueId& id : node.inputs) {
        if (const auto guarded = guarded_.find(id); guarded != guarded_.end()) id = guarded->second;
      }
      for (ValueId& id : node.outputs) {
        if (const auto before = unguarded_.find(id); before != unguarded_.end()) id = before->second;
      }
      for (const ValueId id : node.outputs) {
        if (const auto after = after_.find(id); after != after_.end()) pending_.push_back(guard(id, after->second));
      }
      graph_.nodes.push_back(std::move(node));
      std::ranges::move(pending_, std::back_inserter(graph_.nodes));
      pending_.clear();
    }
    return std::move(graph_);
  }

  /// Which values get a guard. Requires: before run().
  void find() {
    for (const Node& node : std::vector<Node>(graph_.nodes)) {
      if (is_narrow(graph_, node, "QuantizeLinear") && producer(node.inputs[0]) != kNoNode) {
        const ValueId before = graph::add_value(graph_, graph_.value(node.inputs[0]).name + "_unguarded");
        unguarded_[node.inputs[0]] = before;
        after_[before] = node.inputs[0];
      }
      if (is_narrow(graph_, node, "DequantizeLinear") && !links_.consumers[at(node.outputs[0])].empty()) {
        const ValueId behind = graph::add_value(graph_, graph_.value(node.outputs[0]).name + "_guarded");
        guarded_[node.outputs[0]] = behind;
        after_[node.outputs[0]] = behind;
      }
    }
    if (!after_.empty()) bound_ = graph::add_constant(graph_, "guard_bound", Tensor::of<float>(Shape{}, {kNoLimit}));
  }

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }
  NodeId producer(ValueId id) const { return links_.producer[at(id)]; }

  Node guard(ValueId from, ValueId to) const {
    Node node;
    node.name = graph_.value(to).name + "_guard";
    node.op_type = "Max";
    node.inputs = {from, bound_};
    node.outputs = {to};
    return node;
  }

  Graph graph_;
  graph::Links links_;  // Of the graph without guards.
  std::map<ValueId, ValueId> unguarded_, guarded_;
  std::map<ValueId, ValueId> after_;  // What a guard reads, and what it writes.
  ValueId bound_ = kNoValue;
  std::vector<Node> pending_;
};

}  // namespace

Graph insert_narrow_guards(Graph graph) {
  NarrowGuards guards(std::move(graph));
  guards.find();
  return guards.run();
}

void remove_narrow_guards(Graph& graph) {
  const graph::Links links = graph::links_of(graph);
  std::vector<bool> gone(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!is_guard(graph, graph.nodes[n])) continue;
    const ValueId from = graph.nodes[n].inputs[0];
    const ValueId to = graph.nodes[n].outputs[0];
    const NodeId producer = links.producer[static_cast<std::size_t>(from)];
    const NodeId reader = links.single_consumer(to);
    if (producer == kNoNode) continue;
    if (is_narrow(graph, graph.node(producer), "DequantizeLinear")) {
      graph::replace_uses(graph, to, from);
    } else if (reader != kNoNode && is_narrow(graph, graph.node(reader), "QuantizeLinear")) {
      std::ranges::replace(graph.node(producer).outputs, from, to);
    } else {
      continue;
    }
    gone[n] = true;
  }
  std::vector<Node> kept;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!gone[n]) kept.push_back(graph.nodes[n]);
  }
  if (kept.size() == graph.nodes.size()) return;
  graph.nodes = std::move(kept);
  graph = graph::remove_unused(std::move(graph));
}

}  // namespace halfstep::io
