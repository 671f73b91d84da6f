// expected_inputs.hpp: the mean of what layers read, channel by channel, from BatchNorm statistics: without data.
//
// The output of a layer with NormalStatistics is a normal value clipped by the layer's clamp to [a, b]. With phi and
// Phi the standard normal density and distribution, alpha = (a - mean) / deviation, beta = (b - mean) / deviation:
//
//   E[y] = a Phi(alpha) + b (1 - Phi(beta)) + mean (Phi(beta) - Phi(alpha)) + deviation (phi(alpha) - phi(beta))
//
// Means go on unchanged through what is linear in each channel.
// Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, appendix C.
#pragma once

#include <vector>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// The mean of min(high, max(low, x)) for normal x. In the unit of its arguments. Infinite bounds are none.
/// Requires: deviation >= 0 and finite, mean finite, low <= high, low < +infinity, high > -infinity.
double clipped_normal_mean(double mean, double deviation, double low, double high);

/// By ValueId: the expected value of each channel (axis 1), [C]; empty where it is not known.
using ExpectedValues = std::vector<std::vector<double>>;

/// Known are: outputs of layers with statistics, after their clamp; and, where their operands are known and they apply
/// no clamp, Add, Sum and Sub of equal shapes; Concat of channels; AveragePool that counts no padding,
/// GlobalAveragePool and ReduceMean over axes behind the channels; Reshape and its like that keep batch and channels
/// or split channels' values up in order ([N, C, H, W] to [N, C * H * W]). Nothing else: not graph inputs, nor maxima.
/// `graph` went through passes::prepare(). Requires: `facts` are of concrete shapes (ops::infer_facts()).
ExpectedValues expected_values(const graph::Graph& graph, const ops::Facts& facts);

}  // namespace halfstep::tune
