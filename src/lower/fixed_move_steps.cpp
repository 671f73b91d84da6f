// fixed_move_steps.cpp: nodes whose float kernels work on codes as they are.
#include <algorithm>

#include "core/text.hpp"
#include "lower/fixed_moves.hpp"
#include "lower/fixed_steps.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// The grid a moving node works on: that of its first output, or of its input where the output has none.
Result<SharedEncoding> moving_grid(FixedContext& c, const ops::OpDef& op, const Node& node) {
  SharedEncoding grid = node.outputs[0] == kNoValue ? nullptr : c.tensors.own_encoding(node.outputs[0]);
  if (grid == nullptr) grid = c.tensors.grid_of(node.inputs[op.operands.first_data()]);
  if (grid == nullptr) return Error{ErrorCode::kUnsupported, "neither input nor output has an encoding"};
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    if (id == kNoValue || !c.steps.is_float32(id) || c.tensors.own_encoding(id) == nullptr) continue;
    if (*c.tensors.own_encoding(id) != *grid)
      return Error{ErrorCode::kUnsupported, "the outputs are on different grids"};
  }
  return grid;
}

/// Reshape and the like: the output is the input's storage, nothing runs.
bool try_alias(FixedContext& c, const ops::OpDef& op, NodeId n, SlotId source, const TensorType& type,
               const SharedEncoding& grid) {
  const Node& node = c.graph.node(n);
  const bool other_outputs =
      std::any_of(node.outputs.begin() + 1, node.outputs.end(), [](ValueId id) { return id != kNoValue; });
  if (!op.aliases_input || other_outputs || grid->axis() || !c.builder.is_static_variable(source)) return false;
  const SlotId slot = c.builder.add_alias(node.outputs[0], type, source);
  c.builder.set_encoding(slot, grid);
  c.tensors.complete(node.outputs[0], slot, grid);
  c.builder.add_alias_step(graph::describe(c.graph, node), n, source, slot);
  return true;
}

}  // namespace

Result<void> lower_move(FixedContext& c, const ops::OpDef& op, NodeId n) {
  const Node& node = c.graph.node(n);
  const std::string label = graph::describe(c.graph, node);
  Result<SharedEncoding> grid = moving_grid(c, op, node);
  if (!grid.ok()) return grid.error();
  const bool joins = op.output_rule == ops::OutputRule::kSameAsInputs;
  std::vector<bool> on_codes;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    on_codes.push_back(id != kNoValue && (i == 0 || joins) && c.steps.is_float32(id));
    if (on_codes.back() && c.tensors.grid_of(id) == nullptr) {
      return Error{ErrorCode::kUnsupported, "input " + quoted(c.name_of(id)) + " has no encoding"};
    }
  }
  Result<CodeMove> move = prepare_code_move(op, node, c.steps, **grid, on_codes);
  if (!move.ok()) return move.error();
  std::vector<SlotId> inputs;
  for (std::size_t i = 0; i < std::max(node.inputs.size(), move->replaced_operands.size()); ++i) {
    const ValueId id = i < node.inputs.size() ? node.inputs[i] : kNoValue;
    if (i < move->replaced_operands.size() && move->replaced_operands[i]) {
      // Any value may stand for the constant: nobody looks it up.
      inputs.push_back(c.builder.add_constant(id != kNoValue ? id : node.outputs[0], *move->replaced_operands[i]));
      continue;
    }
    Result<SlotId> slot =
        i < on_codes.size() && on_codes[i] ? c.tensors.code_slot_on(id, *grid, label, n) : c.tensors.real_slot(id);
    if (!slot.ok()) return slot.error();
    inputs.push_back(*slot);
  }
  if (try_alias(c, op, n, inputs[0], move->outputs[0], *grid)) return {};
  std::vector<SharedEncoding> grids;
  for (ValueId id : node.outputs) grids.push_back(id != kNoValue && c.steps.is_float32(id) ? *grid : nullptr);
  ops::FixedForm form;
  form.prepared = std::move(move->prepared);
  form.facts.kernel = "moves codes";
  return finish_codes(c, n, StepKind::kMove, std::move(inputs), move->outputs, grids, std::move(form));
}

/// Comparisons and ArgMax: codes on one grid are as good as the real numbers.
Result<void> lower_comparison(FixedContext& c, const ops::OpDef& op, NodeId n) {
  const Node& node = c.graph.node(n);
  SharedEncoding grid;
  std::vector<bool> on_codes;
  for (ValueId id : node.inputs) {
    on_codes.push_back(id != kNoValue && c.steps.is_float32(id));
    if (!on_codes.back()) continue;
    const SharedEncoding own = c.tensors.grid_of(id);
    if (own == nullptr) return Error{ErrorCode::kUnsupported, "input " + quoted(c.name_of(id)) + " has no encoding"};
    if (grid != nullptr && *grid != *own) return Error{ErrorCode::kUnsupported, "the inputs are on different grids"};
    grid = own;
  }
  if (grid == nullptr) return Error{ErrorCode::kUnsupported, "no input has an encoding"};
  if (grid->axis()) return Error{ErrorCode::kUnsupported, "the inputs have a grid for each channel"};
  Result<CodeMove> move = prepare_code_move(op, node, c.steps, *grid, on_codes);
  if (!move.ok()) return move.error();
  std::vector<SlotId> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    Result<SlotId> slot = on_codes[i] ? c.tensors.code_slot(node.inputs[i]) : c.tensors.real_slot(node.inputs[i]);
    if (!slot.ok()) return slot.error();
    inputs.push_back(*slot);
  }
  ops::FixedForm form;
  form.prepared = std::move(move->prepared);
  form.facts.kernel = "compares codes";
  const std::vector<SharedEncoding> grids(node.outputs.size(), nullptr);
  return finish_codes(c, n, StepKind::kMove, std::move(inputs), move->outputs, grids, std::move(form));
}

}  // namespace halfstep::lower
