// qdq_import.hpp: the two halves of import_qdq and what they share.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "passes/edit.hpp"
#include "passes/qdq_grid.hpp"

namespace halfstep::passes {

/// An import under way. Names are given to the encodings at the end, since values are renamed on the way.
struct QdqImport {
  Edit edit;
  std::vector<std::optional<QdqGrid>> grids;           ///< By NodeId; set for Q and DQ with constant parameters.
  std::map<graph::ValueId, TensorEncoding> encodings;  ///< All frozen; their values are pinned.

  const std::optional<QdqGrid>& grid(graph::NodeId node) const { return grids[static_cast<std::size_t>(node)]; }

  /// Pins `value` and gives it an encoding read from `source`.
  void encode(graph::ValueId value, Encoding encoding, const graph::Node& source, std::optional<Tensor> codes);
};

/// The outputs of the DQs behind a Q all of whose readers are DQs on the same
/// grid. Empty: something else reads the integers, and the Q must stay.
std::vector<graph::ValueId> dequantized_values(const QdqImport& import, graph::NodeId quantize);

/// Computes what leads from constants alone to an operand of a Q, a DQ or a
/// QOperator node: scales and zero points in any way, codes and weights by movement and casts.
/// Errors: those of the operators, with the node named.
Result<graph::Graph> fold_qdq_operands(graph::Graph graph);

/// Movement of integers between a Q and a DQ (MaxPool, Transpose, Reshape, ...)
/// becomes movement of reals, with a pair of its own behind it.
graph::Graph lift_integer_movement(graph::Graph graph);

/// DQ of constant integers, and Q and DQ of constant reals, become encoded constants.
Result<void> import_qdq_constants(QdqImport& import);

/// Q and DQ of computed tensors become encodings on them.
Result<void> import_qdq_activations(QdqImport& import);

}  // namespace halfstep::passes
