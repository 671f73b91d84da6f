// weights_fingerprint.hpp: tells whether encodings were made for these weights.
#pragma once

#include <string>

#include "graph/graph.hpp"

namespace halfstep::pipeline {

/// graph::fingerprint() of the names and values of all constant weights and biases of linear nodes, in the order of
/// names. Unlike that of the whole prepared graph it is the same once the graph was written, read and prepared again,
/// and for samples of any shape: ids and the constants that follow from shapes do not count.
std::string weights_fingerprint(const graph::Graph& graph);

}  // namespace halfstep::pipeline
