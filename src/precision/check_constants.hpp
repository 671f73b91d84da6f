// check_constants.hpp: parameters that no grid can hold.
#pragma once

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::precision {

/// Looks at every constant that is a parameter of a node with an integer form:
/// weights, biases, constant operands, and what normalizations scale and shift by.
/// Errors: kCalibration naming constant, node and element if one holds NaN or an infinity.
Result<void> check_constants(const graph::Graph& graph);

}  // namespace halfstep::precision
