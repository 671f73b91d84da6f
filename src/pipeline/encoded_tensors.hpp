// encoded_tensors.hpp: the tensors of a graph that have a grid, in the order of the network.
#pragma once

#include <utility>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"

namespace halfstep::pipeline {

/// A value of a graph and its entry in a set of encodings; both outlive it.
struct EncodedTensor {
  graph::ValueId value = graph::kNoValue;
  const TensorEncoding* entry = nullptr;
  const graph::Node* reader = nullptr;  ///< Of weights: the first node that reads it.
};

/// Graph inputs and what nodes compute, where `encodings` knows the name, in the order the network computes them.
std::vector<EncodedTensor> encoded_activations(const graph::Graph& graph, const EncodingSet& encodings);

/// float32 constants of role kWeight that are not empty and whose encoding fits them, each once, in the order the
/// network reads them.
std::vector<EncodedTensor> encoded_weights(const graph::Graph& graph, const EncodingSet& encodings);

/// The ends of the grid, real numbers: the lowest and the highest over all channels.
std::pair<double, double> grid_range(const Encoding& encoding);

}  // namespace halfstep::pipeline
