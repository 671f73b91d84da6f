// assign_constants.cpp: the stages about weights, constant data and biases.
#include <algorithm>
#include <map>
#include <optional>

#include "ops/operands.hpp"
#include "precision/bias_grids.hpp"
#include "precision/draft.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

/// A weight whose scales may still rise.
struct WeightGrid {
  ParameterGrid grid;
  bool raised = false;
};
using WeightGrids = std::map<ValueId, WeightGrid>;

const Tensor& constant(const Draft& draft, ValueId id) { return *graph::constant_of(draft.graph, id); }

/// The tensor itself if nothing lies below, or everything does.
Tensor raised_to(const Tensor& values, double floor) {
  const std::span<const float> reals = values.values<float>();
  const auto below = [&](float x) { return static_cast<double>(x) < floor; };
  if (std::ranges::none_of(reals, below) || std::ranges::all_of(reals, below)) return values;
  Tensor raised(values.type());
  std::ranges::transform(reals, raised.mutable_data<float>(),
                         [&](float x) { return std::max(x, static_cast<float>(floor)); });
  return raised;
}

Result<ParameterGrid> fit_constant(const Draft& draft, ValueId id) {
  const TensorPlan& plan = draft.plan.of(id);
  const Tensor values = raised_to(constant(draft, id), draft.floor_of(id));
  if (plan.block_axis) {
    return fit_blocks(values, *plan.block_axis, plan.block_size, plan.grid, plan.rule, draft.name_of(id));
  }
  return plan.axis ? fit_channels(values, *plan.axis, plan.grid, plan.rule, draft.name_of(id))
                   : fit_tensor(values, plan.grid, plan.rule, draft.name_of(id));
}

Result<WeightGrids> fit_weights(const Draft& draft) {
  WeightGrids grids;
  for (std::size_t v = 0; v < draft.plan.tensors.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    const TensorPlan& plan = draft.plan.of(id);
    if (plan.source != Source::kConstant || plan.role != ops::OperandRole::kWeight) continue;
    Result<ParameterGrid> fitted = fit_constant(draft, id);
    if (!fitted.ok()) {
      return fitted.error().code == ErrorCode::kUsage ? fitted.error().at("weight " + quoted(draft.name_of(id)))
                                                      : fitted.error();
    }
    grids.emplace(id, WeightGrid{*std::move(fitted)});
  }
  return grids;
}

/// Does (E6) apply to the node's bias? Not behind alpha and beta of Gemm, nor where shapes do not match. The scales of
/// its input, one or one a channel.
std::optional<std::vector<double>> plain_bias_scales(const Draft& draft, const graph::Node& node, const Tensor& bias,
                                                     std::size_t num_weight_channels) {
  if (node.attributes.get_float("alpha", 1.0F) != 1.0F || node.attributes.get_float("beta", 1.0F) != 1.0F) {
    return std::nullopt;
  }
  const auto channels = num_bias_channels(bias, static_cast<std::int64_t>(num_weight_channels));
  const TensorEncoding* input = draft.encoding_behind(node.inputs[0]);
  if (!channels || input == nullptr) return std::nullopt;
  std::vector<double> scales;
  for (const QuantParams& params : input->encoding.params()) scales.push_back(params.scale);
  if (scales.size() != 1 && static_cast<std::int64_t>(scales.size()) != *channels) return std::nullopt;
  return scales;
}

Result<void> raise_weights(Draft& draft, WeightGrids& grids) {
  for (const graph::Node& node : draft.graph.nodes) {
    const ValueId bias = ops::bias_of(draft.graph, node);
    if (bias == graph::kNoValue || draft.plan.of(bias).source != Source::kDerived) continue;
    const auto weight = grids.find(ops::weight_of(draft.graph, node));
    if (weight == grids.end()) continue;
    const Tensor& values = constant(draft, bias);
    if (auto finite = largest_magnitude(values, draft.name_of(bias)); !finite.ok()) return finite.error();
    ParameterGrid& grid = weight->second.grid;
    const auto scales = plain_bias_scales(draft, node, values, grid.params.size());
    if (!scales) continue;
    const RaisedScales raised = raise_for_bias(values, *scales, draft.plan.of(weight->first).grid.scale, grid);
    if (raised.num_channels > 0) {
      weight->second.raised = true;
      draft.warn(graph::describe(draft.graph, node) + ": the weight scale of " + std::to_string(raised.num_channels) +
                 " of " + std::to_string(grid.params.size()) + " channels was raised, by up to " +
                 shown(raised.largest_factor) + ", so that the bias fits in 32 bits");
    }
  }
  return {};
}

Result<void> add_grid(Draft& draft, ValueId id, const ParameterGrid& grid, const char* kind, TensorRole role,
                      std::string detail = "") {
  Result<Encoding> encoding = grid.encoding();
  if (!encoding.ok()) return encoding.error().at(kind + quoted(draft.name_of(id)));
  draft.add(id, *std::move(encoding), role, {Origin::kWeights, std::move(detail)});
  return {};
}

