// insert_converts.cpp: first into integers, then into half precision.
#include "precision/insert_converts.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/node_parts.hpp"

namespace halfstep::precision {
namespace {

using graph::NodeId;
using graph::RealFormat;
using graph::ValueId;

/// An operand of a node that must be converted.
struct Use {
  NodeId node;
  std::size_t operand;
};

/// ONNX has sizes in half precision nowhere.
bool is_always_float32(const graph::Node& node, std::size_t operand) { return node.op_type == "Resize" && operand > 0; }

class Converter {
 public:
  Converter(graph::Graph graph, const Options& options, Given& given, std::vector<std::string>& warnings)
      : graph_(std::move(graph)), options_(options), given_(given), warnings_(warnings) {}

  Result<graph::Graph> run(const ops::InputShapes& shapes) {
    keep_inputs_float32();
    if (auto done = look(shapes); !done.ok()) return done.error();
    drop_encodings_of_reals();
    convert(&Converter::integer_uses, &Converter::order_of_integers, "_converted");
    if (auto done = look(shapes); !done.ok()) return done.error();
    convert(&Converter::half_uses, &Converter::order_of_half, "_float16");
    if (auto done = look(shapes); !done.ok()) return done.error();
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      if (settled_[v].real == RealFormat::kFloat16) graph_.values[v].format = RealFormat::kFloat16;
    }
    return std::move(graph_);
  }

 private:
  using Uses = std::map<ValueId, std::vector<Use>>;

  /// What the outside hands in is float32 as it ever was.
  void keep_inputs_float32() {
    for (const graph::GraphInput& input : graph_.inputs) {
      const auto orders = given_.orders.find(graph_.value(input.value).name);
      if (orders == given_.orders.end()) continue;
      for (Order& order : orders->second) {
        if (order.real) order.real = RealFormat::kFloat32;
      }
    }
  }

  void drop_encodings_of_reals() {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      if (!settled_[v].real || given_.encodings.erase(graph_.values[v].name) == 0) continue;
      warnings_.push_back("the encoding of " + quoted(graph_.values[v].name) +
                          " has no effect, the tensor is real: " + settled_[v].story.back());
    }
  }

  Result<void> look(const ops::InputShapes& shapes) {
    Result<ops::Facts> facts = ops::infer_facts(graph_, shapes);
    if (!facts.ok()) return facts.error();
    facts_ = *std::move(facts);
    settled_ = settle(graph_, facts_, options_, given_);
    return {};
  }

  const SettledOrder& order_of(ValueId id) const { return settled_[static_cast<std::size_t>(id)]; }
  bool is_half(ValueId id) const { return order_of(id).real == RealFormat::kFloat16; }

  /// Real operands of nodes that compute on integers. What only moves data moves real numbers.
  Uses integer_uses() const {
    Uses uses;
    if (options_.act_bits == 32) return uses;  // Nothing computes on integers.
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      const Part part = part_of(graph_, node, facts_);
      if ((part != Part::kCompute && part != Part::kJoin) || is_ordered_real(node, settled_)) continue;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId id = node.inputs[i];
        if (id == graph::kNoValue || !order_of(id).real) continue;
        if (ops::operand_role(graph_, node, i) == ops::OperandRole::kData)
          uses[id].push_back({static_cast<NodeId>(n), i});
      }
    }
    return uses;
  }

  /// As wide as the widest result computed from it.
  Order order_of_integers(ValueId from, const std::vector<Use>& uses) const {
    std::optional<int> bits;
    for (const Use& use : uses) {
      const std::optional<int> result = order_of(graph_.node(use.node).outputs[0]).bits;
      if (result && (!bits || *bits < *result)) bits = result;
    }
    return {.bits = bits.value_or(options_.act_bits),
            .by = "converted from " + quoted(graph_.value(from).name) + " for " +
                  graph::describe(graph_, graph_.node(uses[0].node))};
  }

  /// Operands that are not half, of nodes whose output is.
  Uses half_uses() const {
    Uses uses;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      // An Identity is the convert.
      if (node.op_type == "Identity" || node.outputs[0] == graph::kNoValue || !is_half(node.outputs[0])) continue;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId id = node.inputs[i];
        if (id != graph::kNoValue && ops::is_float(facts_, id) && !is_half(id) && !is_always_float32(node, i))
          uses[id].push_back({static_cast<NodeId>(n), i});
      }
    }
    return uses;
  }

  Order order_of_half(ValueId from, const std::vector<Use>& uses) const {
    return {.real = RealFormat::kFloat16,
            .by = "cast from " + quoted(graph_.value(from).name) + " for " +
                  graph::describe(graph_, graph_.node(uses[0].node))};
  }

  void convert(Uses (Converter::*find)() const, Order (Converter::*order)(ValueId, const std::vector<Use>&) const,
               const char* suffix) {
    std::map<NodeId, std::vector<graph::Node>> in_front;
    for (const auto& entry : (this->*find)()) {
      const ValueId from = entry.first;
      const std::vector<Use>& uses = entry.second;
      const Order asked = (this->*order)(from, uses);
      const std::string name = graph_.value(from).name;
      ValueId to = graph::kNoValue;
      if (const Tensor* constant = graph::constant_of(graph_, from)) {
        const Tensor copy = *constant;
        to = graph::add_constant(graph_, name + suffix, copy);
      } else {
        to = graph::add_value(graph_, name + suffix);
        graph_.value(to).pinned = true;
        graph::Node node;
        node.name = graph_.value(to).name;
        node.op_type = "Identity";
        node.inputs = {from};
        node.outputs = {to};
        node.file_opset = graph_.opset;
        in_front[uses[0].node].push_back(std::move(node));
      }
      given_.orders[graph_.value(to).name].push_back(asked);
      given_.converts.emplace(graph_.value(to).name, name);
      for (const Use& use : uses) graph_.node(use.node).inputs[use.operand] = to;
    }
    std::vector<graph::Node> nodes;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const auto before = in_front.find(static_cast<NodeId>(n));
      if (before != in_front.end()) std::ranges::move(before->second, std::back_inserter(nodes));
      nodes.push_back(std::move(graph_.nodes[n]));
    }
    graph_.nodes = std::move(nodes);
  }

  graph::Graph graph_;
  const Options& options_;
  Given& given_;
  std::vector<std::string>& warnings_;
  ops::Facts facts_;
  SettledOrders settled_;
};

}  // namespace

Result<graph::Graph> insert_converts(graph::Graph graph, const ops::InputShapes& shapes, const Options& options,
                                     Given& given, std::vector<std::string>& warnings) {
  if (given.orders.empty()) return graph;
  return Converter(std::move(graph), options, given, warnings).run(shapes);
}

}  // namespace halfstep::precision
