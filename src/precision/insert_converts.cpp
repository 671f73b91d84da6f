// insert_converts.cpp: first into integers, then into half precision.
#include "precision/insert_converts.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "core/text.hpp"
#include "encoding/encoding_set.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/convert_inserter.hpp"
#include "precision/node_parts.hpp"

namespace halfstep::precision {
namespace {

using graph::NodeId;
using graph::RealFormat;
using graph::ValueId;

/// ONNX has sizes in half precision nowhere.
bool is_always_float32(const graph::Node& node, std::size_t operand) { return node.op_type == "Resize" && operand > 0; }

/// Identity is the convert, and Cast makes of integers that are no codes what its output is.
bool is_convert(const graph::Node& node) { return node.op_type == "Identity" || node.op_type == "Cast"; }

class Converter {
 public:
  Converter(graph::Graph graph, const Options& options, Given& given, std::vector<std::string>& warnings)
      : graph_(std::move(graph)), options_(options), given_(given), warnings_(warnings) {}

  Result<graph::Graph> run(const ops::InputShapes& shapes) {
    keep_inputs_float32();
    if (auto done = split_weights(shapes); !done.ok()) return done.error();
    if (auto done = look(shapes); !done.ok()) return done.error();
    drop_encodings_of_reals();
    convert(&Converter::integer_uses, &Converter::order_of_integers, "_converted");
    if (auto done = look(shapes); !done.ok()) return done.error();
    convert(&Converter::half_uses, &Converter::order_of_half, "_float16");
    if (auto done = look(shapes); !done.ok()) return done.error();
    const std::vector<bool> stays = always_float32();
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      if (settled_[v].real == RealFormat::kFloat16 && !stays[v]) graph_.values[v].format = RealFormat::kFloat16;
    }
    return std::move(graph_);
  }

 private:
  using Uses = std::map<ValueId, std::vector<OperandUse>>;

