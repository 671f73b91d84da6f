// sweep_layers.hpp: rounding and bias correction of every layer in one sweep.
#pragma once

#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "halfstep/result.hpp"
#include "halfstep/tuning_options.hpp"
#include "ops/infer_graph.hpp"
#include "tune/bias_correction.hpp"
#include "tune/round_swept.hpp"
#include "tune/sweep.hpp"

namespace halfstep::tune {

/// What to do at each layer.
struct LayerSweep {
  SweepRequest sweep;
  std::vector<Algorithm> algorithms;  ///< kRound and kBiasCorrection, in the order they run at a layer.
  BiasRule bias;
  RoundRule round;
};

/// What was done.
struct SweptModel {
  std::string did;                 ///< In words.
  std::vector<std::string> notes;  ///< Layers left as they were, and why.
};

/// Changes weights and biases of `model`, layer by layer. `reference`: the float graph it was made from; layers without
/// a bias get one. On an error `model` is in between. The same for every number of threads.
/// Errors: those of sweep() and reference_means().
Result<SweptModel> sweep_layers(const graph::Graph& reference, const ops::Facts& facts, QuantizedGraph& model,
                                const LayerSweep& request);

}  // namespace halfstep::tune
