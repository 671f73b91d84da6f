// depthwise.hpp: convolutions each of whose output channels reads one input channel.
#pragma once

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// True for a convolution with a constant weight [C * M, 1, ...] and as many groups as its input [N, C, ...] has
/// channels, of two or more spatial axes or one.
bool is_depthwise(const graph::Graph& graph, const ops::Facts& facts, const graph::Node& node);

}  // namespace halfstep::precision
