// evaluate.hpp: a float model and its quantized form, side by side over samples.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

struct EvaluateRequest {
  ModelSource model;                               ///< The float model.
  std::optional<std::filesystem::path> quantized;  ///< A QDQ ONNX file from any tool; or
  std::optional<std::filesystem::path> encodings;  ///< encodings (JSON) for the float model.
  std::filesystem::path input_list;
  std::optional<std::filesystem::path> labels;  ///< One class index a line, in the list's order.
  std::optional<std::filesystem::path> report;  ///< JSON to write, see docs/report.md.
  int num_threads = 0;                          ///< 0: one for each processor.
};

struct EvaluateOutcome {
  std::string table;  ///< What a person wants to read, several lines.
};

/// Runs both models over every sample of the list and compares all outputs and
/// all tensors that both have under one name and the quantized one rounds.
/// Errors: those of reading either file or the list; kUsage if neither or both
/// of `quantized` and `encodings` are given; kInvalidInput if labels and list
/// differ in length, or the models' inputs or outputs differ.
Result<EvaluateOutcome> evaluate(const EvaluateRequest& request, const Observer& observer = {});

}  // namespace halfstep
