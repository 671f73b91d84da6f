// cut.hpp: a part of a model as a Graph of its own.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::graph {

/// What some values are computed from.
struct Upstream {
  std::vector<bool> values;  ///< By ValueId; the values themselves, constants and graph inputs among them.
  std::vector<bool> nodes;   ///< By NodeId.
};

/// What `values` need. Requires: `graph` is sorted (every Graph after the reader is). Linear in the graph.
Upstream upstream_of(const Graph& graph, std::span<const ValueId> values);

/// The part of `graph` that computes `outputs` from `inputs`: the nodes this needs and the constants they read, in
/// their order. Tensors and nodes keep their names, so encodings kept by name apply to the part; ids change.
/// `inputs` become its inputs in this order, with the type and shape they declare. Any tensor may be one that is
/// computed or is an input already; one that no output needs stays, as a model's unused input does. A tensor may be
/// input and output at once. Requires: `graph` is sorted.
/// Errors: kUsage, naming the tensor: an input that is a constant; a tensor given twice; an output that depends on
/// none of the inputs, or on an input of `graph` that is not cut off; an input whose node is needed for another of
/// its outputs. kUnsupported: a node that is needed holds a subgraph.
Result<Graph> cut(const Graph& graph, std::span<const GraphInput> inputs, std::span<const ValueId> outputs);

}  // namespace halfstep::graph
