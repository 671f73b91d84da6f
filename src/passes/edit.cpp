// edit.cpp: matching and rewriting of a Graph.
#include "passes/edit.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

namespace halfstep::passes {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

namespace {

using Subgraph = std::shared_ptr<const Graph>;

}  // namespace

NodeId Edit::producer_of_type(ValueId id, std::string_view op_type) const {
  const NodeId n = producer(id);
  return n != kNoNode && plain(node(n), op_type) && node(n).outputs[0] == id ? n : kNoNode;
}

bool Edit::is_private(ValueId id) const {
  return id != kNoValue && !graph.value(id).pinned && links.single_consumer(id) != kNoNode;
}

NodeId Edit::private_consumer(ValueId id) const { return is_private(id) ? links.single_consumer(id) : kNoNode; }

void Edit::detach(NodeId id) {
  node(id).inputs.clear();
  node(id).outputs.clear();
}

bool plain(const Node& node, std::string_view op_type) {
  return node.op_type == op_type && node.domain.empty() && !node.clamp && !node.outputs.empty() &&
         node.outputs[0] != kNoValue;
}

ValueId input_of(const Node& node, std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNoValue; }

bool only_first_output(const Node& node) {
  return !node.outputs.empty() && node.outputs[0] != kNoValue &&
         std::all_of(node.outputs.begin() + 1, node.outputs.end(), [](ValueId id) { return id == kNoValue; });
}

Graph rewrite(Graph graph, const Rule& rule) {
  Edit edit(std::move(graph));
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
      // A rule shrinks the graph or moves it towards a normal form, so this ends.
      while (!edit.graph.nodes[n].outputs.empty() && rule(edit, static_cast<NodeId>(n))) {
        edit.refresh();
        changed = true;
      }
    }
  }
  return drop_unused(std::move(edit.graph));
}

Result<Graph> rewrite(Graph graph, const PassContext& context, const FactRule& rule) {
  const Result<ops::Facts> facts = ops::infer_invariant_facts(graph, context.shapes);
  if (!facts.ok()) return facts.error();
  return rewrite(std::move(graph), [&](Edit& edit, NodeId n) { return rule(edit, n, *facts); });
}

Graph drop_unused(Graph graph) {
  std::map<const Graph*, std::vector<std::string>> captured;  // Names of the values each subgraph captures.
  for (const Node& node : graph.nodes) {
    for (const auto& [name, attribute] : node.attributes) {
      const auto* inner = std::get_if<Subgraph>(&attribute);
      if (inner == nullptr || (*inner)->captures.empty()) continue;
      auto& names = captured[inner->get()];
      names.clear();
      for (const graph::Capture& capture : (*inner)->captures) names.push_back(graph.value(capture.outer).name);
    }
  }
  graph = graph::remove_unused(std::move(graph));
  if (captured.empty()) return graph;

  std::map<std::string_view, ValueId> by_name;
  for (std::size_t v = 0; v < graph.values.size(); ++v) by_name[graph.values[v].name] = static_cast<ValueId>(v);
  for (Node& node : graph.nodes) {
    std::vector<std::pair<std::string, Subgraph>> moved;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* inner = std::get_if<Subgraph>(&attribute);
      if (inner == nullptr || (*inner)->captures.empty()) continue;
      const std::vector<std::string>& names = captured[inner->get()];
      auto copy = std::make_shared<Graph>(**inner);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const auto at = by_name.find(names[i]);
        copy->captures[i].outer = at == by_name.end() ? kNoValue : at->second;
      }
      moved.emplace_back(name, std::move(copy));
    }
    for (auto& [name, inner] : moved) node.attributes.set(name, inner);
  }
  return graph;
}

bool bypass(Edit& edit, NodeId node, ValueId source) {
  const ValueId output = edit.node(node).outputs[0];
  if (edit.graph.value(output).pinned) return false;
  if (edit.graph.value(output).format != edit.graph.value(source).format) return false;  // It rounds.
  if (!edit.links.is_output[index(output)]) {
    edit.detach(node);
    graph::replace_uses(edit.graph, output, source);
    return true;
  }
  const NodeId producer = edit.producer(source);
  if (producer == kNoNode || edit.links.is_output[index(source)] || edit.graph.value(source).pinned) return false;
  edit.detach(node);
  std::ranges::replace(edit.node(producer).outputs, source, output);
  graph::replace_uses(edit.graph, source, output);
  return true;
}

const Tensor* free_constant(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph::constant_of(graph, id);
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 && !graph.value(id).pinned ? tensor : nullptr;
}

