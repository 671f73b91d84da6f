// fixed_integer_steps.cpp: nodes by their integer forms.
#include "core/text.hpp"
#include "lower/fixed_steps.hpp"
#include "lower/product_grid.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

Result<SlotId> integer_operand(FixedContext& c, ValueId id, std::size_t i, const ops::FixedForm& form) {
  if (id == kNoValue) return kNoSlot;
  if (i < form.replaced_operands.size() && form.replaced_operands[i]) {
    return c.builder.add_constant(id, *form.replaced_operands[i]);
  }
  return c.tensors.grid_of(id) != nullptr ? c.tensors.code_slot(id) : c.tensors.real_slot(id);
}

}  // namespace

Result<void> finish_codes(FixedContext& c, NodeId n, StepKind kind, std::vector<SlotId> inputs,
                          const std::vector<TensorType>& types, const std::vector<SharedEncoding>& grids,
                          ops::FixedForm form) {
  const Node& node = c.graph.node(n);
  const std::string label = graph::describe(c.graph, node);
  std::vector<SlotId> outputs;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    if (id == kNoValue) {
      outputs.push_back(kNoSlot);
    } else if (grids[i] != nullptr) {
      outputs.push_back(c.builder.add_codes(id, types[i].shape, grids[i]));
    } else {
      outputs.push_back(c.builder.add_variable(id, types[i]));
    }
    if (id != kNoValue) c.tensors.complete(id, outputs.back(), grids[i]);
  }
  const std::vector<SlotId> written = outputs;
  c.tensors.add_step(kind, label, n, std::move(inputs), std::move(outputs), std::move(form));
  for (SlotId slot : written) {
    if (slot != kNoSlot) c.builder.mark_complete(slot, label, n);
  }
  return {};
}

Result<void> lower_integer(FixedContext& c, const ops::OpDef& op, NodeId n) {
  const Node& node = c.graph.node(n);
  if (node.clamp && node.clamp->channels && op.channels.weight_output_axis == nullptr) {
    return Error{ErrorCode::kUnsupported, "a clamp with bounds for each channel"};
  }
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
  std::vector<SharedEncoding> grids;
  std::vector<const Encoding*> input_encodings;
  std::vector<Tensor> held;
  held.reserve(node.inputs.size());
  std::vector<const Tensor*> codes;
  for (ValueId id : node.inputs) {
    types.push_back(id == kNoValue ? nullptr : &*c.steps.fact(id).type);
    values.push_back(id == kNoValue || !c.tensors.is_known(id) ? nullptr : &c.tensors.known_real(id));
    grids.push_back(c.tensors.grid_of(id));
    input_encodings.push_back(grids.back().get());
    codes.push_back(nullptr);
    if (grids.back() == nullptr || !c.tensors.is_known(id)) continue;
    Result<Tensor> known = c.tensors.codes_of_known(id);
    if (!known.ok()) return known.error();
    held.push_back(*std::move(known));
    codes.back() = &held.back();
  }
  const ops::NodeArgs node_args{node, types, values};
  const Result<std::vector<TensorType>> outputs = c.steps.output_types(op, node_args);
  if (!outputs.ok()) return outputs.error();
  std::vector<SharedEncoding> output_grids;
  std::vector<const Encoding*> output_encodings;
  for (ValueId id : node.outputs) {
    output_grids.push_back(id == kNoValue ? nullptr : c.tensors.own_encoding(id));
    if (output_grids.size() == 1 && output_grids[0] == nullptr) {
      const std::optional<Encoding> sums = accumulator_grid(op, node, input_encodings[0], c.steps);
      if (sums) output_grids[0] = std::make_shared<const Encoding>(*sums);
    }
    output_encodings.push_back(output_grids.back().get());
    if (output_grids.back() == nullptr) continue;
    if (Result<void> fits = check_fits(*output_grids.back(), (*outputs)[output_grids.size() - 1].shape); !fits.ok()) {
      return fits.error().at("tensor " + quoted(c.name_of(id)));
    }
  }
  ops::FixedArgs args{node_args, *outputs, input_encodings, codes, output_encodings, c.options};
  Result<ops::FixedForm> form = op.lower_fixed(args);
  if (!form.ok()) return form.error();
  for (const std::string& warning : form->facts.warnings) {
    c.builder.add_warning(graph::describe(c.graph, node) + ": " + warning);
  }
  std::vector<SlotId> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    Result<SlotId> slot = integer_operand(c, node.inputs[i], i, *form);
    if (!slot.ok()) return slot.error();
    inputs.push_back(*slot);
  }
  return finish_codes(c, n, StepKind::kInteger, std::move(inputs), *outputs, output_grids, *std::move(form));
}

}  // namespace halfstep::lower
