// lower.hpp: from a Graph, and encodings if any, to a Program.
#pragma once

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "lower/program.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::lower {

/// Every step in float32.
/// Errors: those of infer_facts and of the operators' lower_float, with the node named.
Result<Program> lower_float(const graph::Graph& graph, const ops::InputShapes& shapes);

/// Float steps whose encoded tensors are rounded onto their grids: constants
/// once, here; activations by a step behind their producer. An encoded tensor
/// that only moves values already on the same grid is not rounded again.
/// Errors: as lower_float; kInvalidInput if an encoding does not fit its tensor.
Result<Program> lower_simulated(const graph::Graph& graph, const ops::InputShapes& shapes,
                                const EncodingSet& encodings);

}  // namespace halfstep::lower
