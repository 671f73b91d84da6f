// other_grids.cpp: encodings exchanged in a copy.
#include "pipeline/other_grids.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "calib/range_estimators.hpp"
#include "core/text.hpp"
#include "ops/operands.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::pipeline {
namespace {

using graph::ValueId;
using sensitivity::Part;
using sensitivity::PartialQuantization;
using sensitivity::QuantizerGroup;

/// Bits of the codes that a grid has.
int width_of(IntGrid grid) {
  const auto count = static_cast<std::uint64_t>(static_cast<std::int64_t>(grid.q_max) - grid.q_min);
  return static_cast<int>(std::bit_width(count));
}

/// The request that a grid like this one came from.
GridRequest request_of(const Encoding& encoding, bool has_negatives) {
  GridRequest request;
  request.bits = std::clamp(width_of(encoding.grid()), 2, 16);
  const bool is_symmetric = !encoding.has_zero_point();
  request.scale = encoding.is_power_of_two() ? ScaleKind::kPowerOfTwo : ScaleKind::kAffine;
  if (is_symmetric && is_signed(encoding.grid())) {
    request.schema = Schema::kSymmetric;
    if (encoding.grid().q_min == -encoding.grid().q_max) request.signed_grid = SignedGrid::kNarrow;
  } else if (is_symmetric && (!has_negatives || request.scale == ScaleKind::kPowerOfTwo)) {
    request.schema = Schema::kUnsignedSymmetric;
  }
  return request;
}

std::unordered_map<std::string_view, ValueId> ids_of(const graph::Graph& graph) {
  std::unordered_map<std::string_view, ValueId> ids;
  for (std::size_t v = 0; v < graph.values.size(); ++v) ids.emplace(graph.values[v].name, static_cast<ValueId>(v));
  return ids;
}

/// `form`, whose layers' weights are real, with weight `name` of `model` on another grid.
void put_weight(const QuantizedGraph& model, const std::string& name, const Tensor& real, Encoding encoding,
                QuantizedGraph& form) {
  TensorEncoding entry = model.encodings.find(name)->second;
  entry.encoding = std::move(encoding);
  entry.codes = quantize(real, entry.encoding);
  form.encodings.insert_or_assign(name, std::move(entry));
}

}  // namespace

Encoding on_bits(const Encoding& encoding, int bits) {
  const int own = width_of(encoding.grid());
  if (own >= bits) return encoding;
  const std::int32_t factor = std::int32_t{1} << (bits - own);
  std::vector<QuantParams> params = encoding.params();
  for (QuantParams& p : params) p = {p.scale / factor, p.zero_point * factor};
  const IntGrid grid = is_signed(encoding.grid()) ? signed_grid(bits) : unsigned_grid(bits);
  Result<Encoding> wide = encoding.axis()         ? Encoding::per_channel(grid, *encoding.axis(), std::move(params))
                          : encoding.block_axis() ? Encoding::per_block(grid, *encoding.block_axis(),
                                                                        encoding.block_size(), std::move(params))
                                                  : Encoding::per_tensor(grid, params[0]);
  return wide.ok() ? *std::move(wide) : encoding;  // A scale below the least float32: it is fine enough.
}

QuantizedGraph with_bits(const QuantizedGraph& model, const PartialQuantization& partial,
                         std::span<const QuantizerGroup* const> groups, Part part, int bits) {
  QuantizedGraph form = part == Part::kActivations ? model : partial.without(groups, Part::kWeights);
  const auto ids = ids_of(form.graph);
  for (const QuantizerGroup* group : groups) {
    if (part != Part::kActivations) {
      for (const std::string& name : group->weights) {
        const Tensor& real = *graph::constant_of(form.graph, ids.at(name));
        put_weight(model, name, real, on_bits(find_encoding(model.encodings, name)->encoding, bits), form);
      }
    }
    if (part == Part::kWeights) continue;
    for (const std::string& name : group->activations) {
      const auto at = form.encodings.find(name);
      if (at != form.encodings.end()) at->second.encoding = on_bits(at->second.encoding, bits);
    }
  }
  return form;
}

Result<QuantizedGraph> with_new_ranges(const QuantizedGraph& model, const Names& names,
                                       const calib::Observations& observed, RangeMethod method) {
  QuantizedGraph form = model;
  for (const std::string& name : names) {
    const auto at = form.encodings.find(name);
    const calib::Observation* seen = calib::find_observation(observed, name);
    if (at == form.encodings.end() || seen == nullptr || seen->moments.count == 0) continue;
    const GridRequest request = request_of(at->second.encoding, seen->moments.min < 0.0F);
    const RealRange range = calib::estimate_range(*seen, request, {.method = method});
    const Result<FittedGrid> fitted = fit_grid(range, request);
    if (!fitted.ok()) return fitted.error().at("activation " + quoted(name));
    Result<Encoding> encoding = encoding_of(*fitted);
    if (!encoding.ok()) return encoding.error();
    at->second.encoding = *std::move(encoding);
  }
  return form;
}

Result<QuantizedGraph> with_new_weights(const QuantizedGraph& model, const PartialQuantization& partial,
                                        std::span<const QuantizerGroup* const> groups, const Names& names,
                                        bool per_channel) {
  std::vector<const QuantizerGroup*> concerned(groups.begin(), groups.end());
  std::erase_if(concerned, [&](const QuantizerGroup* group) {
    return std::ranges::none_of(group->weights, [&](const std::string& name) { return names.contains(name); });
  });
  QuantizedGraph form = partial.without(concerned, Part::kWeights);
  const auto ids = ids_of(form.graph);
  for (const QuantizerGroup* group : concerned) {
    for (const std::string& name : group->weights) {
      const Encoding& old = find_encoding(model.encodings, name)->encoding;
      const Tensor& real = *graph::constant_of(form.graph, ids.at(name));
      std::optional<int> axis = old.axis();
      if (per_channel && !axis && group->node != graph::kNoNode) {
        axis = ops::weight_axis(form.graph, form.graph.node(group->node));
      }
      if (!names.contains(name) || old.block_axis() || real.num_elements() == 0) {
        put_weight(model, name, real, old, form);
        continue;
      }
      const bool has_negatives = std::ranges::min(real.values<float>()) < 0.0F;
      GridRequest request = request_of(old, has_negatives);
      request.min_range = precision::kMinConstantRange;
      const Result<precision::ParameterGrid> grid =
          axis ? precision::fit_channels(real, *axis, request, RangeRule{}, name)
               : precision::fit_tensor(real, request, RangeRule{}, name);
      if (!grid.ok()) return grid.error();
      Result<Encoding> encoding = grid->encoding();
      if (!encoding.ok()) return encoding.error();
      put_weight(model, name, real, *std::move(encoding), form);
    }
  }
  return form;
}

}  // namespace halfstep::pipeline
