// import_qdq.hpp: models that already carry QuantizeLinear and DequantizeLinear.
#pragma once

#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::passes {

/// The graph is in float, and every encoded value is pinned. Encodings are frozen, Origin::kImported; weights and
/// biases have their codes.
struct ImportedQdq : QuantizedGraph {
  std::vector<std::string> notes;  ///< One line for each Q or DQ that stays and whose tensor has no encoding.
};

/// Takes the pairs of QuantizeLinear and DequantizeLinear out of the graph and
/// into encodings; import_matmul_nbits() comes first. A graph without any comes back as it is.
/// Errors: kInvalidInput, the node named, for grids that make no sense;
/// kUnsupported for blocked scales of activations, and those of import_matmul_nbits().
Result<ImportedQdq> import_qdq(graph::Graph graph);

/// Errors: kInvalidInput naming a tensor whose encoding is per channel and does
/// not fit its shape. `facts`: of imported.graph, with concrete shapes.
Result<void> check_encodings_fit(const ImportedQdq& imported, const ops::Facts& facts);

}  // namespace halfstep::passes
