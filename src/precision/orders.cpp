// orders.cpp: own orders, QNN's rule for linear nodes, widths along data movement.
#include "precision/orders.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/node_parts.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

std::string_view format_name(graph::RealFormat format) {
  return format == graph::RealFormat::kFloat16 ? "float16" : "float32";
}

std::string shown_end(double end) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", end);
  return text;
}

std::string asked(const Order& order) {
  std::vector<std::string> parts;
  if (order.bits) parts.push_back(std::to_string(*order.bits) + " bits");
  if (order.real) parts.emplace_back(format_name(*order.real));
  if (order.symmetric) parts.emplace_back(*order.symmetric ? "symmetric" : "asymmetric");
  if (order.per_channel) parts.emplace_back(*order.per_channel ? "a grid for each channel" : "one grid");
  if (order.range) parts.push_back("range [" + shown_end(order.range->min) + ", " + shown_end(order.range->max) + "]");
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text + ": " + order.by;
}

std::optional<Schema> schema_of(const Order& order) {
  if (!order.symmetric) return std::nullopt;
  if (!*order.symmetric) return Schema::kAsymmetric;
  return order.unsigned_symmetric ? Schema::kUnsignedSymmetric : Schema::kSymmetric;
}

class Settler {
 public:
  Settler(const graph::Graph& graph, const ops::Facts& facts, const Options& options, const Given& given)
      : graph_(graph), facts_(facts), options_(options), given_(given), settled_(graph.values.size()) {}

  SettledOrders own() {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) take_own(static_cast<ValueId>(v));
    return settled_;
  }

  SettledOrders settle() {
    (void)own();
    for (const graph::Node& node : graph_.nodes) keep_outputs_together(node);
    for (const graph::Node& node : graph_.nodes) keep_linear_together(node);
    for (const int bits : {16, 8, 4}) {
      while (spread(bits)) {
      }
    }
    return std::move(settled_);
  }

 private:
  SettledOrder& of(ValueId id) { return settled_[static_cast<std::size_t>(id)]; }

  void take_own(ValueId id) {
    const auto orders = given_.orders.find(graph_.value(id).name);
    if (orders == given_.orders.end()) return;
    SettledOrder& settled = of(id);
    for (const Order& order : orders->second) {
      settled.story.push_back(asked(order));
      if (order.bits || order.real) {
        settled.bits = order.bits;
        settled.real = order.real;
      }
      if (order.symmetric) settled.schema = schema_of(order);
      if (order.per_channel) settled.per_channel = order.per_channel;
      if (order.range) settled.range = order.range;
    }
  }

  /// A node computes in one kind of numbers.
  void keep_outputs_together(const graph::Node& node) {
    const auto is_real = [&](ValueId id) { return id != graph::kNoValue && of(id).real; };
    const auto first = std::ranges::find_if(node.outputs, is_real);
    if (first == node.outputs.end()) return;
    for (const ValueId id : node.outputs) {
      if (id == graph::kNoValue || id == *first || !ops::is_float(facts_, id)) continue;
      if (of(id).real == of(*first).real) continue;
      of(id).real = of(*first).real;
      of(id).bits.reset();
      of(id).story.push_back(std::string(format_name(*of(id).real)) + ": so is " + quoted(graph_.value(*first).name) +
                             ", another output of " + graph::describe(graph_, node));
    }
  }

  /// Output, weight, bias.
  std::array<ValueId, 3> tensors_of_linear(const graph::Node& node) const {
    return {node.outputs[0], ops::weight_of(graph_, node), ops::bias_of(graph_, node)};
  }

  void keep_linear_together(const graph::Node& node) {
    if (!ops::is_integer_node(node, facts_) || ops::find_op(node)->channels.weight_output_axis == nullptr) return;
    const std::array<ValueId, 3> tensors = tensors_of_linear(node);
    const auto is_real = [&](ValueId id) { return id != graph::kNoValue && of(id).real; };
    const auto* first = std::ranges::find_if(tensors, is_real);
    if (first == tensors.end()) return;
    for (const ValueId id : tensors) {
      if (id == graph::kNoValue || of(id).real) continue;
      SettledOrder& settled = of(id);
      settled.real = of(*first).real;
      settled.bits.reset();
      settled.story.push_back(std::string(format_name(*settled.real)) + ": so is " + quoted(graph_.value(*first).name) +
                              ", and " + graph::describe(graph_, node) +
                              " computes on integers only or on real numbers only");
      if (id != tensors.back() || options_.mixed.float_bias_bits != 16) continue;
      settled.real = graph::RealFormat::kFloat16;
      settled.story.emplace_back("float16: --float_bias_bitwidth 16");
    }
  }

  bool takes_width(ValueId id) {
    return id != graph::kNoValue && ops::is_float(facts_, id) && !of(id).bits && !of(id).real &&
           find_encoding(given_.encodings, graph_.value(id).name) == nullptr;
  }

  bool hand_on(ValueId from, ValueId to, const graph::Node& node) {
    if (!takes_width(to)) return false;
    of(to).bits = of(from).bits;
    of(to).story.push_back(std::to_string(*of(from).bits) + " bits: so has " + quoted(graph_.value(from).name) +
                           ", and " + graph::describe(graph_, node) + " keeps the precision of its data");
    return true;
  }

  /// One step of `bits` along data movement. True if an order was added.
  bool spread(int bits) {
    bool changed = false;
    const auto has_width = [&](ValueId id) { return id != graph::kNoValue && of(id).bits == bits; };
    for (const graph::Node& node : graph_.nodes) {
      const Part part = part_of(graph_, node, facts_);
      const bool joins = part == Part::kJoin && bits > options_.act_bits;
      if ((!joins && part != Part::kMove) || of(node.outputs[0]).real) continue;
      std::vector<ValueId> data;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (ops::operand_role(graph_, node, i) == ops::OperandRole::kData && (joins || data.empty()))
          data.push_back(node.inputs[i]);
      }
      std::vector<ValueId> all = data;
      all.insert(all.end(), node.outputs.begin(), node.outputs.end());
      const auto from = std::ranges::find_if(all, has_width);
      if (from == all.end()) continue;
      const ValueId source = *from;
      for (const ValueId id : all) changed = hand_on(source, id, node) || changed;
    }
    return changed;
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const Options& options_;
  const Given& given_;
  SettledOrders settled_;
};

}  // namespace

SettledOrders settle(const graph::Graph& graph, const ops::Facts& facts, const Options& options, const Given& given) {
  if (given.orders.empty()) return SettledOrders(graph.values.size());
  return Settler(graph, facts, options, given).settle();
}

SettledOrders settle_own(const graph::Graph& graph, const Given& given) {
  const ops::Facts no_facts;
  const Options no_options;
  return Settler(graph, no_facts, no_options, given).own();
}

GridRequest ordered_grid(GridRequest request, const SettledOrder& order) {
  if (order.bits) request.bits = *order.bits;
  if (order.schema && request.scale == ScaleKind::kAffine) request.schema = *order.schema;
  return request;
}

bool is_ordered_real(const graph::Node& node, const SettledOrders& orders) {
  return node.outputs[0] != graph::kNoValue && orders[static_cast<std::size_t>(node.outputs[0])].real.has_value();
}

}  // namespace halfstep::precision
