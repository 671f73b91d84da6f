// fixed_real_steps.cpp: float islands in a fixed-point Program.
#include "lower/fixed_steps.hpp"
#include "ops/evaluate.hpp"

namespace halfstep::lower {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// The node in float; its encoded outputs become codes behind it.
Result<void> lower_real(FixedContext& c, const ops::OpDef& op, NodeId n) {
  const Node& node = c.graph.node(n);
  Step step;
  step.label = graph::describe(c.graph, node);
  step.node = n;
  for (ValueId id : node.inputs) {
    Result<SlotId> slot = c.tensors.real_slot(id);
    if (!slot.ok()) return slot.error();
    step.inputs.push_back(*slot);
  }
  const bool typed = c.steps.all_typed(node);
  bool clamps = true;
  if (typed) {
    Result<ops::Prepared> prepared = c.steps.prepare(op, node);
    if (!prepared.ok()) return prepared.error();
    step.prepared = *std::move(prepared);
    clamps = step.prepared.clamps;
  } else {
    step.late = true;
    step.late_node = node;
  }
  for (ValueId id : node.outputs) {
    step.outputs.push_back(id == kNoValue ? kNoSlot
                                          : c.builder.add_variable(id, typed ? c.steps.fact(id).type : std::nullopt));
  }
  const std::vector<SlotId> outputs = step.outputs;
  const std::string label = step.label;
  c.builder.add_step(std::move(step));
  if (node.clamp && !clamps) {
    ops::FixedForm clamp;
    clamp.prepared.run = ops::clamp_kernel(*node.clamp);
    c.tensors.add_step(StepKind::kFloat, label, n, {outputs[0]}, {outputs[0]}, std::move(clamp));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoSlot) continue;
    if (Result<void> done = c.tensors.complete_real(node.outputs[i], outputs[i], label, n); !done.ok()) return done;
  }
  return {};
}

}  // namespace halfstep::lower
