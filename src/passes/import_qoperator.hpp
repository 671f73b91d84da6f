// import_qoperator.hpp: models whose operators work on integers (QLinearConv, QLinearAdd, ...).
#pragma once

#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::passes {

struct ImportedQOperator {
  graph::Graph graph;              ///< Without QOperator nodes but those that `notes` names.
  std::vector<std::string> notes;  ///< One line for each of them that stays.
};

/// Writes every QOperator node as the float operator between DequantizeLinear
/// and QuantizeLinear, for import_qdq() to take from there. The real tensor it
/// makes bears the name that the integers are made of: "conv1" for
/// "conv1_quantized". A graph without such nodes comes back as it is.
/// Errors: kInvalidInput, the node named, for operands or grids that make no
/// sense; kUnsupported where a node has no such form and cannot stay either.
Result<ImportedQOperator> import_qoperator(graph::Graph graph);

}  // namespace halfstep::passes
