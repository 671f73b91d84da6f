// quantized_graph.cpp: changes that keep constants, codes and provenance together.
#include "encoding/quantized_graph.hpp"

#include <algorithm>
#include <cmath>

#include "core/text.hpp"

namespace halfstep {
namespace {

/// Algorithms approach a value in several steps; that is one change.
void note(Provenance& provenance, const std::string& change) {
  if (provenance.changes.empty() || provenance.changes.back() != change) provenance.changes.push_back(change);
}

}  // namespace

Result<void> change_constant(QuantizedGraph& model, graph::ValueId id, Tensor values, const std::string& change) {
  graph::Value& value = model.graph.value(id);
  if (values.dtype() == DType::kFloat32) {
    const std::span<const float> reals = values.values<float>();
    const auto bad = std::ranges::find_if(reals, [](float x) { return !std::isfinite(x); });
    if (bad != reals.end()) {
      return Error{ErrorCode::kInvalidInput, "constant " + quoted(value.name) + ", " + change + ", would hold " +
                                                 (std::isnan(*bad) ? "NaN" : "an infinity") + " at element " +
                                                 std::to_string(bad - reals.begin())};
    }
  }
  value.constant = std::move(values);
  const auto at = model.encodings.find(value.name);
  if (at == model.encodings.end()) return {};
  at->second.codes = quantize(*value.constant, at->second.encoding);
  note(at->second.provenance, change);
  return {};
}

Result<void> change_encoding(QuantizedGraph& model, graph::ValueId id, Encoding encoding, const std::string& change) {
  const graph::Value& value = model.graph.value(id);
  const auto at = model.encodings.find(value.name);
  if (at == model.encodings.end()) {
    return Error{ErrorCode::kInvalidInput, "tensor " + quoted(value.name) + " has no encoding that could be changed"};
  }
  if (value.constant) {
    if (Result<void> fits = check_fits(encoding, value.constant->shape()); !fits.ok()) {
      return fits.error().at("encoding of " + quoted(value.name));
    }
    at->second.codes = quantize(*value.constant, encoding);
  }
  at->second.encoding = std::move(encoding);
  note(at->second.provenance, change);
  return {};
}

}  // namespace halfstep
