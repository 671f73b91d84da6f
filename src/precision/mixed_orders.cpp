// mixed_orders.cpp: option by option, the weakest first.
#include "precision/mixed_orders.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "core/errors.hpp"
#include "core/glob.hpp"
#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/depthwise.hpp"

namespace halfstep::precision {
namespace {

using graph::Node;
using graph::RealFormat;
using graph::ValueId;

class MixedOrderMaker {
 public:
  MixedOrderMaker(const graph::Graph& graph, const ops::Facts& facts, const Options& options)
      : graph_(graph), facts_(facts), mixed_(options.mixed) {}

  Result<MixedOrders> make() {
    if (mixed_.float_bits.value_or(32) == 16) keep_islands_half();
    for (const auto& [type, kind] : mixed_.op_types) {
      const std::string by =
          "--op_type_bitwidth " + type + "=" + (kind.real ? "float" : "") + std::to_string(kind.bits);
      if (auto done = order_type(type, order_of(kind, by), "--op_type_bitwidth"); !done.ok()) return done.error();
    }
    if (mixed_.depthwise_params_16bit) {
      order_weights("--depthwise_params_16bit", "convolution is depthwise",
                    [&](const Node& node) { return is_depthwise(graph_, facts_, node); });
    }
    if (mixed_.first_layer_params_16bit) {
      order_weights("--first_layer_params_16bit", "node with weights reads an input",
                    [&](const Node& node) { return reads_input(node); });
    }
    if (auto done = order_outputs_16(); !done.ok()) return done.error();
    if (auto done = order_params_16(); !done.ok()) return done.error();
    for (const std::string& type : mixed_.exclude_op_types) {
      if (auto done = order_type(type, stay_real("--exclude_op_types " + type), "--exclude_op_types"); !done.ok())
        return done.error();
    }
    for (const std::string& name : mixed_.exclude_nodes) {
      const Result<std::vector<const Node*>> nodes = nodes_called(name, "--exclude_nodes");
      if (!nodes.ok()) return nodes.error();
      for (const Node* node : *nodes) order_outputs(*node, stay_real("--exclude_nodes " + name));
    }
    return std::move(made_);
  }

 private:
  void add(ValueId id, Order order) {
    if (id != graph::kNoValue && ops::is_float(facts_, id))
      made_.orders[graph_.value(id).name].push_back(std::move(order));
  }

  void order_outputs(const Node& node, const Order& order) {
    for (const ValueId id : node.outputs) add(id, order);
  }

  RealFormat real_format() const { return graph::real_format(mixed_.float_bits.value_or(32)); }

  Order stay_real(std::string by) const { return {.real = real_format(), .by = std::move(by)}; }

  static Order order_of(NumberKind kind, std::string by) {
    if (!kind.real) return {.bits = kind.bits, .by = std::move(by)};
    return {.real = graph::real_format(kind.bits), .by = std::move(by)};
  }

  /// What has no integer form is real in any case.
  void keep_islands_half() {
    for (const Node& node : graph_.nodes) {
      if (!ops::is_integer_node(node, facts_)) order_outputs(node, stay_real("--float_bitwidth 16"));
    }
  }

  Result<void> order_type(const std::string& type, const Order& order, const std::string& option) {
    std::set<std::string> types;
    bool found = false;
    for (const Node& node : graph_.nodes) {
      types.insert(node.op_type);
      if (node.op_type != type) continue;
      found = true;
      order_outputs(node, order);
    }
    if (found) return {};
    const bool known = std::ranges::any_of(ops::all_ops(), [&](const ops::OpDef& op) { return op.type == type; });
    if (known) {
      made_.warnings.push_back(option + " " + type +
                               ": no such node is left after folding and fusing, so it has no effect");
      return {};
    }
    return usage(option + ": there is no operator " + quoted(type) +
                 did_you_mean(type, std::vector<std::string>(types.begin(), types.end())));
  }

  bool reads_input(const Node& node) const {
    return std::ranges::any_of(graph_.inputs, [&](const auto& input) { return input.value == node.inputs[0]; });
  }

  void order_weights(const std::string& option, const std::string& what,
                     const std::function<bool(const Node&)>& concerns) {
    bool found = false;
    for (const Node& node : graph_.nodes) {
      const ValueId weight = ops::weight_of(graph_, node);
      if (weight == graph::kNoValue || !concerns(node)) continue;
      found = true;
      add(weight, {.bits = 16, .by = option});
    }
    if (!found) made_.warnings.push_back(option + ": no " + what + ", so it has no effect");
  }

  /// Of nodes and of what is fused into them, or of an output.
  static bool is_called(const graph::Graph& graph, const Node& node, const std::string& name) {
    const auto fits = [&](const std::string& text) { return !text.empty() && matches_glob(name, text); };
    if (fits(node.name) || (node.clamp && fits(node.clamp->node_name))) return true;
    return std::ranges::any_of(node.outputs,
                               [&](ValueId id) { return id != graph::kNoValue && fits(graph.value(id).name); });
  }

  Result<std::vector<const Node*>> nodes_called(const std::string& name, const std::string& option) const {
    std::vector<const Node*> found;
    std::vector<std::string> known;
    for (const Node& node : graph_.nodes) {
      if (is_called(graph_, node, name)) found.push_back(&node);
      if (!node.name.empty()) known.push_back(node.name);
      if (node.clamp && !node.clamp->node_name.empty()) known.push_back(node.clamp->node_name);
    }
    if (!found.empty()) return found;
    return usage(option + ": after folding and fusing there is no node " + quoted(name) +
                 ", and none that computes a tensor of this name" + did_you_mean(name, known));
  }

  Result<void> order_outputs_16() {
    const std::string option = "--output_feature_16bit_names_list";
    for (const std::string& name : mixed_.output_16bit_names) {
      const Result<std::vector<const Node*>> nodes = nodes_called(name, option);
      if (!nodes.ok()) return nodes.error();
      for (const Node* node : *nodes) order_outputs(*node, {.bits = 16, .by = option + " " + name});
    }
    return {};
  }

  Result<void> order_params_16() {
    const std::string option = "--params_16bit_names_list";
    for (const std::string& name : mixed_.params_16bit_names) {
      const Result<std::vector<const Node*>> nodes = nodes_called(name, option);
      if (!nodes.ok()) return nodes.error();
      bool found = false;
      for (const Node* node : *nodes) {
        const ValueId weight = ops::weight_of(graph_, *node);
        if (weight == graph::kNoValue) continue;
        found = true;
        add(weight, {.bits = 16, .by = option + " " + name});
      }
      if (!found) return usage(option + ": " + graph::describe(graph_, *nodes->front()) + " has no constant weight");
    }
    return {};
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const MixedPrecision& mixed_;
  MixedOrders made_;
};

}  // namespace

Result<MixedOrders> mixed_orders(const graph::Graph& graph, const ops::Facts& facts, const Options& options) {
  return MixedOrderMaker(graph, facts, options).make();
}

}  // namespace halfstep::precision
