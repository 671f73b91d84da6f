// find_losses.hpp: what encodings lose without a run showing it: values that no grid in use can hold.
#pragma once

#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// One line for each loss, in the order of nodes: the node, what is lost, and what helps.
/// - A value of an addend or an input of Concat that is never as large as half a step of the output's grid.
/// - A Softmax whose input has steps so wide that probabilities are guesses.
/// - A divisor some of whose values round to 0.
/// - An output that may leave its input's range (ops::leaves_input_range), but came with the input's encoding.
/// `observations`: watches_of(). What it does not hold is not judged.
std::vector<std::string> find_losses(const graph::Graph& graph, const ops::Facts& facts,
                                     const calib::Observations& observations, const EncodingSet& encodings);

}  // namespace halfstep::precision
