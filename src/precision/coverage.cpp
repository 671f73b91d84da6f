// coverage.cpp: one look at each tensor of a plan that was carried out.
#include "precision/coverage.hpp"

#include <array>

#include "core/text.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

enum Kind {
  kOverrides,
  kSourceModel,
  kCalibrated,
  kConstants,
  kDerivedBias,
  kFixedRange,
  kSharedGrid,
  kReal,
  kNumKinds
};
constexpr std::array<std::string_view, kNumKinds> kNames{"overrides", "source_model", "calibrated", "constants",
                                                         "derived",   "fixed",        "shared",     "float"};

/// Real-valued, and not the same for every sample by computation alone; of constants, those that could have a grid.
std::vector<bool> counted(const graph::Graph& graph, const ops::Facts& facts) {
  std::vector<bool> counts(graph.values.size());
  for (std::size_t v = 0; v < counts.size(); ++v) {
    const auto id = static_cast<graph::ValueId>(v);
    counts[v] = ops::is_float(facts, id) && !facts[v].value;
  }
  for (const graph::Node& node : graph.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (graph::constant_of(graph, node.inputs[i]) == nullptr) continue;
      if (ops::operand_role(graph, node, i) != ops::OperandRole::kPlain)
        counts[static_cast<std::size_t>(node.inputs[i])] = true;
    }
  }
  return counts;
}

Kind kind_of(const TensorEncoding* entry) {
  if (entry == nullptr) return kReal;
  switch (entry->provenance.origin) {
    case Origin::kOverridden:
      return kOverrides;
    case Origin::kImported:
      return kSourceModel;
    case Origin::kCalibrated:
      return kCalibrated;
    case Origin::kWeights:
      return kConstants;
    case Origin::kDerived:
      return kDerivedBias;
    case Origin::kFixed:
      return kFixedRange;
    case Origin::kShared:
      return kSharedGrid;
  }
  return kReal;
}

}  // namespace

Coverage coverage_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                     const EncodingSet& encodings) {
  std::array<std::int64_t, kNumKinds> counts{};
  std::int64_t ordered = 0;
  const std::vector<bool> is_counted = counted(graph, facts);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (!is_counted[v]) continue;
    const Kind kind = kind_of(find_encoding(encodings, graph.values[v].name));
    ++counts[kind];
    ordered += plan.tensors[v].orders.empty() || kind == kOverrides || kind == kSourceModel ? 0 : 1;
  }
  Coverage coverage;
  for (std::size_t kind = 0; kind < kNumKinds; ++kind) coverage.emplace_back(kNames[kind], counts[kind]);
  coverage.emplace_back("ordered", ordered);
  return coverage;
}

std::map<std::string, std::vector<std::string>> rules_of(const graph::Graph& graph, const ops::Facts& facts,
                                                         const Plan& plan) {
  std::map<std::string, std::vector<std::string>> rules;
  const std::vector<bool> is_counted = counted(graph, facts);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const TensorPlan& planned = plan.tensors[v];
    if (!is_counted[v]) continue;
    std::vector<std::string> lines = planned.orders;
    if (planned.source == Source::kShared) lines.push_back("grid of " + quoted(graph.value(planned.shared_with).name));
    if (!planned.why.empty()) lines.push_back(planned.why);
    if (!lines.empty()) rules.emplace(graph.values[v].name, std::move(lines));
  }
  return rules;
}

std::vector<std::string> unmet_orders(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan,
                                      const EncodingSet& encodings) {
  std::vector<std::string> lines;
  const std::vector<bool> is_counted = counted(graph, facts);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const TensorPlan& planned = plan.tensors[v];
    if (!is_counted[v] || !planned.asked_bits) continue;
    const TensorEncoding* entry = find_encoding(encodings, graph.values[v].name);
    if (planned.source == Source::kImported && entry != nullptr && entry->provenance.origin == Origin::kImported &&
        storage_bits(entry->encoding.grid()) != *planned.asked_bits) {
      lines.push_back("tensor " + quoted(graph.values[v].name) +
                      " keeps the encoding that came with the model; it was " + "asked for " + planned.orders.back() +
                      "; give it a whole grid, or use --ignore_encodings");
    }
    if (planned.source != Source::kFloat) continue;
    lines.push_back("tensor " + quoted(graph.values[v].name) + " stays float, " + planned.why + "; it was asked for " +
                    planned.orders.back());
  }
  return lines;
}

}  // namespace halfstep::precision
