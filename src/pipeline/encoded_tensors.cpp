// encoded_tensors.cpp: walks a graph's inputs and nodes.
#include "pipeline/encoded_tensors.hpp"

#include <algorithm>
#include <set>

namespace halfstep::pipeline {

using graph::Node;
using graph::ValueId;

std::vector<EncodedTensor> encoded_activations(const graph::Graph& graph, const EncodingSet& encodings) {
  std::vector<EncodedTensor> tensors;
  const auto add = [&](ValueId id) {
    if (id == graph::kNoValue || graph.value(id).constant) return;
    const TensorEncoding* entry = find_encoding(encodings, graph.value(id).name);
    if (entry != nullptr) tensors.push_back({.value = id, .entry = entry});
  };
  for (const graph::GraphInput& input : graph.inputs) add(input.value);
  for (const Node& node : graph.nodes) std::ranges::for_each(node.outputs, add);
  return tensors;
}

std::vector<EncodedTensor> encoded_weights(const graph::Graph& graph, const EncodingSet& encodings) {
  std::vector<EncodedTensor> weights;
  std::set<ValueId> known;
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      const Tensor* constant = graph::constant_of(graph, id);
      if (constant == nullptr || constant->dtype() != DType::kFloat32 || constant->num_elements() == 0) continue;
      const TensorEncoding* entry = find_encoding(encodings, graph.value(id).name);
      if (entry == nullptr || entry->role != TensorRole::kWeight) continue;
      if (!check_fits(entry->encoding, constant->shape()).ok() || !known.insert(id).second) continue;
      weights.push_back({.value = id, .entry = entry, .reader = &node});
    }
  }
  return weights;
}

std::pair<double, double> grid_range(const Encoding& encoding) {
  double low = encoding.real_min(0);
  double high = encoding.real_max(0);
  for (std::size_t c = 1; c < encoding.params().size(); ++c) {
    low = std::min(low, encoding.real_min(c));
    high = std::max(high, encoding.real_max(c));
  }
  return {low, high};
}

}  // namespace halfstep::pipeline
