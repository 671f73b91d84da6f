// absorb_bias.hpp: high biases move from a layer into the next one.
//
//   before:  x = Relu(W1 u + b1)           y = W2 x + b2
//   after:   x' = Relu(W1 u + b1 - c)      y = W2 x' + b2 + sum over taps of W2 c
//
// x' = x - c wherever x >= c, so y stays while the range that x needs shrinks by c.
//   c = max(0, mean - 3 * standard deviation) of what the Relu reads, where the layer has BatchNorm statistics: all but
//       0.13 % of normal values lie above;
//   c = the smallest value that calibration saw behind the Relu, else: exact for those samples.
// Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, 4.1.3.
#pragma once

#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// What an amount was taken from.
enum class AmountSource { kBatchNorm, kCalibration };

/// A linear node with a constant weight, and one that reads its output 0 as input 0.
struct AbsorbedPair {
  std::string writer;    ///< Output tensors of the two.
  std::string reader;    ///< A writer appears once for each of its readers.
  std::string obstacle;  ///< Why nothing could be absorbed; empty if it could, be it in 0 channels.
  AmountSource source = AmountSource::kBatchNorm;
  int num_channels = 0;         ///< How many have c > 0.
  double largest_amount = 0.0;  ///< The largest c, in units of the tensor between the two.
};

/// One line: "absorbed 12 channels of 'a' in 'b', at most 3.25 (BatchNorm statistics)".
std::string to_string(const AbsorbedPair& pair);

struct Absorption {
  graph::Graph graph;               ///< ValueIds and NodeIds as before; constants are added at the end.
  std::vector<AbsorbedPair> pairs;  ///< In the order of writers.
};

/// What calibration must look at for absorb_bias(): outputs, with their channels, of layers that could hand something
/// on and have no BatchNorm statistics.
std::vector<calib::Watch> absorption_watches(const graph::Graph& graph, const ops::Facts& facts);

/// Absorbs in every pair that allows it, in the order of nodes. Conditions: the writer's clamp is a Relu, for every
/// channel (from 0, no upper bound); its output has no other reader, is no graph output and carries no encoding;
/// weights and biases of both are constant and none came with an encoding; a convolution that reads pads nothing, since
/// padding would not shift along. A reader without a bias gets one. Statistics of the writer move along. `graph` went
/// through passes::prepare(); `observations` may lack what has statistics.
Absorption absorb_bias(const graph::Graph& graph, const ops::Facts& facts, const calib::Observations& observations);

}  // namespace halfstep::tune
