// fixed_steps.hpp: the ways in which a node becomes steps of a fixed-point Program.
#pragma once

#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "lower/fixed_tensors.hpp"
#include "ops/fixed_form.hpp"

namespace halfstep::lower {

/// What all ways read and add to.
struct FixedContext {
  const graph::Graph& graph;
  const FixedPointOptions& options;
  FixedTensors& tensors;
  FloatSteps& steps = tensors.steps();
  ProgramBuilder& builder = tensors.builder();

  const std::string& name_of(graph::ValueId id) const { return graph.value(id).name; }
};

// Each adds the steps of node `n` and makes its outputs complete. Requires: steps.all_typed(node), but for
// lower_real(). Errors: kUnsupported with the reason, and nothing added, if the node can't go this way.

/// By the operator's integer form (op.lower_fixed).
Result<void> lower_integer(FixedContext& c, const ops::OpDef& op, graph::NodeId n);

/// The float kernel on codes: operators that move or select values (moves_codes()).
Result<void> lower_move(FixedContext& c, const ops::OpDef& op, graph::NodeId n);

/// The float kernel on codes of one grid, plain results: comparisons and ArgMax.
Result<void> lower_comparison(FixedContext& c, const ops::OpDef& op, graph::NodeId n);

/// The float kernel on real numbers; encoded outputs become codes behind it. Any node.
Result<void> lower_real(FixedContext& c, const ops::OpDef& op, graph::NodeId n);

/// The step that writes the node's outputs: codes where there is a grid, else what the types say.
Result<void> finish_codes(FixedContext& c, graph::NodeId n, StepKind kind, std::vector<SlotId> inputs,
                          const std::vector<TensorType>& types, const std::vector<SharedEncoding>& grids,
                          ops::FixedForm form);

}  // namespace halfstep::lower
