// analytic_bias.hpp: biases corrected for the mean error of quantized weights, without data.
//
//   b'[o] = b[o] - sum over input channels i and taps of (W_q - W)[o][i] * E[x[i]]
//
// E[x] from BatchNorm statistics (expected_inputs.hpp); W_q the values of the weight's codes. Padding counts as if it
// were data, so that layers over small padded maps are corrected a little too much.
// Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section 4.2.
#pragma once

#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// A linear node whose weight is on a grid.
struct AnalyticCorrection {
  std::string layer;            ///< Its output tensor.
  std::string obstacle;         ///< Why its bias stays; empty if it was corrected.
  double largest_change = 0.0;  ///< |b' - b| of the channel that changed most, in units of the output.
};

/// A line for all that were corrected, then one a reason: "not corrected: 3 layers, such as 'a': no bias".
std::vector<std::string> lines_of(const std::vector<AnalyticCorrection>& corrections);

/// Corrects the constant bias of every linear node of `model` whose expected input is known; a bias on a grid gets new
/// codes on the same grid. `reference` is the float graph that `model` was made from: same tensor names, weights before
/// any rounding, statistics; `facts` are those of `reference` for concrete shapes. Biases that are absent, shared,
/// computed, pinned or frozen stay. Answers in the order of nodes.
/// Errors: those of change_constant(), with the layer; the biases before it are corrected then.
Result<std::vector<AnalyticCorrection>> correct_biases_analytically(QuantizedGraph& model,
                                                                    const graph::Graph& reference,
                                                                    const ops::Facts& facts);

}  // namespace halfstep::tune
