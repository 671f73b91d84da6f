// groups.cpp: tensors on one grid are joined, then every node brings what it writes and what it multiplies by.
#include "sensitivity/groups.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::sensitivity {
namespace {

using graph::NodeId;
using graph::ValueId;

/// Sets of values that share a grid.
class Joined {
 public:
  explicit Joined(std::size_t count) : parents_(count) { std::iota(parents_.begin(), parents_.end(), 0); }

  std::size_t root(std::size_t v) {
    while (parents_[v] != v) v = parents_[v] = parents_[parents_[v]];
    return v;
  }
  void join(ValueId a, ValueId b) { parents_[root(static_cast<std::size_t>(b))] = root(static_cast<std::size_t>(a)); }

 private:
  std::vector<std::size_t> parents_;
};

const TensorEncoding* encoding_of(const QuantizedGraph& model, ValueId id) {
  return id == graph::kNoValue ? nullptr : find_encoding(model.encodings, model.graph.value(id).name);
}

bool on_one_grid(const QuantizedGraph& model, ValueId a, ValueId b) {
  const TensorEncoding* first = encoding_of(model, a);
  const TensorEncoding* second = encoding_of(model, b);
  return first != nullptr && second != nullptr && first->encoding == second->encoding;
}

/// Joins what has to be on one grid, and a layer's output with what the activation behind it makes of it.
Joined join_tensors(const QuantizedGraph& model, const ops::Facts& facts) {
  const graph::Graph& graph = model.graph;
  const graph::Links links = graph::links_of(graph);
  Joined joined(graph.values.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || node.outputs.empty() || node.outputs[0] == graph::kNoValue || node.inputs.empty()) continue;
    const ValueId output = node.outputs[0];
    if (op->output_rule == ops::OutputRule::kSameAsInput && on_one_grid(model, node.inputs[0], output)) {
      for (const ValueId id : node.outputs) {
        if (on_one_grid(model, node.inputs[0], id)) joined.join(node.inputs[0], id);
      }
    } else if (op->output_rule == ops::OutputRule::kSameAsInputs) {
      for (const ValueId id : node.inputs) {
        if (on_one_grid(model, id, output)) joined.join(output, id);
      }
    } else if (ops::weight_of(graph, node) != graph::kNoValue) {
      const NodeId activation = ops::activation_behind(graph, links, facts, static_cast<NodeId>(n));
      if (activation != graph::kNoNode) joined.join(output, graph.node(activation).outputs[0]);
    }
  }
  return joined;
}

std::int64_t elements_of(const ops::Facts& facts, ValueId id) {
  const std::optional<TensorType>& type = facts[static_cast<std::size_t>(id)].type;
  return type ? type->shape.num_elements() : 0;
}

/// Collects groups by the node that speaks for them; inputs of the model come first.
class Grouper {
 public:
  Grouper(const QuantizedGraph& model, const ops::Facts& facts)
      : model_(model), graph_(model.graph), facts_(facts), joined_(join_tensors(model, facts)) {}

