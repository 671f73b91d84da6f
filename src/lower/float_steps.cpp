// float_steps.cpp: known values, put onto their grids once.
#include "lower/float_steps.hpp"

#include <algorithm>

#include "core/half.hpp"
#include "core/text.hpp"
#include "ops/evaluate.hpp"

namespace halfstep::lower {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

FloatSteps::FloatSteps(const graph::Graph& graph, ops::Facts facts, const EncodingSet* encodings)
    : graph_(graph), facts_(std::move(facts)), encodings_(encodings), rounded_(graph.values.size(), false) {}

const TensorEncoding* FloatSteps::entry_of(ValueId id) const {
  return encodings_ == nullptr || id == kNoValue ? nullptr : find_encoding(*encodings_, graph_.value(id).name);
}

bool FloatSteps::is_half(ValueId id) const {
  if (encodings_ == nullptr || id == kNoValue || graph_.value(id).format != graph::RealFormat::kFloat16) return false;
  return entry_of(id) == nullptr && (!fact(id).type || is_float32(id));
}

bool FloatSteps::all_typed(const Node& node) const {
  const auto typed = [&](ValueId id) { return id == kNoValue || fact(id).type.has_value(); };
  return std::ranges::all_of(node.inputs, typed) && std::ranges::all_of(node.outputs, typed);
}

Result<const Tensor*> FloatSteps::known_value(ValueId id) {
  ops::Fact& fact = facts_[static_cast<std::size_t>(id)];
  if (!fact.value) return static_cast<const Tensor*>(nullptr);
  const TensorEncoding* entry = entry_of(id);
  if (entry != nullptr && fact.type->dtype == DType::kFloat32 && !rounded_[static_cast<std::size_t>(id)]) {
    if (Result<void> fits = check_fits(entry->encoding, fact.type->shape); !fits.ok()) {
      return fits.error().at("tensor " + quoted(graph_.value(id).name));
    }
    fact.value = dequantize(entry->codes ? *entry->codes : quantize(*fact.value, entry->encoding), entry->encoding);
    rounded_[static_cast<std::size_t>(id)] = true;
  }
  if (is_half(id) && fact.type->dtype == DType::kFloat32 && !rounded_[static_cast<std::size_t>(id)]) {
    Tensor rounded(fact.value->type());
    std::ranges::transform(fact.value->values<float>(), rounded.mutable_data<float>(), rounded_to_half);
    fact.value = std::move(rounded);
    rounded_[static_cast<std::size_t>(id)] = true;
  }
  return &*fact.value;
}

Result<std::vector<TensorType>> FloatSteps::output_types(const ops::OpDef& op, const ops::NodeArgs& args) const {
  std::vector<TensorType> types;
  if (std::ranges::find(args.node.outputs, kNoValue) == args.node.outputs.end()) {
    for (const ValueId id : args.node.outputs) types.push_back(*fact(id).type);
    return types;
  }
  Result<ops::Inferred> inferred = ops::checked_infer(op, args);
  if (!inferred.ok()) return inferred.error();
  types = std::move(inferred->outputs);
  types.resize(args.node.outputs.size());
  return types;
}

Result<ops::Prepared> FloatSteps::prepare(const ops::OpDef& op, const Node& node) {
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
  for (ValueId id : node.inputs) {
    types.push_back(id == kNoValue ? nullptr : &*fact(id).type);
    Result<const Tensor*> value = id == kNoValue ? Result<const Tensor*>(nullptr) : known_value(id);
    if (!value.ok()) return value.error();
    values.push_back(*value);
  }
  const ops::NodeArgs args{node, types, values};
  const Result<std::vector<TensorType>> outputs = output_types(op, args);
  if (!outputs.ok()) return outputs.error();
  return ops::prepare_float(op, ops::LowerArgs{args, *outputs});
}

}  // namespace halfstep::lower
