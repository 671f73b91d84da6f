// qdq_graph.hpp: encodings made visible as QuantizeLinear and DequantizeLinear nodes.
#pragma once

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// A copy of `graph` in which
/// - every encoded constant is an integer initializer `<name>_quantized` behind
///   a DequantizeLinear whose output is called `<name>`;
/// - every encoded activation x is followed by QuantizeLinear (`x_quantized`) and
///   DequantizeLinear (`x_dequantized`), which all readers of x now read. A graph
///   output keeps its name on the dequantized side; what comes before is then
///   called `x_float`;
/// - Node::clamp is a Relu or Clip node again, under its former name.
/// Axes are always explicit. Errors: kInvalidInput if an encoding does not fit its tensor.
Result<graph::Graph> insert_qdq(const graph::Graph& graph, const EncodingSet& encodings);

}  // namespace halfstep::io
