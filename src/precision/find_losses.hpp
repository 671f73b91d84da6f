// find_losses.hpp: what encodings lose without a run showing it: values that no grid in use can hold.
#pragma once

#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// One line for each loss, in the order of nodes: the node, what is lost, and what helps.
/// - An output that may leave its input's range (ops::leaves_input_range), but came with the input's encoding.
std::vector<std::string> find_losses(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& encodings);

}  // namespace halfstep::precision
