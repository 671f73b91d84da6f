// choose_tensors.cpp: demand flows backwards, encodings forwards, until both agree.
#include "precision/choose_tensors.hpp"

#include <algorithm>
#include <utility>

#include "encoding/encoding_target.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/choose_constants.hpp"
#include "precision/depthwise.hpp"
#include "precision/node_parts.hpp"

namespace halfstep::precision {
namespace {

using graph::NodeId;
using graph::ValueId;

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

/// Two facts grow until neither changes: a value is needed (an operator with an integer form reads it, perhaps through
/// data movement) and a value is encoded. Demand flows backwards, encodings forwards:
///   x -> Einsum -> e -> Transpose -> t -> Conv -> y     Conv needs t, Transpose needs e, so e is encoded and t moves
///   it
/// Only then sources are named (first_choice), joins hand their grid back to what nobody else reads (share_backwards),
/// and chains of sharing are cut to their root (resolve_shares), which is never shared itself.
class Chooser {
 public:
  Chooser(const graph::Graph& graph, const ops::Facts& facts, const Options& options, const EncodingSet& imported,
          const SettledOrders& orders)
      : graph_(graph),
        facts_(facts),
        imported_(imported),
        orders_(orders),
        grid_(activation_request(options)),
        rule_(options.act_range),
        channels_(options.act_per_channel),
        wide_keeps_range_(options.wide_keeps_range),
        wide_has_one_grid_(options.wide_has_one_grid),
        channels_keep_range_(options.channels_keep_range),
        links_(graph::links_of(graph)),
        needed_(graph.values.size()),
        encoded_(graph.values.size()) {
    for (const graph::Node& node : graph.nodes) {
      parts_.push_back(is_ordered_real(node, orders) ? Part::kFloat : part_of(graph, node, facts));
    }
    only_moves_ = is_all_movement();
    for (std::size_t v = 0; v < graph.values.size(); ++v) regridded_.push_back(is_regridded(static_cast<ValueId>(v)));
    plan_.tensors.resize(graph.values.size());
  }

  Plan choose() {
    // Demand and encodings only grow, so this ends.
    do {
      changed_ = false;
      for (std::size_t n = graph_.nodes.size(); n-- > 0;) spread_demand(n);
      spread_encodings();
    } while (changed_);
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      plan_.tensors[v] = encoded_[v] ? first_choice(id) : TensorPlan{.why = why_float(id)};
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) share_backwards(n);
    resolve_shares();
    if (channels_ == ActPerChannel::kDepthwise) split_channels();
    return std::move(plan_);
  }

 private:
  /// Nothing in the graph computes reals: then data movement is all there is to do on integers.
  bool is_all_movement() const {
    bool moves = false;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (parts_[n] == Part::kCompute) return false;
      if (parts_[n] != Part::kFloat) moves = true;
      const auto& outputs = graph_.nodes[n].outputs;
      if (parts_[n] == Part::kFloat && std::any_of(outputs.begin(), outputs.end(), [&](ValueId output) {
            return output != graph::kNoValue && ops::is_float(facts_, output);
          })) {
        return false;
      }
    }
    return moves;
  }

  bool is_constant(ValueId id) const { return graph::constant_of(graph_, id) != nullptr; }
  bool is_imported(ValueId id) const { return find_encoding(imported_, graph_.value(id).name) != nullptr; }
  /// A reader puts the tensor on an imported grid of its own: one more grid before that would lose precision the
  /// model was made with, and the other readers read it in float there.
  bool is_regridded(ValueId id) const {
    const std::vector<NodeId>& readers = links_.consumers[at(id)];
    const bool shared = readers.size() > 1 || links_.is_output[at(id)];
    return !is_imported(id) && std::any_of(readers.begin(), readers.end(), [&](NodeId n) {
      const graph::Node& node = graph_.node(n);
      const ops::OpDef* op = ops::find_op(node);
      // A single reader that moves data hands its grid back instead (share_backwards).
      const bool keeps_values = op != nullptr && (op->aliases_input || (shared && parts_[at(n)] == Part::kMove));
      return keeps_values && node.inputs[0] == id && is_imported(node.outputs[0]);
    });
  }
  bool is_imported_per_channel(ValueId id) const {
    const TensorEncoding* entry = find_encoding(imported_, graph_.value(id).name);
    return entry != nullptr && !entry->encoding.is_per_tensor();
  }
  bool encoded(ValueId id) const { return id != graph::kNoValue && encoded_[at(id)]; }
  bool needed(ValueId id) const { return id != graph::kNoValue && needed_[at(id)]; }

  void set(std::vector<bool>& flags, ValueId id) {
    // What constants alone decide (an imported weight behind a Reshape) has the values it was stored with.
    if (flags[at(id)] || regridded_[at(id)] || is_constant(id) || facts_[at(id)].value || !ops::is_float(facts_, id))
      return;
    if (orders_[at(id)].real) return;
    flags[at(id)] = true;
    changed_ = true;
  }

