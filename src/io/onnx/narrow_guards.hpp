// narrow_guards.hpp: keeps ONNX Runtime from computing on 4-bit activations.
//
// Its optimizations put integer operators and moved data in the place of what stands between DequantizeLinear and
// QuantizeLinear, also where the integers have 4 bits, for which these operators have no form, and Clip and Relu in
// front of a QuantizeLinear to 4 bits they refuse: such a model does not load (seen in 1.31 and 1.32). A Max with minus
// infinity on both sides of the pair changes nothing and fits no pattern:
//   x -> QuantizeLinear -> DequantizeLinear -> y
//   x_unguarded -> Max -> x -> QuantizeLinear -> DequantizeLinear -> Max -> y_guarded
#pragma once

#include "graph/graph.hpp"

namespace halfstep::io {

/// `graph`, in which activations are pairs of QuantizeLinear and DequantizeLinear, with guards around those to 4 bits.
/// Inputs of the graph, and what is an output of it, need none on that side.
graph::Graph insert_narrow_guards(graph::Graph graph);

/// The other way, for files that we wrote.
void remove_narrow_guards(graph::Graph& graph);

}  // namespace halfstep::io
