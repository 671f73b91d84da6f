// unchanged_values.hpp: nodes whose output has the values of an input.
#pragma once

#include "graph/graph.hpp"

namespace halfstep::precision {

/// The operand whose values output 0 of `node` has, type and sample aside; kNoValue if the node computes. That the node
/// is plain to see as one that changes nothing: Identity, Dropout, Cast between floats, QuantizeLinear and
/// DequantizeLinear, sums of one operand, multiplications by 1, ...
graph::ValueId unchanged_operand_of(const graph::Graph& graph, const graph::Node& node);

/// True for operators that move or repeat values (Reshape, Transpose, Slice, ...): where preparing removed one, it did
/// not change its input, or another of its kind did its work.
bool moves_values(const graph::Node& node);

}  // namespace halfstep::precision
