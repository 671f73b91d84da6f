// inspect.hpp: what a model contains and what this tool can do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

struct InspectRequest {
  ModelSource model;
  std::optional<std::filesystem::path> encodings;  ///< JSON to show beside those in the model.
  /// Show the Program of a fixed-point run instead: every step with its integers.
  std::optional<FixedPointRequest> fixed_program;
  bool prepared = true;            ///< Show the graph after folding and fusion, as it is quantized.
  std::optional<std::string> why;  ///< Tell the story of this tensor instead.
};

/// Graph, tensors with types and shapes, and encodings with their origin, as text.
/// Errors: those of reading.
Result<std::string> inspect(const InspectRequest& request);

/// The supported operators, one line each: name, what calibration does, integer form.
std::string operators_table();

}  // namespace halfstep
