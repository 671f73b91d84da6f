// encoding_targets.hpp: the tensors of a graph that an encodings file may name.
#pragma once

#include "encoding/encoding_target.hpp"
#include "graph/graph.hpp"

namespace halfstep::precision {

/// Every value, with its role and, for weights and biases, the axis of the
/// channels. A constant that several operators read is described by the first.
EncodingTargets encoding_targets(const graph::Graph& graph);

}  // namespace halfstep::precision