/// Constants that are data, other than what Concat joins.
Result<void> assign_operands(Draft& draft) {
  for (std::size_t v = 0; v < draft.plan.tensors.size(); ++v) {
    const auto id = static_cast<ValueId>(v);
    const TensorPlan& plan = draft.plan.of(id);
    if (plan.source != Source::kConstant || plan.role != ops::OperandRole::kData) continue;
    const Result<ParameterGrid> fitted = fit_constant(draft, id);
    if (!fitted.ok()) return fitted.error();
    if (auto ok = add_grid(draft, id, *fitted, "constant ", TensorRole::kWeight); !ok.ok()) return ok;
    ++draft.result.counts.operands;
  }
  return {};
}

/// (E6) for the bias of `node`; empty where it does not apply or the bias does not fit.
std::optional<Encoding> derived_bias(const Draft& draft, const graph::Node& node, const Tensor& values) {
  const TensorEncoding* weight = draft.encoding_of(ops::weight_of(draft.graph, node));
  if (weight == nullptr) return std::nullopt;
  const auto scales = plain_bias_scales(draft, node, values, weight->encoding.params().size());
  if (!scales) return std::nullopt;
  Result<Encoding> derived = bias_encoding(values, *scales, weight->encoding);
  if (!derived.ok() || !bias_fits(values, *derived)) return std::nullopt;
  return *std::move(derived);
}

void add_derived(Draft& draft, const graph::Node& node, ValueId bias, Encoding encoding) {
  draft.add(bias, std::move(encoding), TensorRole::kBias, {Origin::kDerived, graph::describe(draft.graph, node)});
  ++draft.result.counts.biases;
}

Result<void> derive_bias(Draft& draft, const graph::Node& node, ValueId bias) {
  if (draft.encoding_of(bias) != nullptr) return {};                // Of an equal node before.
  if (draft.encoding_behind(node.inputs[0]) == nullptr) return {};  // The node runs in float.
  const Tensor& values = constant(draft, bias);
  if (auto finite = largest_magnitude(values, draft.name_of(bias)); !finite.ok()) return finite.error();
  std::optional<Encoding> derived = derived_bias(draft, node, values);
  if (!derived) {
    draft.warn(graph::describe(draft.graph, node) + ": the bias stays float32, since its integers can't stand on " +
               "input scale times weight scale, as runtimes assume");
    return {};
  }
  add_derived(draft, node, bias, *std::move(derived));
  return {};
}

/// A bias that came with a grid of 32 bits keeps it only if that is (E6).
Result<void> check_imported_bias(Draft& draft, const graph::Node& node, ValueId bias) {
  const TensorEncoding* known = draft.encoding_of(bias);
  if (known == nullptr || !known->frozen || storage_bits(known->encoding.grid()) != 32) return {};
  const Tensor& values = constant(draft, bias);
  if (auto finite = largest_magnitude(values, draft.name_of(bias)); !finite.ok()) return finite.error();
  std::optional<Encoding> derived = derived_bias(draft, node, values);
  if (derived && same_bias_scales(values, known->encoding, *derived)) return {};
  draft.warn(graph::describe(draft.graph, node) +
             ": the encoding that came with its bias is not on input scale times " +
             "weight scale, which runtimes assume; the bias " + (derived ? "is put there" : "stays float32"));
  draft.result.encodings.erase(draft.name_of(bias));
  --draft.result.counts.imported;
  if (derived) add_derived(draft, node, bias, *std::move(derived));
  return {};
}

/// Biases of 8 bits.
Result<void> assign_narrow_bias(Draft& draft, ValueId bias) {
  if (draft.encoding_of(bias) != nullptr) return {};
  const Result<ParameterGrid> fitted = fit_constant(draft, bias);
  if (!fitted.ok()) return fitted.error();
  ++draft.result.counts.biases;
  return add_grid(draft, bias, *fitted, "bias ", TensorRole::kBias,
                  "own grid of " + std::to_string(draft.plan.of(bias).grid.bits) + " bits");
}

}  // namespace

Result<void> assign_constants(Draft& draft) {
  Result<WeightGrids> grids = fit_weights(draft);
  if (!grids.ok()) return grids.error();
  if (auto ok = raise_weights(draft, *grids); !ok.ok()) return ok;
  for (const auto& [id, weight] : *grids) {
    if (auto ok = add_grid(draft, id, weight.grid, "weight ", TensorRole::kWeight); !ok.ok()) return ok;
    if (weight.raised) draft.result.encodings.at(draft.name_of(id)).provenance.changes.push_back("raised for its bias");
    ++draft.result.counts.weights;
  }
  return assign_operands(draft);
}

Result<void> assign_biases(Draft& draft) {
  for (const graph::Node& node : draft.graph.nodes) {
    const ValueId bias = ops::bias_of(draft.graph, node);
    if (bias == graph::kNoValue) continue;
    const TensorPlan& plan = draft.plan.of(bias);
    if (plan.node == graph::kNoNode || plan.role != ops::OperandRole::kBias) continue;
    Result<void> assigned;
    if (plan.source == Source::kDerived) assigned = derive_bias(draft, node, bias);
    if (plan.source == Source::kImported) assigned = check_imported_bias(draft, node, bias);
    if (plan.source == Source::kConstant) assigned = assign_narrow_bias(draft, bias);
    if (!assigned.ok()) return assigned;
  }
  return {};
}

}  // namespace halfstep::precision
