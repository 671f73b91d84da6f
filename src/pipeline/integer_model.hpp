// integer_model.hpp: models whose integers are operators of the file rather than encodings.
#pragma once

#include <string>

#include "graph/graph.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"

namespace halfstep::pipeline {

/// True for what dynamic quantization leaves: ConvInteger or MatMulInteger, which need no encodings to run.
bool multiplies_integers(const graph::Graph& graph);

/// Errors: kUsage if a rule of arithmetic is asked for where `model`, read from `path`, has no encodings to round to.
Result<void> check_rule_has_use(const PreparedModel& model, const std::string& path, const FixedPointRequest& request);

}  // namespace halfstep::pipeline
