// import_qdq.hpp: models that already carry QuantizeLinear and DequantizeLinear.
#pragma once

#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::passes {

struct ImportedQdq {
  graph::Graph graph;              ///< In float; every encoded value is pinned.
  EncodingSet encodings;           ///< Frozen, Origin::kImported; weights and biases with their codes.
  std::vector<std::string> notes;  ///< One line for each Q or DQ that stays and whose tensor has no encoding.
};

/// Takes the pairs of QuantizeLinear and DequantizeLinear out of the graph and
/// into encodings. A graph without any comes back as it is.
/// Errors: kInvalidInput, the node named, for grids that make no sense;
/// kUnsupported for blocked scales.
Result<ImportedQdq> import_qdq(graph::Graph graph);

/// Errors: kInvalidInput naming a tensor whose encoding is per channel and does
/// not fit its shape. `facts`: of imported.graph, with concrete shapes.
Result<void> check_encodings_fit(const ImportedQdq& imported, const ops::Facts& facts);

}  // namespace halfstep::passes
