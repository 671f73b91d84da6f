// target_converts.cpp: finds the uses, then edits the graph.
#include "precision/target_converts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/convert_inserter.hpp"
#include "precision/target.hpp"
#include "precision/target_orders.hpp"

namespace halfstep::precision {
namespace {

using graph::NodeId;
using graph::ValueId;

/// By tensor and the width that is needed of it.
using WidthUses = std::map<std::pair<ValueId, int>, std::vector<OperandUse>>;

/// The width that operands of `node` must have, whose output has `output_bits`, if they have `bits`.
int needed_bits(const OperatorRule& rule, int bits, int output_bits) {
  if (rule.one_width || rule.keeps_precision) return output_bits;
  return legal_bits(rule.activations, bits).value_or(bits);
}

WidthUses width_uses(const graph::Graph& graph, const ops::Facts& facts, const Options& options,
                     const TargetProfile& target, const SettledOrders& settled, const Given& given) {
  WidthUses uses;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const graph::Node& node = graph.nodes[n];
    const OperatorRule* rule = target.rule_of(node.op_type);
    // An Identity is the convert.
    if (rule == nullptr || node.op_type == "Identity" || !ops::is_integer_node(node, facts)) continue;
    if (is_ordered_real(node, settled)) continue;
    const int output = planned_bits(graph, node.outputs[0], settled, options, given);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (!ops::is_float(facts, id) || settled[static_cast<std::size_t>(id)].real) continue;
      if (ops::operand_role(graph, node, i) != ops::OperandRole::kData) continue;
      const int bits = planned_bits(graph, id, settled, options, given);
      const int needed = needed_bits(*rule, bits, output);
      if (needed != bits) uses[{id, needed}].push_back({static_cast<NodeId>(n), i});
    }
  }
  return uses;
}

/// The same real numbers in steps 2^n times as fine or as coarse.
std::optional<Encoding> resized(const Encoding& encoding, int bits) {
  const int more = bits - storage_bits(encoding.grid());
  const IntGrid grid = is_signed(encoding.grid()) ? signed_grid(bits) : unsigned_grid(bits);
  std::vector<QuantParams> params;
  for (const QuantParams& old : encoding.params()) {
    const double zero_point = std::nearbyint(std::ldexp(old.zero_point, more));
    params.push_back({.scale = std::ldexp(old.scale, -more),
                      .zero_point = static_cast<std::int32_t>(std::clamp<double>(zero_point, grid.q_min, grid.q_max))});
  }
  const Result<Encoding> made = encoding.axis() ? Encoding::per_channel(grid, *encoding.axis(), std::move(params))
                                                : Encoding::per_tensor(grid, params.front());
  if (!made.ok()) return std::nullopt;
  return *made;
}

/// The grid of `bits` that the target fixes for what computes `id`.
std::optional<Encoding> fixed_grid(const graph::Graph& graph, const graph::Links& links, const TargetProfile& target,
                                   ValueId id, int bits) {
  const NodeId producer = links.producer[static_cast<std::size_t>(id)];
  const OperatorRule* rule = producer == graph::kNoNode ? nullptr : target.rule_of(graph.node(producer).op_type);
  const Encoding* fixed = rule == nullptr ? nullptr : rule->fixed_output(bits);
  return fixed == nullptr ? std::nullopt : std::optional(*fixed);
}

/// Both ends of a convert get their width. Otherwise that of one end would move through the convert to the other.
void settle_ends(const std::string& from, int from_bits, const std::string& to, int bits, const std::string& by,
                 std::optional<Encoding> fixed, Given& given) {
  if (const TensorEncoding* entry = find_encoding(given.encodings, from)) {
    if (!fixed) fixed = resized(entry->encoding, bits);
    const Provenance provenance{entry->provenance.origin, entry->provenance.detail, {"in other steps"}};
    if (fixed) {
      given.encodings.emplace(to, TensorEncoding{.encoding = *std::move(fixed),
                                                 .role = TensorRole::kActivation,
                                                 .provenance = provenance,
                                                 .codes = {},
                                                 .frozen = true});
    }
  } else {
    given.orders[from].push_back({.bits = from_bits, .by = by + " behind a convert"});
  }
  given.orders[to].push_back({.bits = bits, .by = by});
}

}  // namespace

Result<graph::Graph> convert_widths(graph::Graph graph, const ops::InputShapes& shapes, const Options& options,
                                    const TargetProfile& target, Given& given) {
  const Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  const SettledOrders settled = settle(graph, *facts, options, given);
  const WidthUses all_uses = width_uses(graph, *facts, options, target, settled, given);
  const graph::Links links = graph::links_of(graph);
  ConvertInserter inserter(graph);
  for (const auto& entry : all_uses) {
    const ValueId from = entry.first.first;
    const int bits = entry.first.second;
    const std::vector<OperandUse>& uses = entry.second;
    const int from_bits = planned_bits(graph, from, settled, options, given);
    const std::string by =
        "target " + target.name + ": " + graph::describe(graph, graph.node(uses[0].node)) + " takes this width";
    const std::string name = graph.value(from).name;
    const ValueId to = inserter.add(from, name + "_" + std::to_string(bits) + "bit", uses);
    given.converts.emplace(graph.value(to).name, name);
    settle_ends(name, from_bits, graph.value(to).name, bits, by, fixed_grid(graph, links, target, from, bits), given);
  }
  inserter.finish();
  return graph;
}

}  // namespace halfstep::precision
