// target_orders.cpp: operator by operator.
#include "precision/target_orders.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/target.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

bool has_width(const std::vector<NumberKind>& kinds, int bits) {
  return std::ranges::find(kinds, NumberKind{bits, false}) != kinds.end();
}

std::string activation_of(const graph::FusedClamp& clamp) {
  if (clamp.min == 0.0F && std::isinf(clamp.max)) return "Relu";
  return clamp.min == 0.0F && clamp.max == 6.0F ? "Relu6" : "Clip";
}

ValueId bound(graph::Graph& graph, const std::string& name, float value) {
  if (std::isinf(value)) return graph::kNoValue;
  return graph::add_constant(graph, name, Tensor::of(Shape(), {value}));
}

/// The clamp of `node` as a node of its own.
graph::Node take_clamp(graph::Graph& graph, graph::Node& node) {
  const graph::FusedClamp clamp = *std::exchange(node.clamp, std::nullopt);
  const std::string output = graph.value(node.outputs[0]).name;
  graph::Node activation;
  activation.name = clamp.node_name;
  activation.op_type = activation_of(clamp) == "Relu" ? "Relu" : "Clip";
  activation.file_opset = graph.opset;
  activation.outputs = {node.outputs[0]};
  node.outputs[0] = graph::add_value(graph, clamp.pre_name.empty() ? output + "_unclamped" : clamp.pre_name);
  activation.inputs = {node.outputs[0]};
  if (activation.op_type == "Clip") {
    activation.inputs.push_back(bound(graph, output + "_min", clamp.min));
    activation.inputs.push_back(bound(graph, output + "_max", clamp.max));
  }
  return activation;
}

/// Operands that carry data, and output 0.
std::vector<ValueId> data_of(const graph::Graph& graph, const ops::Facts& facts, const graph::Node& node) {
  std::vector<ValueId> data{node.outputs[0]};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    if (id == graph::kNoValue || !ops::is_float(facts, id)) continue;
    if (ops::operand_role(graph, node, i) == ops::OperandRole::kData) data.push_back(id);
  }
  return data;
}

void order_output(const graph::Graph& graph, const graph::Node& node, const OperatorRule& rule, const Options& options,
                  const std::string& target, Orders& orders) {
  if (has_width(rule.activations, options.act_bits)) return;
  Order order{.by = target + ": " + node.op_type + " has activations of " + text_of(rule.activations)};
  order.bits = legal_bits(rule.activations, options.act_bits);
  if (!order.bits) order.real = graph::real_format(rule.activations.front().bits);
  for (const ValueId id : node.outputs) {
    if (id != graph::kNoValue) orders[graph.value(id).name].push_back(order);
  }
}

void order_parameter(const graph::Graph& graph, ValueId id, const std::vector<NumberKind>& kinds, int bits,
                     const std::string& by, Orders& orders) {
  if (id == graph::kNoValue || has_width(kinds, bits)) return;
  if (const std::optional<int> legal = legal_bits(kinds, bits)) {
    orders[graph.value(id).name].push_back({.bits = *legal, .by = by + " of " + text_of(kinds)});
  }
}

/// One step of widths through `node`. True if an order was added.
bool hand_width_on(const graph::Graph& graph, const graph::Node& node, const std::vector<ValueId>& data,
                   const SettledOrders& settled, const Options& options, const std::string& target, Given& given) {
  int widest = 0;
  for (const ValueId id : data) widest = std::max(widest, planned_bits(graph, id, settled, options, given));
  bool changed = false;
  for (const ValueId id : data) {
    const std::string& name = graph.value(id).name;
    const SettledOrder& order = settled[static_cast<std::size_t>(id)];
    const bool is_settled = order.bits || order.real || find_encoding(given.encodings, name) != nullptr;
    if (is_settled || planned_bits(graph, id, settled, options, given) == widest) continue;
    given.orders[name].push_back(
        {.bits = widest, .by = target + ": " + graph::describe(graph, node) + " keeps the precision of its data"});
    changed = true;
  }
  return changed;
}