  std::vector<QuantizerGroup> run() {
    find_owners();
    for (std::size_t v = 0; v < graph_.values.size(); ++v) add_activation(static_cast<ValueId>(v));
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      for (const ValueId id : graph_.nodes[n].inputs) add_constant(static_cast<NodeId>(n), id);
    }
    std::vector<QuantizerGroup> groups;
    for (auto& [owner, group] : groups_) {
      name(owner, group);
      groups.push_back(std::move(group));
    }
    return groups;
  }

 private:
  /// A node, or an input of the model: -1 for the first of n inputs is written as -n, so that all sort before nodes.
  using Owner = std::int64_t;

  /// A Concat speaks for what it joins; else who writes the first of the tensors, which is the layer.
  void find_owners() {
    const auto num_inputs = static_cast<Owner>(graph_.inputs.size());
    for (Owner i = 0; i < num_inputs; ++i) {
      const ValueId id = graph_.inputs[static_cast<std::size_t>(i)].value;
      owners_.emplace(root_of(id), i - num_inputs);
      writers_.emplace(id, 0);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      const ops::OpDef* op = ops::find_op(node);
      for (const ValueId id : node.outputs) {
        if (id == graph::kNoValue) continue;
        writers_.emplace(id, n);
        const bool joins = op != nullptr && op->output_rule == ops::OutputRule::kSameAsInputs &&
                           std::ranges::any_of(node.inputs, [&](ValueId in) { return on_one_grid(model_, in, id); });
        const auto [at, is_new] = owners_.emplace(root_of(id), static_cast<Owner>(n));
        if (joins) at->second = static_cast<Owner>(n);
      }
    }
  }

  std::size_t root_of(ValueId id) { return joined_.root(static_cast<std::size_t>(id)); }

  QuantizerGroup& group_at(Owner owner, std::size_t node) {
    const auto [at, is_new] = groups_.try_emplace(owner);
    if (is_new) at->second.first_node = node;
    at->second.first_node = std::min(at->second.first_node, node);
    return at->second;
  }

  void add_activation(ValueId id) {
    const auto writer = writers_.find(id);
    if (writer == writers_.end() || encoding_of(model_, id) == nullptr) return;
    QuantizerGroup& group = group_at(owners_.at(root_of(id)), writer->second);
    group.activations.push_back(graph_.value(id).name);
    group.num_activations += elements_of(facts_, id);
  }

  /// With the first node that reads it.
  void add_constant(NodeId n, ValueId id) {
    const TensorEncoding* encoding = encoding_of(model_, id);
    if (encoding == nullptr || graph::constant_of(graph_, id) == nullptr || !seen_.insert(id).second) return;
    QuantizerGroup& group = group_at(n, static_cast<std::size_t>(n));
    if (encoding->role == TensorRole::kBias) {
      group.biases.push_back(graph_.value(id).name);
    } else {
      group.weights.push_back(graph_.value(id).name);
      group.num_weights += elements_of(facts_, id);
    }
  }

  void name(Owner owner, QuantizerGroup& group) const {
    if (owner < 0) {
      const auto index = static_cast<std::size_t>(owner + static_cast<Owner>(graph_.inputs.size()));
      group.name = "input " + quoted(graph_.value(graph_.inputs[index].value).name);
      return;
    }
    group.node = static_cast<NodeId>(owner);
    const graph::Node& node = graph_.node(group.node);
    group.op = node.op_type;
    group.name = node.name.empty() ? graph_.value(node.outputs[0]).name : node.name;
    group.macs = macs_of(node, facts_);
  }

  const QuantizedGraph& model_;
  const graph::Graph& graph_;
  const ops::Facts& facts_;
  Joined joined_;
  std::map<std::size_t, Owner> owners_;     // By root of joined_.
  std::map<ValueId, std::size_t> writers_;  // Index of the node, 0 for inputs of the model.
  std::set<ValueId> seen_;                  // Constants.
  std::map<Owner, QuantizerGroup> groups_;
};

}  // namespace

std::vector<QuantizerGroup> quantizer_groups(const QuantizedGraph& model, const ops::Facts& facts) {
  return Grouper(model, facts).run();
}

const std::string& first_tensor(const QuantizerGroup& group) {
  return !group.activations.empty() ? group.activations.front()
         : !group.weights.empty()   ? group.weights.front()
                                    : group.biases.front();
}

std::int64_t macs_of(const graph::Node& node, const ops::Facts& facts) {
  const ops::OpDef* op = ops::find_op(node);
  const bool is_linear = op != nullptr && op->operands.find(ops::OperandRole::kWeight).has_value();
  if (!is_linear || node.outputs.empty() || node.outputs[0] == graph::kNoValue) return 0;
  const std::int64_t outputs = elements_of(facts, node.outputs[0]);
  const ValueId right = node.inputs[*op->operands.find(ops::OperandRole::kWeight)];
  const std::int64_t elements = elements_of(facts, right);
  if (outputs == 0 || elements == 0) return 0;
  const Shape& weight = facts[static_cast<std::size_t>(right)].type->shape;
  const Shape& made = facts[static_cast<std::size_t>(node.outputs[0])].type->shape;
  if (node.op_type == "ConvTranspose") {
    // Every element of the input meets every weight of its group once.
    const std::int64_t inputs = elements_of(facts, node.inputs[0]);
    return weight.rank() == 0 || weight[0] == 0 ? 0 : inputs * (elements / weight[0]);
  }
  if (node.op_type == "MatMul") return weight.rank() == 0 ? 0 : outputs * weight[std::max(weight.rank() - 2, 0)];
  const int axis = ops::output_channel_axis(*op, made.rank());
  const std::int64_t channels = axis >= 0 && axis < made.rank() ? made[axis] : 1;
  return channels == 0 ? 0 : outputs * (elements / channels);
}

}  // namespace halfstep::sensitivity
