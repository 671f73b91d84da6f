// half_casts.hpp: Cast nodes where half precision begins and ends in a file.
#pragma once

#include "graph/graph.hpp"

namespace halfstep::io {

/// Producer of the files we write.
inline constexpr const char* kProducer = "halfstep";

/// A node computes in half precision if one of its outputs is kept in it (graph::Value::format); ONNX wants its
/// operands in it, too. Identity from one format to another becomes Cast; other nodes that read half precision in
/// float32 get a Cast in front, one for all readers of a tensor. Outputs of the graph are float32 under their own
/// names.
graph::Graph insert_half_casts(graph::Graph graph);

/// The other way, for files that we wrote: sets graph::Value::format behind Cast and what is computed from half
/// precision; Casts to float32 become Identity again. Requires: constants that the file stores in half
/// precision, and what it casts to it, have that format already.
void restore_halves(graph::Graph& graph);

}  // namespace halfstep::io