void fix_output(const graph::Graph& graph, const graph::Node& node, const OperatorRule& rule, int bits,
                const std::string& target, Given& given) {
  const Encoding* fixed = rule.fixed_output(bits);
  if (fixed == nullptr) return;
  given.encodings.emplace(graph.value(node.outputs[0]).name, TensorEncoding{.encoding = *fixed,
                                                                            .role = TensorRole::kActivation,
                                                                            .provenance = {Origin::kFixed, target},
                                                                            .codes = {},
                                                                            .frozen = true});
}

}  // namespace

graph::Graph split_clamps(graph::Graph graph, const TargetProfile& target) {
  if (!target.fused) return graph;
  std::vector<graph::Node> nodes;
  for (graph::Node& node : graph.nodes) {
    nodes.push_back(std::move(node));
    graph::Node& last = nodes.back();
    if (!last.clamp || last.clamp->channels) continue;
    const std::pair<std::string, std::string> pair{last.op_type, activation_of(*last.clamp)};
    if (std::ranges::find(*target.fused, pair) != target.fused->end()) continue;
    graph::Node activation = take_clamp(graph, last);
    nodes.push_back(std::move(activation));
  }
  graph.nodes = std::move(nodes);
  return graph;
}

Orders target_orders(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                     const TargetProfile& target, std::vector<std::string>& warnings) {
  Orders orders;
  const std::string by = "target " + target.name;
  for (const graph::Node& node : graph.nodes) {
    if (!ops::is_integer_node(node, facts)) continue;
    const OperatorRule* rule = target.rule_of(node.op_type);
    if (rule != nullptr) {
      order_output(graph, node, *rule, options, by, orders);
      const std::string start = by + ": " + node.op_type;
      order_parameter(graph, ops::weight_of(graph, node), rule->weights, options.weight_bits, start + " has weights",
                      orders);
      order_parameter(graph, ops::bias_of(graph, node), rule->biases, options.bias_bits, start + " has biases", orders);
    } else if (!target.host.empty()) {
      const Order real{.real = graph::real_format(target.host.front().bits), .by = by + " has no " + node.op_type};
      for (const ValueId id : node.outputs) {
        if (id != graph::kNoValue && ops::is_float(facts, id)) orders[graph.value(id).name].push_back(real);
      }
      warnings.push_back(graph::describe(graph, node) + " stays float: " + by + " has no " + node.op_type);
    }
  }
  return orders;
}

void follow_target(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                   const TargetProfile& target, Given& given) {
  const std::string by = "target " + target.name;
  SettledOrders settled = settle(graph, facts, options, given);
  for (bool changed = true; changed;) {
    changed = false;
    for (const graph::Node& node : graph.nodes) {
      const OperatorRule* rule = target.rule_of(node.op_type);
      if (rule == nullptr || !rule->keeps_precision || !ops::is_integer_node(node, facts)) continue;
      if (is_ordered_real(node, settled)) continue;
      if (!hand_width_on(graph, node, data_of(graph, facts, node), settled, options, by, given)) continue;
      changed = true;
      settled = settle(graph, facts, options, given);
    }
  }
  for (const graph::Node& node : graph.nodes) {
    const OperatorRule* rule = target.rule_of(node.op_type);
    if (rule == nullptr || rule->fixed_outputs.empty() || !ops::is_integer_node(node, facts)) continue;
    if (is_ordered_real(node, settled)) continue;
    fix_output(graph, node, *rule, planned_bits(graph, node.outputs[0], settled, options, given), by, given);
  }
}

int planned_bits(const graph::Graph& graph, ValueId id, const SettledOrders& settled, const Options& options,
                 const Given& given) {
  const TensorEncoding* entry = find_encoding(given.encodings, graph.value(id).name);
  if (entry != nullptr) return storage_bits(entry->encoding.grid());
  return settled[static_cast<std::size_t>(id)].bits.value_or(options.act_bits);
}

}  // namespace halfstep::precision
