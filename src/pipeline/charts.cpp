// charts.cpp: observes once more, and sorts weights.
#include "pipeline/charts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "calib/observe.hpp"
#include "pipeline/encoded_tensors.hpp"
#include "pipeline/histogram_chart.hpp"
#include "pipeline/observe_float.hpp"

namespace halfstep::pipeline {
namespace {

using calib::Observation;
using report::ChannelBox;

constexpr std::int64_t kMaxSamples = 32;

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
  std::vector<std::vector<float>> channels(encoding.axis() ? encoding.params().size() : 1);
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
  for (const EncodedTensor& weight : encoded_weights(graph, *request.encodings)) {
    weights.push_back({graph.value(weight.value).name, graph::describe(graph, *weight.reader),
                       boxes_of(*graph::constant_of(graph, weight.value), weight.entry->encoding)});
  }
  return weights;
}

}  // namespace

Result<report::Charts> make_charts(const FloatComparison& request, const compare::Comparison& comparison,
                                   const Observer& observer) {
  const graph::Graph& graph = *request.reference;
  const std::vector<EncodedTensor> charted = encoded_activations(graph, *request.encodings);
  std::vector<calib::Watch> watches;
  for (const EncodedTensor& tensor : charted) watches.push_back({.value = tensor.value, .histogram = true});
  exec::SampleSource samples = request.samples;
  samples.count = std::min(samples.count, kMaxSamples);
  Result<calib::Observations> observations =
      observe_float(graph, std::move(watches), samples, request.num_threads, "charting", observer);
  if (!observations.ok()) return observations.error();

  report::Charts charts;
  std::map<std::string_view, const EncodedTensor*> by_name;
  for (const EncodedTensor& tensor : charted) {
    const std::string& name = graph.value(tensor.value).name;
    const Observation& observation = observations->find(name)->second;
    if (observation.moments.count == 0) continue;
    by_name.emplace(name, &tensor);
    const auto [low, high] = grid_range(tensor.entry->encoding);
    charts.activation_ranges.push_back({name, observation.moments.min, observation.moments.max, low, high});
  }
  for (const std::string_view name : worst_of(sqnr_of_layers(comparison))) {
    const auto at = by_name.find(name);
    if (at == by_name.end()) continue;
    charts.histograms.push_back(
        histogram_of(std::string(name), observations->find(name)->second.histogram, at->second->entry->encoding));
  }
  charts.weights = weight_boxes(request);
  return charts;
}

}  // namespace halfstep::pipeline
