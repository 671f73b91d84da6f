// quantized_graph.hpp: a graph and the encodings of its tensors as one value.
#pragma once

#include <string>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// What calibration makes, tuning changes, lowering runs and writers write: a float graph, and by name how its tensors
/// are quantized. Encodings belong to names, so passes may renumber values; one that names no tensor is unused.
struct QuantizedGraph {
  graph::Graph graph;
  EncodingSet encodings;
};

/// Gives constant `id` the values of `values`, and codes on the encoding it has, if any. `change` joins the provenance:
/// "bias corrected", once if it is the latest already. All that depends on the constant's old values (a bias' scale on
/// its weight's) is the caller's. Requires: `id` is a constant of the same type and shape. Errors: kInvalidInput naming
/// the tensor if a value is NaN or infinite; then nothing has changed.
Result<void> change_constant(QuantizedGraph& model, graph::ValueId id, Tensor values, const std::string& change);

/// Puts the tensor on another grid; codes of a constant are computed again. `change` joins the provenance.
/// Errors: kInvalidInput if the tensor has no encoding, or if `encoding` does not fit the constant.
Result<void> change_encoding(QuantizedGraph& model, graph::ValueId id, Encoding encoding, const std::string& change);

}  // namespace halfstep
