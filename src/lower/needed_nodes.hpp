// needed_nodes.hpp: which nodes a Program has to run.
#pragma once

#include <vector>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::lower {

/// By NodeId: true if a graph output needs an output of the node whose value is not known before running.
std::vector<bool> needed_nodes(const graph::Graph& graph, const ops::Facts& facts);

}  // namespace halfstep::lower
