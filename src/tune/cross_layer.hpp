// cross_layer.hpp: classic cross-layer equalization of the weights of neighbouring layers.
//
// Pairs y = W2 f(W1 x) become W1/s, W2*s:                 s = sqrt(r1 r2) / r2
// Triples with a depthwise W2 become W1/s1, W2*s1/s2, W3*s2:
//   s1 = r1 / (r1 r2 r3)^(1/3),  s2 = (r1 r2 r3)^(1/3) / r3
// where r is the largest |weight| of each layer's channel. Source: Nagel et al., ICCV 2019, section 4.1; the triples
// as AIMET has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::tune {

/// Layers that were made equal.
struct EqualizedChain {
  std::vector<std::string> tensors;          ///< Between its layers: one of a pair, two of a triple.
  std::vector<std::vector<double>> factors;  ///< s of each, [C].
};

struct CrossLayerEqualized {
  graph::Graph graph;
  std::vector<EqualizedChain> chains;  ///< In the order in which they are computed.
  /// What is no chain, one line each: "'x': read by node 'add' (Add), not by one layer only".
  std::vector<std::string> refused;
  /// "node 'conv1' (Conv)": its clamp [0, 6] became [0, infinity]. This changes the float function, unless empty.
  std::vector<std::string> relaxed_clamps;
  int num_rounds = 0;
  bool converged = true;  ///< The last round changed no factor by more than 1e-3 of it.
  double smallest_factor = 1.0;
  double largest_factor = 1.0;
};

/// Equalizes every chain of `graph`: two layers (convolutions, depthwise ones, transposed ones, Gemm, MatMul) or three
/// with a depthwise convolution between, joined by tensors that one layer writes and one reads, through Relu,
/// LeakyRelu, PRelu or nothing. A clamp [0, b] there becomes Relu first. A channel that is all but zero in one of its
/// layers keeps its factor. At most 100 rounds over all chains, until no factor changes by more than 1e-3 of it.
/// `facts` and `imported` as for find_scaling_groups().
/// Errors: kUnsupported if a weight would leave the float32 numbers.
Result<CrossLayerEqualized> equalize_cross_layer(const graph::Graph& graph, const ops::Facts& facts,
                                                 const EncodingSet& imported = {});

}  // namespace halfstep::tune
