// operand_count.hpp: how many operands an operator takes, and whether a node has them.
#pragma once

#include <cstddef>
#include <limits>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// How many operands an operator takes in its canonical form.
struct OperandCount {
  std::size_t required = 1;  ///< The first so many are present.
  std::size_t allowed = 1;   ///< kManyOperands: any number, and all are present.
};
inline constexpr std::size_t kManyOperands = std::numeric_limits<std::size_t>::max();

/// Errors: kInvalidInput if an operand is missing, or there are too many.
Result<void> check_operand_count(const OperandCount& count, const NodeArgs& args);

/// The same for all nodes, those of subgraphs too, whose operators are known: passes match patterns before they know
/// types, and may look at operands that an operator requires.
/// Errors: kInvalidInput with the node named.
Result<void> check_operand_counts(const graph::Graph& graph);

}  // namespace halfstep::ops
