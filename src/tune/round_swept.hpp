// round_swept.hpp: round_layer() for the layer that a sweep stands at, with what reaches it.
#pragma once

#include <cstdint>
#include <string>

#include "encoding/quantized_graph.hpp"
#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"
#include "tune/round_weights.hpp"
#include "tune/sweep.hpp"

namespace halfstep::tune {

struct RoundRule {
  std::int64_t samples = 64;         ///< At most.
  std::int64_t max_positions = 512;  ///< Of each sample's output; 0: all.
  ScaleKind scale = ScaleKind::kAffine;
  RoundSettings settings = {};
};

/// What became of one layer.
struct RoundedSwept {
  std::string obstacle;       ///< Why the weight stays; empty if it was rounded.
  double error_before = 0.0;  ///< Squared error of the layer's output over the samples, rounding to nearest.
  double error_after = 0.0;
};

/// Gives the layer's weight the grid and the codes that change its output least, and its bias the grid that follows.
/// The same for every number of threads. Errors: those of running; kInvalidInput if operands do not fit.
Result<RoundedSwept> round_swept(const SweptLayer& layer, QuantizedGraph& model, const ops::Facts& facts,
                                 const RoundRule& rule, int num_threads);

}  // namespace halfstep::tune
