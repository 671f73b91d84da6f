// comparison.cpp: which tensors to compare, and the sessions.
#include "pipeline/comparison.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "lower/lower.hpp"
#include "ops/op_def.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {
namespace {

/// What a fixed-point Program says of itself. Written under the session's lock, read when all runs are over.
struct ProgramNotes {
  bool known = false;
  std::vector<report::FloatIsland> islands;
  std::vector<std::string> warnings;

  /// Notes what the first Program says.
  void add(const graph::Graph& graph, const lower::Program& program) {
    if (std::exchange(known, true)) return;
    for (const lower::Island& island : program.islands) {
      islands.push_back({island.label, graph.node(island.node).op_type, island.reason});
    }
    warnings = program.warnings;
  }
};

/// fixed_session() that notes what its first Program says.
exec::Session noting_session(const FloatComparison& request, int num_workers, ProgramNotes& notes) {
  const auto lowering = [&request, &notes](const ops::InputShapes& shapes) -> Result<lower::Program> {
    Result<lower::Program> program =
        lower::fixed_program(*request.quantized, shapes, *request.encodings, request.fixed);
    if (program.ok()) notes.add(*request.quantized, *program);
    return program;
  };
  return {*request.quantized, lowering, num_workers};
}

/// What is compared one by one, and how many tensors are not for their units.
struct ComparedLayers {
  std::vector<compare::Layer> layers;
  int num_rescaled = 0;
  int num_shifted = 0;

  std::vector<std::string> warnings() const {
    std::vector<std::string> lines;
    const auto add = [&](int count, const char* how) {
      if (count == 0) return;
      lines.push_back(std::to_string(count) + (count == 1 ? " tensor is " : " tensors are ") + how +
                      (count == 1 ? " and is" : " and are") + " not compared one by one");
    };
    add(num_rescaled, "scaled by channel (equalize)");
    add(num_shifted, "shifted by channel (hba)");
    return lines;
  }
};

/// By value: whether a node computes it on real numbers. Shapes and indices are compared by nobody.
std::vector<bool> computed_reals(const graph::Graph& graph) {
  std::vector<bool> computed(graph.values.size(), false);
  for (const graph::Node& node : graph.nodes) {
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || !op->has_integer_form || node.outputs.empty() || node.outputs[0] == graph::kNoValue) continue;
    computed[static_cast<std::size_t>(node.outputs[0])] = true;
  }
  return computed;
}

ComparedLayers layers_of(const FloatComparison& request) {
  std::unordered_map<std::string_view, graph::ValueId> by_name;
  const std::vector<graph::Value>& ours = request.reference->values;
  for (std::size_t v = 0; v < ours.size(); ++v) {
    if (!ours[v].constant) by_name.emplace(ours[v].name, static_cast<graph::ValueId>(v));
  }
  // Where each run finds the grids, what a tensor was rounded to is known to nobody afterwards.
  const bool dynamic = multiplies_integers(*request.quantized);
  const std::vector<bool> reals = computed_reals(*request.reference);
  ComparedLayers compared;
  for (std::size_t v = 0; v < request.quantized->values.size(); ++v) {
    const graph::Value& value = request.quantized->values[v];
    const auto twin = by_name.find(value.name);
    const TensorEncoding* encoding = find_encoding(*request.encodings, value.name);
    if (value.constant || twin == by_name.end()) continue;
    if (encoding == nullptr && !(dynamic && reals[static_cast<std::size_t>(twin->second)])) continue;
    if (request.incomparable.rescaled.contains(value.name)) {
      ++compared.num_rescaled;
    } else if (request.incomparable.shifted.contains(value.name)) {
      ++compared.num_shifted;
    } else {
      compared.layers.push_back({.reference = twin->second,
                                 .other = static_cast<graph::ValueId>(v),
                                 .encoding = encoding == nullptr ? nullptr : &encoding->encoding,
                                 .ends_layer = encoding == nullptr});
    }
  }
  return compared;
}

}  // namespace

std::string_view name_of(EvaluateMode mode) {
  switch (mode) {
    case EvaluateMode::kFixed:
      return "fixed";
    case EvaluateMode::kSimulated:
      return "simulated";
    case EvaluateMode::kBoth:
      break;
  }
  return "both";
}

Result<FloatComparisonOutcome> compare_with_float(const FloatComparison& request, const Observer& observer) {
  const ComparedLayers found = layers_of(request);
  ProgramNotes notes;
  // The isolated run goes beside the other of its worker.
  const int num_workers = request.isolated ? 2 * request.num_threads : request.num_threads;
  exec::Session reference = float_session(*request.reference, request.num_threads);
  exec::Session simulated =
      simulated_session(*request.quantized, *request.encodings, request.fixed.arithmetic, num_workers);
  exec::Session fixed = noting_session(request, num_workers, notes);
  if (request.lowered) {
    notes.add(*request.quantized, *request.lowered);
    fixed.adopt(request.lowered_for, request.lowered);
  }
  compare::RunsRequest runs;
  static_cast<compare::CompareOptions&>(runs) = request;
  runs.reference = {request.reference, &reference};
  runs.other = {request.quantized, request.mode == EvaluateMode::kSimulated ? &simulated : &fixed};
  runs.simulated = request.mode == EvaluateMode::kBoth ? &simulated : nullptr;
  runs.layers = found.layers;
  if (observer.progress) {
    runs.progress = [&](std::int64_t done, std::int64_t total) { observer.progress("comparing", done, total); };
  }
  Result<compare::RunsOutcome> compared = compare::compare_runs(runs);
  if (!compared.ok()) return compared.error();
  std::vector<std::string> warnings = found.warnings();
  warnings.insert(warnings.end(), notes.warnings.begin(), notes.warnings.end());
  return FloatComparisonOutcome{std::move(compared->comparison), std::move(compared->simulated),
                                std::move(notes.islands), std::move(warnings)};
}

void put(FloatComparisonOutcome outcome, const FloatComparison& request, report::Report& report) {
  report.mode = name_of(request.mode);
  const bool has_codes = !request.encodings->empty();
  if (request.mode != EvaluateMode::kSimulated && has_codes)
    report.arithmetic = halfstep::name_of(request.fixed.arithmetic);
  if (outcome.main.miou) {
    report.extra_metrics.emplace_back(
        "miou", std::pair(outcome.main.miou->reference_percent, outcome.main.miou->other_percent));
  }
  report.comparison = std::move(outcome.main);
  report.simulated_comparison = std::move(outcome.simulated);
  for (report::FloatIsland& island : outcome.islands) {
    const bool known =
        std::ranges::find(report.float_islands, island.node, &report::FloatIsland::node) != report.float_islands.end();
    if (!known) report.float_islands.push_back(std::move(island));
  }
  for (std::string& warning : outcome.warnings) report.warnings.push_back(std::move(warning));
}

void count_encodings(const EncodingSet& encodings, report::Report& report) {
  for (const auto& [name, entry] : encodings) {
    switch (entry.role) {
      case TensorRole::kActivation:
        ++report.num_activation_encodings;
        break;
      case TensorRole::kWeight:
        ++report.num_weight_encodings;
        break;
      case TensorRole::kBias:
        ++report.num_bias_encodings;
        break;
    }
  }
}

}  // namespace halfstep::pipeline
