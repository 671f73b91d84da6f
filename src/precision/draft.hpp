// draft.hpp: encodings while they are being assigned; what the stages of assign_encodings() share.
#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/text.hpp"
#include "precision/assign_encodings.hpp"

namespace halfstep::precision {

/// "0.25", in warnings.
inline std::string shown(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", x);
  return text;
}

/// The encodings so far. Stages only add; each says which ones it needs to be there.
struct Draft {
  const graph::Graph& graph;
  const Plan& plan;
  std::vector<double> floors;  ///< value_floors(): no grid need reach below.
  Assignment result = {};

  const std::string& name_of(graph::ValueId id) const { return graph.value(id).name; }
  /// nullptr if `id` is absent or has no encoding yet.
  const TensorEncoding* encoding_of(graph::ValueId id) const {
    return id == graph::kNoValue ? nullptr : find_encoding(result.encodings, name_of(id));
  }
  /// The encoding that `id` has or will take over: shared ones are written last.
  const TensorEncoding* encoding_behind(graph::ValueId id) const {
    const TensorPlan& planned = plan.of(id);
    return encoding_of(planned.source == Source::kShared ? planned.shared_with : id);
  }
  /// With the codes, if `id` is a constant.
  void add(graph::ValueId id, Encoding encoding, TensorRole role, Provenance provenance) {
    TensorEncoding entry{
        .encoding = std::move(encoding), .role = role, .provenance = std::move(provenance), .codes = {}};
    if (const Tensor* constant = graph::constant_of(graph, id)) entry.codes = quantize(*constant, entry.encoding);
    result.encodings.insert_or_assign(name_of(id), std::move(entry));
  }
  double floor_of(graph::ValueId id) const { return floors[static_cast<std::size_t>(id)]; }
  /// Says in the provenance of `id` that its grid ends at the floor.
  void note_floor(graph::ValueId id) {
    result.encodings.at(name_of(id))
        .provenance.changes.push_back("cut at " + shown(floor_of(id)) + ", readers see nothing below");
  }
  void warn(std::string text) { result.warnings.push_back(std::move(text)); }
};

/// Weights, constant data and biases on grids from their own values; then biases on (E6), which may raise a weight's
/// scale. Needs the encodings of activations (shared ones by their origin) and imported ones.
Result<void> assign_constants(Draft& draft);

/// Biases of 32 bits, and what came with the model for them. Needs the encodings of weights.
Result<void> assign_biases(Draft& draft);

}  // namespace halfstep::precision
