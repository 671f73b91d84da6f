// comparison.hpp: a float Graph against its quantized forms, for reports.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compare/compare_runs.hpp"
#include "encoding/encoding_set.hpp"
#include "exec/samples.hpp"
#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/evaluate.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/other_units.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// A float Graph and its quantized form to compare.
struct FloatComparison : compare::CompareOptions {
  const graph::Graph* reference = nullptr;
  const graph::Graph* quantized = nullptr;
  const EncodingSet* encodings = nullptr;  ///< Of `quantized`.
  EvaluateMode mode = EvaluateMode::kFixed;
  FixedPointOptions fixed;  ///< Not with kSimulated.
  OtherUnits incomparable;  ///< Tensors that are not compared one by one.
  /// The fixed-point Program of `quantized` for inputs of `lowered_for`, where somebody needed it before; may be null.
  std::shared_ptr<const lower::Program> lowered = nullptr;
  ops::InputShapes lowered_for = {};
};

/// What came of it.
struct FloatComparisonOutcome {
  compare::Comparison main;                      ///< Float against fixed point, or simulated in that mode.
  std::optional<compare::Comparison> simulated;  ///< Mode kBoth.
  std::vector<report::FloatIsland> islands;      ///< Of the fixed-point Program.
  std::vector<std::string> warnings;             ///< What was not compared; those of the fixed-point Program.
};

/// Runs all sides over all samples. Layers compared: every activation that
/// `encodings` rounds in `quantized` and that `reference` computes under the same name,
/// unless the two are in other units.
/// Errors: those of compare::compare_runs.
Result<FloatComparisonOutcome> compare_with_float(const FloatComparison& request, const Observer& observer);

/// "fixed", "simulated", "both".
std::string_view name_of(EvaluateMode mode);

/// Moves the outcome into the report: comparisons, mean IoU, islands it does not list yet and warnings; says mode and
/// arithmetic.
void put(FloatComparisonOutcome outcome, const FloatComparison& request, report::Report& report);

/// Fills the report's numbers of encodings by role.
void count_encodings(const EncodingSet& encodings, report::Report& report);

}  // namespace halfstep::pipeline
