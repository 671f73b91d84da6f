// watched.cpp: layers and outputs, found by value.
#include "compare/watched.hpp"

#include <algorithm>

namespace halfstep::compare {

Watched::Watched(const RunsRequest& request) : layers(request.layers) {
  const graph::Graph& reference = *request.reference.graph;
  const graph::Graph& other = *request.other.graph;
  for (std::size_t o = 0; o < reference.outputs.size(); ++o) {
    const graph::ValueId ours = reference.outputs[o].value;
    const graph::ValueId theirs = other.outputs[o].value;
    const auto at = std::ranges::find_if(
        layers, [&](const Layer& layer) { return layer.reference == ours && layer.other == theirs; });
    layer_of_output.push_back(static_cast<std::size_t>(at - layers.begin()));
    if (at == layers.end()) layers.push_back({ours, theirs, nullptr});
  }
  for (std::size_t w = 0; w < layers.size(); ++w) {
    reference_[layers[w].reference].push_back(w);
    other_[layers[w].other].push_back(w);
  }
}

}  // namespace halfstep::compare
