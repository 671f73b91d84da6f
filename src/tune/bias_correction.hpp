// bias_correction.hpp: biases that give each channel of a quantized layer the mean it has in the float model.
//
// The means are those of what the layer hands on, behind its clamp and activation, the float values cut at the ends of
// the quantized tensor's grid. With d the shift y_float - y(b) of a channel's mean under its bias b, and p the share of
// its values strictly inside the clamp, dy/db = p. Newton's step is
//   b += d / p,           d: the median over samples of the samples' shifts                            (N1)
// and TIDL's iteration
//   b += factor * d,      d: their mean.                                                               (N2)
// The median, because upstream grids clip rare large values: that lowers the mean of a few samples a lot, and a bias
// that made up for it would shift all the others (mobilenetv2_tv, ranges by percentile: 20.8 dB against 15.5).
// Matching means in front of the clamp instead would ignore what the clamp cuts off.
#pragma once

#include <cstdint>

#include "encoding/quantized_graph.hpp"
#include "halfstep/result.hpp"
#include "tune/channel_means.hpp"
#include "tune/sweep.hpp"

namespace halfstep::tune {

/// How biases are found.
struct BiasRule {
  int newton_steps = 1;      ///< (N1), each a run of the layer; used if `iterations` is 0.
  int iterations = 0;        ///< (N2): TIDL's biasCalibrationIterations.
  double factor = 0.05;      ///< (N2): > 0.
  std::int64_t frames = 50;  ///< Samples to run at most.
};

/// What became of one layer.
struct CorrectedBias {
  bool corrected = false;          ///< False: it has no bias of one number a channel, or no float means.
  double mean_shift_before = 0.0;  ///< Root mean square over channels of y_float - y, real units.
  double mean_shift_after = 0.0;   ///< 0 where the last bias was not measured: after a single Newton step.
};

/// Changes the bias of the layer that the sweep stands at; channels of which fewer than 2 % of the
/// values are inside the clamp keep theirs. Of the biases tried, each channel gets the one with the smallest shift.
/// Errors: those of running the layer.
Result<CorrectedBias> correct_bias(const SweptLayer& layer, QuantizedGraph& model, const ReferenceMeans& reference,
                                   const BiasRule& rule, int num_threads);

/// Gives every Conv, ConvTranspose and Gemm of constant weight without a bias one of zeros, so that it can be
/// corrected.
graph::Graph with_biases(graph::Graph graph);

/// The outputs whose float means correct_bias() compares with: of all layers with a bias, cut at the ends of the grids
/// that `encodings` give them.
std::vector<WantedMeans> corrected_tensors(const graph::Graph& graph, const ops::Facts& facts,
                                           const EncodingSet& encodings);

}  // namespace halfstep::tune