std::optional<double> scalar_of(const Graph& graph, ValueId id) {
  const Tensor* tensor = free_constant(graph, id);
  if (tensor == nullptr || tensor->num_elements() != 1) return std::nullopt;
  return tensor->data<float>()[0];
}

std::optional<std::vector<std::int64_t>> integers_of(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::vector<std::int64_t>{};
  const Tensor* tensor = graph::constant_of(graph, id);
  if (tensor == nullptr || tensor->dtype() == DType::kFloat32) return std::nullopt;
  return to_int64s(*tensor);
}

bool nearly(double a, double b) { return std::abs(a - b) <= 4e-6 * std::max(std::abs(a), std::abs(b)); }

void set_constant_input(Edit& edit, NodeId node, std::size_t input, Tensor tensor, const std::string& name) {
  std::vector<ValueId>& inputs = edit.node(node).inputs;
  if (inputs.size() <= input) inputs.resize(input + 1, kNoValue);
  const ValueId current = inputs[input];
  if (current != kNoValue && edit.is_private(current) && edit.graph.value(current).constant) {
    edit.graph.value(current).constant = std::move(tensor);
    edit.graph.value(current).narrow_bits = 0;
    return;
  }
  const ValueId added = graph::add_constant(edit.graph, name, std::move(tensor));
  edit.node(node).inputs[input] = added;
}

std::string bias_name_for(const std::string& weight_name) {
  constexpr std::string_view kWeight = "weight";
  if (weight_name.ends_with(kWeight)) {
    return weight_name.substr(0, weight_name.size() - kWeight.size()) + "bias";
  }
  return weight_name + "_bias";
}

bool is_closed(const Edit& edit, std::span<const NodeId> nodes, ValueId result) {
  const auto inside = [&](NodeId n) { return std::ranges::find(nodes, n) != nodes.end(); };
  for (NodeId n : nodes) {
    for (ValueId id : edit.node(n).outputs) {
      if (id == kNoValue || id == result) continue;
      if (edit.graph.value(id).pinned || edit.links.is_output[index(id)]) return false;
      if (!std::ranges::all_of(edit.links.consumers[index(id)], inside)) return false;
    }
  }
  return true;
}

void replace_nodes(Edit& edit, std::span<const NodeId> nodes, Node replacement) {
  const NodeId last = nodes.back();
  const Node& model = edit.node(last);
  replacement.name = model.name;
  replacement.outputs = {model.outputs[0]};
  replacement.clamp = model.clamp;
  replacement.file_opset = model.file_opset;
  for (NodeId n : nodes) edit.detach(n);
  edit.node(last) = std::move(replacement);
}

const TensorType* type_of(const ops::Facts& facts, ValueId id) {
  if (id == kNoValue || index(id) >= facts.size() || !facts[index(id)].type) return nullptr;
  return &*facts[index(id)].type;
}

bool same_rank(const ops::Facts& facts, ValueId a, ValueId b) {
  const TensorType* x = type_of(facts, a);
  const TensorType* y = type_of(facts, b);
  return x != nullptr && y != nullptr && x->shape.rank() == y->shape.rank();
}

bool same_attributes(const graph::Attributes& a, const graph::Attributes& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           if (x.first != y.first || x.second.index() != y.second.index()) return false;
           return std::visit(
               [&]<class T>(const T& value) {
                 if constexpr (std::is_same_v<T, Tensor>) {
                   return identical(value, std::get<T>(y.second));
                 } else {
                   return value == std::get<T>(y.second);
                 }
               },
               x.second);
         });
}

bool same_graph(const Graph& a, const Graph& b) {
  const auto same_node = [](const Node& x, const Node& y) {
    return x.op_type == y.op_type && x.domain == y.domain && x.name == y.name && x.inputs == y.inputs &&
           x.outputs == y.outputs && x.clamp == y.clamp && same_attributes(x.attributes, y.attributes);
  };
  const auto same_value = [](const graph::Value& x, const graph::Value& y) {
    return x.name == y.name && x.pinned == y.pinned && x.narrow_bits == y.narrow_bits &&
           x.constant.has_value() == y.constant.has_value() && (!x.constant || identical(*x.constant, *y.constant));
  };
  const auto same_end = [](const auto& x, const auto& y) { return x.value == y.value; };
  return std::ranges::equal(a.nodes, b.nodes, same_node) && std::ranges::equal(a.values, b.values, same_value) &&
         std::ranges::equal(a.inputs, b.inputs, same_end) && std::ranges::equal(a.outputs, b.outputs, same_end);
}

}  // namespace halfstep::passes
