// fixed_tensors.cpp: forms of tensors, made when they are first asked for.
#include "lower/fixed_tensors.hpp"

#include "core/text.hpp"
#include "lower/border_steps.hpp"
#include "lower/round_to_grid.hpp"

namespace halfstep::lower {

using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

FixedTensors::FixedTensors(const graph::Graph& graph, ops::Facts facts, const EncodingSet& encodings,
                           Arithmetic arithmetic)
    : graph_(graph),
      arithmetic_(arithmetic),
      real_constants_(facts),
      steps_(graph, std::move(facts), &encodings),
      builder_(graph),
      tensors_(graph.values.size()) {}

SharedEncoding FixedTensors::own_encoding(ValueId id) {
  const Encoding* encoding = steps_.encoding_of(id);
  if (encoding == nullptr || !steps_.fact(id).type || !steps_.is_float32(id)) return nullptr;
  if (encoding->block_axis()) return nullptr;
  SharedEncoding& shared = shared_encodings_[id];
  if (shared == nullptr) shared = std::make_shared<const Encoding>(*encoding);
  return shared;
}

void FixedTensors::add_step(StepKind kind, const std::string& label, NodeId n, std::vector<SlotId> inputs,
                            std::vector<SlotId> outputs, ops::FixedForm form) {
  Step step;
  step.label = label;
  step.node = n;
  step.kind = kind;
  step.inputs = std::move(inputs);
  step.outputs = std::move(outputs);
  step.prepared = std::move(form.prepared);
  step.facts = std::move(form.facts);
  builder_.add_step(std::move(step));
}

Result<void> FixedTensors::complete_real(ValueId id, SlotId real, const std::string& label, NodeId n) {
  Forms& tensor = forms(id);
  const Encoding* encoding = steps_.encoding_of(id);
  if (const SharedEncoding own = own_encoding(id)) {
    const Shape& shape = steps_.fact(id).type->shape;
    Result<ops::FixedForm> form = quantize_step(*own, shape);
    if (!form.ok()) return form.error().at("tensor " + quoted(name_of(id)));
    tensor.codes = builder_.add_codes(id, shape, own);
    tensor.encoding = own;
    add_step(StepKind::kQuantize, label, n, {real}, {tensor.codes}, *std::move(form));
    builder_.mark_complete(tensor.codes, label, n);
    return {};
  }
  // A type that is decided while running: the codes exist only in passing.
  if (encoding != nullptr && !steps_.fact(id).type) {
    ops::FixedForm form;
    form.prepared.run = round_to_grid_kernel(*encoding, numerics::Rounding::kHalfEven);
    form.facts.kernel = "quantize and dequantize";
    add_step(StepKind::kQuantize, label, n, {real}, {real}, std::move(form));
  }
  if (steps_.is_half(id)) {
    ops::FixedForm form;
    form.prepared.run = round_to_half_kernel();
    form.facts.kernel = "rounds to float16";
    add_step(StepKind::kFloat, label, n, {real}, {real}, std::move(form));
  }
  tensor.real = real;
  builder_.mark_complete(real, label, n);
  return {};
}

Result<SlotId> FixedTensors::real_slot(ValueId id) {
  if (id == kNoValue) return kNoSlot;
  Forms& tensor = forms(id);
  if (tensor.real != kNoSlot) return tensor.real;
  if (tensor.codes == kNoSlot) {
    Result<const Tensor*> value = steps_.known_value(id);
    if (!value.ok()) return value.error();
    tensor.real = builder_.add_constant(id, **value);
    return tensor.real;
  }
  const TensorType& type = *steps_.fact(id).type;
  Result<ops::FixedForm> form = dequantize_step(*tensor.encoding, type.shape);
  if (!form.ok()) return form.error().at("tensor " + quoted(name_of(id)));
  tensor.real = builder_.add_variable(id, type);
  add_step(StepKind::kDequantize, "tensor " + quoted(name_of(id)), graph::kNoNode, {tensor.codes}, {tensor.real},
           *std::move(form));
  return tensor.real;
}

SharedEncoding FixedTensors::grid_of(ValueId id) {
  if (id == kNoValue) return nullptr;
  return forms(id).encoding != nullptr ? forms(id).encoding : own_encoding(id);
}

Result<Tensor> FixedTensors::codes_of_known(ValueId id) {
  if (const auto made = known_codes_.find(id); made != known_codes_.end()) return made->second;
  const TensorEncoding& entry = *steps_.entry_of(id);
  const Tensor& real = known_real(id);
  if (Result<void> fits = check_fits(entry.encoding, real.shape()); !fits.ok()) {
    return fits.error().at("tensor " + quoted(name_of(id)));
  }
  return known_codes_.emplace(id, entry.codes ? *entry.codes : quantize(real, entry.encoding)).first->second;
}

Result<SlotId> FixedTensors::code_slot(ValueId id) {
  Forms& tensor = forms(id);
  if (tensor.codes != kNoSlot) return tensor.codes;
  Result<Tensor> codes = codes_of_known(id);
  if (!codes.ok()) return codes.error();
  tensor.encoding = own_encoding(id);
  tensor.codes = builder_.add_constant(id, *std::move(codes));
  builder_.set_encoding(tensor.codes, tensor.encoding);
  return tensor.codes;
}

Result<SlotId> FixedTensors::code_slot_on(ValueId id, const SharedEncoding& grid, const std::string& label, NodeId n) {
  Result<SlotId> own = code_slot(id);
  if (!own.ok() || *forms(id).encoding == *grid) return own;
  for (SlotId other : forms(id).others) {
    if (*builder_.slot(other).encoding == *grid) return other;
  }
  const Shape& shape = steps_.fact(id).type->shape;
  Result<ops::FixedForm> form = requantize_step(*forms(id).encoding, *grid, shape, arithmetic_);
  if (!form.ok()) return form.error();
  const SlotId slot = builder_.add_codes(id, shape, grid);
  add_step(StepKind::kRequantize, label, n, {*own}, {slot}, *std::move(form));
  forms(id).others.push_back(slot);
  return slot;
}

void FixedTensors::complete(ValueId id, SlotId slot, const SharedEncoding& grid) {
  if (grid == nullptr) {
    forms(id).real = slot;
  } else {
    forms(id).codes = slot;
    forms(id).encoding = grid;
  }
}

}  // namespace halfstep::lower