  void spread_demand(std::size_t n) {
    const graph::Node& node = graph_.nodes[n];
    const bool wanted = parts_[n] == Part::kCompute || (only_moves_ && parts_[n] != Part::kFloat) ||
                        (parts_[n] == Part::kJoin && encoded(node.outputs[0])) ||
                        (parts_[n] != Part::kFloat && std::any_of(node.outputs.begin(), node.outputs.end(),
                                                                  [&](ValueId output) { return needed(output); }));
    if (!wanted) return;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (ops::operand_role(graph_, node, i) == ops::OperandRole::kData) set(needed_, node.inputs[i]);
    }
  }

  void spread_encodings() {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      if (is_imported(id) || (needed_[v] && links_.producer[v] == graph::kNoNode)) set(encoded_, id);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const graph::Node& node = graph_.nodes[n];
      const bool moves_encoded =
          (parts_[n] == Part::kMove && encoded(node.inputs[0])) ||
          (parts_[n] == Part::kJoin &&
           std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return encoded(input); }));
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        const ValueId output = node.outputs[i];
        if (output == graph::kNoValue) continue;
        if (needed(output) || moves_encoded || (parts_[n] == Part::kCompute && i == 0)) set(encoded_, output);
      }
    }
  }

  /// What is rare in an output of the model, such as the logit of the right class, is what counts there: percentiles do
  /// not clip it.
  RangeRule rule_of(ValueId id) const {
    const bool keeps_all = (rule_.method == RangeMethod::kPercentile && links_.is_output[at(id)]) ||
                           (wide_keeps_range_ && is_ordered_wide(id));
    return keeps_all ? RangeRule{} : rule_;
  }

  TensorPlan observed(ValueId id, std::string why) const {
    return {.source = Source::kObserved,
            .grid = ordered_grid(grid_, orders_[at(id)]),
            .rule = rule_of(id),
            .why = std::move(why)};
  }

  std::string why_float(ValueId id) const {
    if (is_constant(id) || facts_[at(id)].value) return "the same for every sample";
    if (orders_[at(id)].real) return "ordered to stay real";
    if (!ops::is_float(facts_, id)) return "no float32 number, or of a type that is decided while running";
    if (regridded_[at(id)]) return "read by what puts it on a grid of its own";
    return "neither computed nor needed by an operator that runs on integers";
  }

  TensorPlan first_choice(ValueId id) const {
    if (is_imported(id)) return {.source = Source::kImported, .why = "came with the model"};
    const NodeId producer = links_.producer[at(id)];
    if (producer == graph::kNoNode) return observed(id, "an input that integers are computed from");
    const graph::Node& node = graph_.node(producer);
    const Part part = parts_[static_cast<std::size_t>(producer)];
    if (part == Part::kMove && keeps_width(node.inputs[0], id) &&
        (encoded(node.inputs[0]) || is_constant(node.inputs[0]))) {
      return {.source = Source::kShared, .shared_with = node.inputs[0], .why = "moved by " + describe(node)};
    }
    if (part == Part::kCompute && orders_[at(id)].range) {
      return {.source = Source::kFixed,
              .grid = ordered_grid(grid_, orders_[at(id)]),
              .fixed_range = *orders_[at(id)].range,
              .why = "its range was ordered"};
    }
    const ops::OpDef* def = ops::find_op(node);
    if (part == Part::kCompute && id == node.outputs[0] && def->output_rule == ops::OutputRule::kFixed) {
      return {.source = Source::kFixed,
              .grid = ordered_grid(grid_, orders_[at(id)]),
              .fixed_range = {def->fixed_min, def->fixed_max},
              .why = "the range of " + describe(node)};
    }
    return observed(id, (part == Part::kFloat ? "read as integers behind " : "computed by ") + describe(node));
  }

  bool is_ordered_wide(ValueId id) const { return orders_[at(id)].bits.value_or(0) > 8; }

  /// Nobody asked for two precisions of what moves from `from` to `to`.
  bool keeps_width(ValueId from, ValueId to) const {
    const SettledOrder& a = orders_[at(from)];
    const SettledOrder& b = orders_[at(to)];
    const TensorEncoding* entry = find_encoding(imported_, graph_.value(from).name);
    if (entry != nullptr) return !b.bits || *b.bits == storage_bits(entry->encoding.grid());
    const GridRequest before = ordered_grid(grid_, a);
    const GridRequest after = ordered_grid(grid_, b);
    return before.bits == after.bits && (!b.schema || before.schema == after.schema);
  }

  std::string describe(const graph::Node& node) const { return graph::describe(graph_, node); }

  /// Nobody but `reader` sees `id`.
  bool only_read_by(ValueId id, NodeId reader) const {
    const auto& consumers = links_.consumers[at(id)];
    return !links_.is_output[at(id)] &&
           std::all_of(consumers.begin(), consumers.end(), [&](NodeId consumer) { return consumer == reader; });
  }

  /// The inputs of a join take its output's grid, and so does data on its way into a tensor that came with a grid.
  void share_backwards(std::size_t n) {
    const graph::Node& node = graph_.nodes[n];
    const auto id = static_cast<NodeId>(n);
    if (parts_[n] == Part::kJoin && encoded(node.outputs[0])) {
      for (const ValueId input : node.inputs) share_source_of(input, id, node.outputs[0]);
    } else if (parts_[n] == Part::kMove && node.outputs.size() == 1 && is_imported(node.outputs[0])) {
      share_source_of(node.inputs[0], id, node.outputs[0]);
    }
  }

  /// Follows data movement upwards from `value`, which `reader` reads, to where the grid is decided.
  void share_source_of(ValueId value, NodeId reader, ValueId target) {
    if (is_imported_per_channel(target)) return;
    while (value != graph::kNoValue && only_read_by(value, reader)) {
      TensorPlan& choice = plan_.of(value);
      if (choice.source == Source::kObserved) {
        if (!is_imported(target) && !keeps_width(target, value)) return;
        choice = {.source = Source::kShared, .shared_with = target, .why = "only read to become part of it"};
        return;
      }
      const NodeId producer = links_.producer[at(value)];
      if (choice.source != Source::kShared || producer == graph::kNoNode) return;
      if (parts_[static_cast<std::size_t>(producer)] != Part::kMove || graph_.node(producer).outputs.size() != 1)
        return;
      value = graph_.node(producer).inputs[0];
      reader = producer;
    }
  }

  /// Movement shares upwards, joins downwards from where a grid was decided: no cycles.
  void resolve_shares() {
    for (std::size_t v = 0; v < plan_.tensors.size(); ++v) {
      TensorPlan& choice = plan_.tensors[v];
      if (choice.source != Source::kShared) continue;
      ValueId root = choice.shared_with;
      while (plan_.of(root).source == Source::kShared) root = plan_.of(root).shared_with;
      choice.shared_with = root;
      // Moving data may move the channel axis: better a grid of its own than a wrong one.
      if (!is_imported_per_channel(root)) continue;
      choice = observed(static_cast<ValueId>(v), "moved from a tensor with a grid for each channel");
    }
  }

  /// Where every product is of one channel, a grid for each channel costs nothing.
  void split_channels() {
    std::vector<bool> shares(plan_.tensors.size());
    for (const TensorPlan& plan : plan_.tensors) {
      if (plan.source == Source::kShared) shares[at(plan.shared_with)] = true;
    }
    for (std::size_t v = 0; v < plan_.tensors.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      if (plan_.of(id).source != Source::kObserved || shares[v] || !may_have_channels(id)) continue;
      if (wide_has_one_grid_ && is_ordered_wide(id)) continue;
      plan_.of(id).axis = kActivationChannelAxis;
      if (channels_keep_range_) plan_.of(id).rule = RangeRule{};
      plan_.of(id).why += ", read by depthwise convolutions only: a grid for each channel";
    }
  }

  /// Convolutions can write a grid for each channel, and inputs are put on it by the border in front of their readers.
  bool may_have_channels(ValueId id) const {
    const NodeId producer = links_.producer[at(id)];
    if (producer != graph::kNoNode && !ops::find_op(graph_.node(producer))->channels.channels_first) return false;
    const std::vector<NodeId>& readers = links_.consumers[at(id)];
    return !links_.is_output[at(id)] && !readers.empty() && std::ranges::all_of(readers, [&](NodeId n) {
      return graph_.node(n).inputs[0] == id && is_depthwise(graph_, facts_, graph_.node(n));
    });
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const EncodingSet& imported_;
  const SettledOrders& orders_;
  GridRequest grid_;
  RangeRule rule_;
  ActPerChannel channels_;
  bool wide_keeps_range_;
  bool wide_has_one_grid_;
  bool channels_keep_range_;
  graph::Links links_;
  std::vector<Part> parts_;    // By NodeId.
  std::vector<bool> needed_;   // By ValueId: an operator with integer form reads it, perhaps through data movement.
  std::vector<bool> encoded_;  // By ValueId.
  std::vector<bool> regridded_;
  bool only_moves_ = false;
  bool changed_ = false;
  Plan plan_;
};

