// model_part.hpp: the part of a prepared model that a run is about.
#pragma once

#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "lower/lower.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

/// Takes the encodings away from everything that `tensors` do not need: what they are computed from, and they
/// themselves, are quantized, all other nodes are float. A constant that both kinds read is doubled.
/// Errors: kUsage for a tensor that preparing the model removed, or if nothing is quantized then.
Result<void> quantize_until(const std::vector<std::string>& tensors, PreparedModel& model);

/// Tensors between which a model is cut.
struct Cut {
  std::vector<std::string> from;  ///< Empty: the model's inputs.
  std::vector<std::string> to;    ///< Empty: the model's outputs.
};

/// Makes `model` the part of itself between the tensors of `cut`; `shapes` are those of the whole model's inputs.
/// Errors: those of exec::Parts, the option's name in front; kUsage for a tensor of `from` that no output needs.
Result<void> cut_model(const Cut& cut, const ops::InputShapes& shapes, PreparedModel& model);

/// The tensors of `from` that a fixed-point run of the whole `model` has as codes without an encoding of their own,
/// and their grids: real numbers are put onto these before the part goes on.
/// Errors: those of exec::Parts::code_grids.
Result<lower::CodeInputs> inherited_grids(const std::vector<std::string>& from, const ops::InputShapes& shapes,
                                          const PreparedModel& model, const FixedPointOptions& options);

}  // namespace halfstep::pipeline
