// partial.cpp: which names lose their encoding, and which constants go back to the float model's.
#include "sensitivity/partial.hpp"

#include <algorithm>
#include <unordered_map>

#include "ops/operands.hpp"

namespace halfstep::sensitivity {
namespace {

using graph::ValueId;

/// Constants of layers that compute in other units than the float model's.
std::set<std::string> changed_constants(const graph::Graph& graph, const std::set<std::string, std::less<>>& units) {
  std::set<std::string> changed;
  const auto is_changed = [&](ValueId id) { return id != graph::kNoValue && units.contains(graph.value(id).name); };
  for (const graph::Node& node : graph.nodes) {
    if (!std::ranges::any_of(node.inputs, is_changed) && !std::ranges::any_of(node.outputs, is_changed)) continue;
    for (const ValueId id : node.inputs) {
      if (graph::constant_of(graph, id) != nullptr) changed.insert(graph.value(id).name);
    }
  }
  return changed;
}

void add_names(const QuantizerGroup& group, Part part, std::set<std::string>& names) {
  if (part != Part::kWeights) names.insert(group.activations.begin(), group.activations.end());
  if (part == Part::kActivations) return;
  names.insert(group.weights.begin(), group.weights.end());
  names.insert(group.biases.begin(), group.biases.end());
}

}  // namespace

const char* name_of(Part part) {
  switch (part) {
    case Part::kWeights:
      return "weights";
    case Part::kActivations:
      return "activations";
    case Part::kBoth:
      break;
  }
  return "both";
}

PartialQuantization::PartialQuantization(const QuantizedGraph& quantized, const graph::Graph& reference,
                                         const std::set<std::string, std::less<>>& other_units)
    : quantized_(quantized), originals_(quantized.graph.values.size(), nullptr) {
  std::unordered_map<std::string_view, const Tensor*> theirs;
  for (const graph::Value& value : reference.values) {
    if (value.constant) theirs.emplace(value.name, &*value.constant);
  }
  const std::set<std::string> changed = changed_constants(quantized.graph, other_units);
  for (std::size_t v = 0; v < originals_.size(); ++v) {
    const graph::Value& value = quantized.graph.values[v];
    if (!value.constant || value.constant->dtype() != DType::kFloat32) continue;
    const auto twin = theirs.find(value.name);
    const bool fits = twin != theirs.end() && twin->second->type() == value.constant->type();
    if (fits && !changed.contains(value.name)) {
      originals_[v] = twin->second;
      continue;
    }
    const TensorEncoding* encoding = find_encoding(quantized.encodings, value.name);
    if (encoding != nullptr && encoding->role == TensorRole::kWeight) kept_.push_back(value.name);
  }
}

void PartialQuantization::take_out(const std::set<std::string>& names, QuantizedGraph& model) const {
  std::erase_if(model.encodings, [&](const auto& named) { return names.contains(named.first); });
  // A layer's bias goes with its weight: it was corrected for what rounding does to that.
  std::set<ValueId> real;
  for (const graph::Node& node : model.graph.nodes) {
    const ValueId weight = ops::weight_of(model.graph, node);
    if (weight == graph::kNoValue || model.encodings.contains(model.graph.value(weight).name)) continue;
    real.insert(weight);
    const ValueId bias = ops::bias_of(model.graph, node);
    if (bias == graph::kNoValue) continue;
    real.insert(bias);
    model.encodings.erase(model.graph.value(bias).name);
  }
  for (std::size_t v = 0; v < originals_.size(); ++v) {
    graph::Value& value = model.graph.values[v];
    const bool goes_back = names.contains(value.name) || real.contains(static_cast<ValueId>(v));
    if (goes_back && originals_[v] != nullptr) value.constant = *originals_[v];
  }
}

QuantizedGraph PartialQuantization::without(std::span<const QuantizerGroup* const> out, Part part) const {
  std::set<std::string> names;
  for (const QuantizerGroup* group : out) add_names(*group, part, names);
  QuantizedGraph model = quantized_;
  take_out(names, model);
  return model;
}

QuantizedGraph PartialQuantization::only(std::span<const QuantizerGroup* const> in, Part part) const {
  std::set<std::string> stay;
  for (const QuantizerGroup* group : in) add_names(*group, part, stay);
  std::set<std::string> names;
  for (const auto& [name, encoding] : quantized_.encodings) {
    if (!stay.contains(name)) names.insert(name);
  }
  QuantizedGraph model = quantized_;
  take_out(names, model);
  return model;
}

}  // namespace halfstep::sensitivity