/// Activations stay float32 but for those that came with a grid.
Plan real_activations(const graph::Graph& graph, const EncodingSet& imported) {
  Plan plan;
  for (const graph::Value& value : graph.values) {
    const bool keeps = !value.constant && find_encoding(imported, value.name) != nullptr;
    plan.tensors.push_back({.source = keeps ? Source::kImported : Source::kFloat,
                            .why = keeps ? "came with the model" : "weights alone are quantized"});
  }
  return plan;
}

}  // namespace

Plan choose_tensors(const graph::Graph& graph, const ops::Facts& facts, const Options& options, const Given& given) {
  const SettledOrders orders = settle(graph, facts, options, given);
  Plan plan = options.act_bits == 32 ? real_activations(graph, given.encodings)
                                     : Chooser(graph, facts, options, given.encodings, orders).choose();
  plan.align_inputs = options.align_inputs;
  plan.trim_flat = options.trim_flat;
  choose_constants(graph, facts, options, given.encodings, orders, plan);
  for (std::size_t v = 0; v < orders.size(); ++v) {
    plan.tensors[v].orders = orders[v].story;
    plan.tensors[v].real = orders[v].real;
    plan.tensors[v].asked_bits = orders[v].bits;
  }
  return plan;
}

}  // namespace halfstep::precision
