// gates.hpp: thresholds of quantize-eval and what became of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "halfstep/evaluate.hpp"
#include "halfstep/result.hpp"
#include "report/baseline.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// Before any run: thresholds that are no numbers or out of range, and gates that cannot be measured with these labels.
/// Errors: kUsage naming the option.
Result<void> check_gates(const EvaluateRequest& request);

/// True if a gate on the errors of outputs is set: it needs a float32 output.
bool needs_outputs(const Gates& gates);

/// The error for a model that has none.
Error no_float_output();

/// Judges the report's comparison, in the order the options are documented in.
/// Errors: kUsage if a metric turns out not to exist; kInvalidInput if report and baseline have no metric in common.
Result<std::vector<report::Gate>> judge(const Gates& gates, const std::optional<report::Baseline>& baseline,
                                        const report::Report& report);

/// One line that names every gate that failed and by how much; empty if none did.
std::string failures_of(const std::vector<report::Gate>& gates);

}  // namespace halfstep::pipeline
