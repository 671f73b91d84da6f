// charts.cpp: observes once more, and sorts weights.
#include "pipeline/charts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "calib/observe.hpp"
#include "pipeline/observe_float.hpp"

namespace halfstep::pipeline {
namespace {

using calib::DyadicHistogram;
using calib::Observation;
using report::ChannelBox;

constexpr std::int64_t kMaxSamples = 32;
constexpr std::size_t kNumHistograms = 12;
constexpr std::size_t kMaxBins = 128;

/// A tensor of the charts: in the float graph, and its grid.
struct Charted {
  graph::ValueId value = graph::kNoValue;
  std::string_view name;
  const Encoding* encoding = nullptr;
};

/// Encoded tensors that the float graph computes, in its order.
std::vector<Charted> charted_tensors(const FloatComparison& request) {
  const graph::Graph& graph = *request.reference;
  std::vector<Charted> charted;
  const auto add = [&](graph::ValueId id) {
    if (id == graph::kNoValue || graph.value(id).constant) return;
    const TensorEncoding* encoding = find_encoding(*request.encodings, graph.value(id).name);
    if (encoding != nullptr) charted.push_back({id, graph.value(id).name, &encoding->encoding});
  };
  for (const graph::GraphInput& input : graph.inputs) add(input.value);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId id : node.outputs) add(id);
  }
  return charted;
}

/// The ends of the grid over all channels.
std::pair<double, double> grid_range(const Encoding& encoding) {
  double low = encoding.real_min(0);
  double high = encoding.real_max(0);
  for (std::size_t c = 1; c < encoding.params().size(); ++c) {
    low = std::min(low, encoding.real_min(c));
    high = std::max(high, encoding.real_max(c));
  }
  return {low, high};
}

/// Neighbouring bins joined until at most kMaxBins are left.
report::TensorHistogram histogram_of(const Charted& tensor, const DyadicHistogram& histogram) {
  const std::span<const std::uint64_t> counts = histogram.counts();
  const std::size_t joined = (counts.size() + kMaxBins - 1) / kMaxBins;
  report::TensorHistogram chart;
  chart.name = tensor.name;
  chart.first_edge = histogram.lower_edge(0);
  chart.bin_width = std::ldexp(static_cast<double>(joined), histogram.log2_width());
  chart.counts.resize((counts.size() + joined - 1) / joined);
  for (std::size_t i = 0; i < counts.size(); ++i) chart.counts[i / joined] += static_cast<std::int64_t>(counts[i]);
  std::tie(chart.grid_min, chart.grid_max) = grid_range(*tensor.encoding);
  for (const QuantParams& params : tensor.encoding->params()) chart.step = std::max(chart.step, params.scale);
  return chart;
}

/// Names of the layers with the lowest SQNR of their own, worst first; whole-network SQNR where none was measured.
std::vector<std::string_view> worst_layers(const compare::Comparison& comparison) {
  std::vector<std::pair<double, std::string_view>> ranked;
  for (const compare::TensorError& layer : comparison.layers) {
    ranked.emplace_back((layer.isolated ? *layer.isolated : layer.sums).sqnr_db(), layer.name);
  }
  std::ranges::sort(ranked);
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < std::min(ranked.size(), kNumHistograms); ++i) names.push_back(ranked[i].second);
  return names;
}

/// Interpolates between sorted values as numpy.quantile does.
double quantile(const std::vector<float>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return (1.0 - part) * static_cast<double>(sorted[below]) + part * static_cast<double>(sorted[above]);
}

ChannelBox box_of(std::vector<float> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {values.front(), quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75), values.back()};
}

std::vector<ChannelBox> boxes_of(const Tensor& weight, const Encoding& encoding) {
  const std::span<const float> values = weight.values<float>();
  std::vector<std::vector<float>> channels(encoding.params().size());
  if (!encoding.axis()) {
    channels[0].assign(values.begin(), values.end());
  } else {
    const Shape& shape = weight.shape();
    const auto inner = static_cast<std::size_t>(shape.num_elements(*encoding.axis() + 1, shape.rank()));
    for (std::size_t i = 0; i < values.size(); ++i) channels[i / inner % channels.size()].push_back(values[i]);
  }
  std::vector<ChannelBox> boxes;
  for (std::vector<float>& channel : channels) {
    std::erase_if(channel, [](float x) { return !std::isfinite(x); });
    boxes.push_back(box_of(std::move(channel)));
  }
  return boxes;
}

std::vector<report::WeightBoxes> weight_boxes(const FloatComparison& request) {
  const graph::Graph& graph = *request.quantized;
  std::vector<report::WeightBoxes> weights;
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId id : node.inputs) {
      const Tensor* constant = graph::constant_of(graph, id);
      if (constant == nullptr || constant->dtype() != DType::kFloat32 || constant->num_elements() == 0) continue;
      const std::string& name = graph.value(id).name;
      const TensorEncoding* encoding = find_encoding(*request.encodings, name);
      if (encoding == nullptr || encoding->role != TensorRole::kWeight) continue;
      if (!check_fits(encoding->encoding, constant->shape()).ok()) continue;
      if (std::ranges::any_of(weights, [&](const report::WeightBoxes& known) { return known.name == name; })) continue;
      weights.push_back({name, graph::describe(graph, node), boxes_of(*constant, encoding->encoding)});
    }
  }
  return weights;
}

}  // namespace

Result<report::Charts> make_charts(const FloatComparison& request, const compare::Comparison& comparison,
                                   const Observer& observer) {
  const std::vector<Charted> charted = charted_tensors(request);
  std::vector<calib::Watch> watches;
  for (const Charted& tensor : charted) watches.push_back({.value = tensor.value, .histogram = true});
  exec::SampleSource samples = request.samples;
  samples.count = std::min(samples.count, kMaxSamples);
  Result<calib::Observations> observations =
      observe_float(*request.reference, std::move(watches), samples, request.num_threads, "charting", observer);
  if (!observations.ok()) return observations.error();

  report::Charts charts;
  std::map<std::string_view, const Charted*> by_name;
  for (const Charted& tensor : charted) {
    const Observation& observation = observations->find(tensor.name)->second;
    if (observation.moments.count == 0) continue;
    by_name.emplace(tensor.name, &tensor);
    const auto [low, high] = grid_range(*tensor.encoding);
    charts.activation_ranges.push_back(
        {std::string(tensor.name), observation.moments.min, observation.moments.max, low, high});
  }
  for (const std::string_view name : worst_layers(comparison)) {
    const auto at = by_name.find(name);
    if (at == by_name.end()) continue;
    charts.histograms.push_back(histogram_of(*at->second, observations->find(name)->second.histogram));
  }
  charts.weights = weight_boxes(request);
  return charts;
}

}  // namespace halfstep::pipeline
