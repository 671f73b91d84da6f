// node_parts.cpp: from the operator's row, the node's clamp and what it may do to ranges.
#include "precision/node_parts.hpp"

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {

Part part_of(const graph::Graph& graph, const graph::Node& node, const ops::Facts& facts) {
  if (!ops::is_integer_node(node, facts)) return Part::kFloat;
  if (node.clamp) return Part::kCompute;  // The clamped tensor may need a much smaller grid than the input.
  switch (ops::find_op(node)->output_rule) {
    case ops::OutputRule::kSameAsInput:
      return ops::leaves_input_range(graph, node, facts) ? Part::kCompute : Part::kMove;
    case ops::OutputRule::kSameAsInputs:
      return Part::kJoin;
    default:
      return Part::kCompute;
  }
}

}  // namespace halfstep::precision