  /// By ValueId.
  std::vector<bool> always_float32() const {
    std::vector<bool> always(graph_.values.size());
    for (const graph::Node& node : graph_.nodes) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != graph::kNoValue && is_always_float32(node, i))
          always[static_cast<std::size_t>(node.inputs[i])] = true;
      }
    }
    return always;
  }

  /// A constant that real and other linear nodes read is two: integers for one need not make the other real.
  Result<void> split_weights(const ops::InputShapes& shapes) {
    const Result<ops::Facts> facts = ops::infer_facts(graph_, shapes);
    if (!facts.ok()) return facts.error();
    const SettledOrders own = settle_own(graph_, given_);
    const graph::Links links = graph::links_of(graph_);
    ConvertInserter inserter(graph_);
    const std::size_t num_values = links.consumers.size();
    for (std::size_t v = 0; v < num_values; ++v) {
      const auto id = static_cast<ValueId>(v);
      if (!graph_.values[v].constant || !ops::is_float(*facts, id) || own[v].real || links.is_output[v]) continue;
      std::vector<OperandUse> real;
      std::size_t others = 0;
      for (const NodeId n : links.consumers[v]) {
        const graph::Node& node = graph_.node(n);
        const auto operand = static_cast<std::size_t>(std::ranges::find(node.inputs, id) - node.inputs.begin());
        const ops::OperandRole role = ops::operand_role(graph_, node, operand);
        const bool is_parameter = role == ops::OperandRole::kWeight || role == ops::OperandRole::kBias;
        if (is_parameter && is_ordered_real(node, own)) {
          real.push_back({n, operand});
        } else {
          ++others;
        }
      }
      if (real.empty() || others == 0) continue;
      const std::string name = graph_.values[v].name;
      const std::string copy = graph_.value(inserter.add(id, name + "_real", real)).name;
      given_.converts.emplace(copy, name);
    }
    inserter.finish();
    return {};
  }

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

  /// By ValueId: what will be on a grid whoever reads it, because integers are computed, or moved, into it.
  std::vector<bool> codes_by_nature() const {
    std::vector<bool> codes(graph_.values.size());
    for (std::size_t v = 0; v < codes.size(); ++v) {
      codes[v] = !settled_[v].real && find_encoding(given_.encodings, graph_.values[v].name) != nullptr;
    }
    for (const graph::Node& node : graph_.nodes) {
      const Part part = part_of(graph_, node, facts_);
      if (part == Part::kFloat || is_ordered_real(node, settled_)) continue;
      const auto is_codes = [&](ValueId id) { return id != graph::kNoValue && codes[static_cast<std::size_t>(id)]; };
      if (part != Part::kCompute && !std::ranges::any_of(node.inputs, is_codes)) continue;
      for (const ValueId id : node.outputs) {
        if (id != graph::kNoValue && !order_of(id).real) codes[static_cast<std::size_t>(id)] = true;
      }
    }
    return codes;
  }

  /// By ValueId: read by what computes on integers, perhaps through what only moves data.
  std::vector<bool> needed_as_codes() const {
    std::vector<bool> needed(graph_.values.size());
    const auto is_needed = [&](ValueId id) { return id != graph::kNoValue && needed[static_cast<std::size_t>(id)]; };
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
      const graph::Node& node = graph_.nodes[n];
      const Part part = part_of(graph_, node, facts_);
      if (part == Part::kFloat || is_ordered_real(node, settled_)) continue;
      if (part != Part::kCompute && !std::ranges::any_of(node.outputs, is_needed)) continue;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != graph::kNoValue && ops::operand_role(graph_, node, i) == ops::OperandRole::kData)
          needed[static_cast<std::size_t>(node.inputs[i])] = true;
      }
    }
    return needed;
  }

  /// By NodeId: joins of which at least one operand will be on a grid. The plan wants all of them there then.
  std::vector<bool> joins_of_codes() const {
    const std::vector<bool> codes = codes_by_nature();
    const std::vector<bool> needed = needed_as_codes();
    std::vector<bool> joins(graph_.nodes.size());
    for (std::size_t n = 0; n < joins.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      if (part_of(graph_, node, facts_) != Part::kJoin) continue;
      const auto output = static_cast<std::size_t>(node.outputs[0]);
      const auto can_be_codes = [&](ValueId id) {
        return id != graph::kNoValue && !order_of(id).real && graph::constant_of(graph_, id) == nullptr;
      };
      joins[n] = codes[output] || (needed[output] && std::ranges::any_of(node.inputs, can_be_codes));
    }
    return joins;
  }

  /// Real operands of nodes that compute on integers. What only moves data moves real numbers; so does a Concat of
  /// nothing else.
  Uses integer_uses() const {
    Uses uses;
    if (options_.act_bits == 32) return uses;  // Nothing computes on integers.
    const std::vector<bool> joins = joins_of_codes();
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      const Part part = part_of(graph_, node, facts_);
      if ((part != Part::kCompute && part != Part::kJoin) || is_ordered_real(node, settled_)) continue;
      if (part == Part::kJoin && !joins[n]) continue;
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
  Order order_of_integers(ValueId from, const std::vector<OperandUse>& uses) const {
    std::optional<int> bits;
    for (const OperandUse& use : uses) {
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
      if (is_convert(node) || node.outputs[0] == graph::kNoValue || !is_half(node.outputs[0])) continue;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId id = node.inputs[i];
        if (id != graph::kNoValue && ops::is_float(facts_, id) && !is_half(id) && !is_always_float32(node, i))
          uses[id].push_back({static_cast<NodeId>(n), i});
      }
    }
    return uses;
  }

  Order order_of_half(ValueId from, const std::vector<OperandUse>& uses) const {
    return {.real = RealFormat::kFloat16,
            .by = "cast from " + quoted(graph_.value(from).name) + " for " +
                  graph::describe(graph_, graph_.node(uses[0].node))};
  }

  void convert(Uses (Converter::*find)() const,
               Order (Converter::*order)(ValueId, const std::vector<OperandUse>&) const, const char* suffix) {
    ConvertInserter inserter(graph_);
    for (const auto& entry : (this->*find)()) {
      const ValueId from = entry.first;
      const std::vector<OperandUse>& uses = entry.second;
      const Order asked = (this->*order)(from, uses);
      const std::string name = graph_.value(from).name;
      const std::string converted = graph_.value(inserter.add(from, name + suffix, uses)).name;
      given_.orders[converted].push_back(asked);
      given_.converts.emplace(converted, name);
    }
    inserter.finish();
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
