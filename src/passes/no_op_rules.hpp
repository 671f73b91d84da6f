// no_op_rules.hpp: when a node's output is its input.
#pragma once

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "passes/edit.hpp"

namespace halfstep::passes {

/// The operand that output 0 of `node` equals, in type and in every element,
/// for every sample and every size of the symbolic dimensions; else kNoValue.
graph::ValueId unchanged_input(const Edit& edit, const graph::Node& node, const ops::Facts& facts);

/// True if a tensor of type `a` reshaped to `b` has the shape it had. Extents
/// of -1 are unknown; since the number of elements stays, one may be.
bool same_after_reshape(const TensorType& a, const TensorType& b);

}  // namespace halfstep::passes
