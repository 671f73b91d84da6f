// round_swept.cpp: second moments over the samples, then the weight, then the bias' grid.
#include "tune/round_swept.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "ops/operands.hpp"
#include "precision/bias_grids.hpp"
#include "tune/gram.hpp"
#include "tune/round_layer.hpp"

namespace halfstep::tune {
namespace {

using graph::ValueId;

Result<Gram> moments_of_input(const SweptLayer& layer, const graph::Node& node, const Shape& input, const Shape& weight,
                              const RoundRule& rule, int num_threads) {
  Result<GramAccumulator> first = GramAccumulator::make(node, input, weight, *layer.input_grid(), rule.max_positions);
  if (!first.ok()) return first.error();
  std::vector<GramAccumulator> by_worker(static_cast<std::size_t>(num_threads), *first);
  const auto ran =
      layer.for_each_input(rule.samples, [&](std::int64_t sample, int worker, ConstView codes, const Encoding*) {
        return by_worker[static_cast<std::size_t>(worker)].add(codes, sample);
      });
  if (!ran.ok()) return ran.error();
  for (std::size_t worker = 1; worker < by_worker.size(); ++worker) by_worker[0].merge(std::move(by_worker[worker]));
  return by_worker[0].finish();
}

/// Scales of the layer's input: one, or one a channel.
std::vector<double> scales_of(const Encoding& encoding) {
  std::vector<double> scales;
  for (const QuantParams& params : encoding.params()) scales.push_back(params.scale);
  return scales;
}

/// Below these, a bias code on input scale times weight scale would leave its 32 bits. One for each scale of the
/// weight; empty if the bias has a grid of its own or none.
std::vector<double> lowest_scales(const std::vector<double>& input_scales, const Tensor& bias, std::size_t num_scales) {
  std::vector<double> lowest(num_scales, 0.0);
  const std::span<const float> values = bias.values<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double input_scale = input_scales[input_scales.size() == 1 ? 0 : i % input_scales.size()];
    double& scale = lowest[i % num_scales];
    scale = std::max(scale, std::abs(static_cast<double>(values[i])) / (input_scale * precision::kMaxBiasCode));
  }
  return lowest;
}

}  // namespace

Result<RoundedSwept> round_swept(const SweptLayer& layer, QuantizedGraph& model, const ops::Facts& facts,
                                 const RoundRule& rule, int num_threads) {
  RoundedSwept outcome;
  const auto left = [&](std::string why) {
    outcome.obstacle = std::move(why);
    return outcome;
  };
  const graph::Node& node = model.graph.node(layer.node());
  const ValueId weight_id = ops::weight_of(model.graph, node);
  const ValueId bias_id = ops::bias_of(model.graph, node);
  const TensorEncoding* entry = find_encoding(model.encodings, model.graph.value(weight_id).name);
  if (entry == nullptr || layer.input_grid() == nullptr) return left("it runs on real numbers");
  if (entry->frozen) return left("its weight came with codes");
  const graph::Links links = graph::links_of(model.graph);
  if (links.single_consumer(weight_id) == graph::kNoNode) return left("its weight has other readers");
  const TensorEncoding* bias =
      bias_id == graph::kNoValue ? nullptr : find_encoding(model.encodings, model.graph.value(bias_id).name);
  if (bias != nullptr && bias->frozen) return left("its bias came with codes on the weight's scale");
  const std::optional<TensorType>& input = facts[static_cast<std::size_t>(node.inputs[0])].type;
  if (!input) return left("its input's shape is decided while running");
  const Tensor weight = *model.graph.value(weight_id).constant;
  const Result<Gram> gram = moments_of_input(layer, node, input->shape, weight.shape(), rule, num_threads);
  if (!gram.ok() && gram.error().code == ErrorCode::kUnsupported) return left(gram.error().message);
  if (!gram.ok()) return gram.error();

  const std::vector<double> input_scales = scales_of(*layer.input_grid());
  const bool derived = bias != nullptr && bias->provenance.origin == Origin::kDerived;
  std::vector<double> lowest;
  if (derived) {
    lowest = lowest_scales(input_scales, *model.graph.value(bias_id).constant, entry->encoding.params().size());
  }
  const Result<RoundedLayer> rounded = round_layer({.node = node,
                                                    .weight = weight,
                                                    .start = entry->encoding,
                                                    .moments = gram->moments,
                                                    .scale = rule.scale,
                                                    .lowest_scales = lowest,
                                                    .settings = rule.settings,
                                                    .num_threads = num_threads});
  if (!rounded.ok() && rounded.error().code == ErrorCode::kUnsupported) return left(rounded.error().message);
  if (!rounded.ok()) return rounded.error();
  const auto changed = [&]() -> Result<void> {
    if (auto ok = change_encoding(model, weight_id, rounded->encoding, "rounded"); !ok.ok()) return ok;
    if (auto ok = change_constant(model, weight_id, dequantize(rounded->codes, rounded->encoding), "rounded"); !ok.ok())
      return ok;
    if (!derived) return {};
    Result<Encoding> grid =
        precision::bias_encoding(*model.graph.value(bias_id).constant, input_scales, rounded->encoding);
    if (!grid.ok()) return grid.error();
    return change_encoding(model, bias_id, *std::move(grid), "follows its weight");
  }();
  if (!changed.ok()) return changed.error();
  outcome.error_before = rounded->error_before;
  outcome.error_after = rounded->error_after;
  return outcome;
}

}  // namespace halfstep::tune
