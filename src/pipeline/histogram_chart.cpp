// histogram_chart.cpp: joins bins, sorts tensors.
#include "pipeline/histogram_chart.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "pipeline/encoded_tensors.hpp"

namespace halfstep::pipeline {
namespace {

constexpr std::size_t kMaxBins = 128;

}  // namespace

report::TensorHistogram histogram_of(std::string name, const calib::DyadicHistogram& histogram,
                                     const Encoding& encoding) {
  const std::vector<std::uint64_t> counts = histogram.counts();
  const std::size_t joined = (counts.size() + kMaxBins - 1) / kMaxBins;
  report::TensorHistogram chart;
  chart.name = std::move(name);
  chart.first_edge = histogram.lower_edge(0);
  chart.bin_width = std::ldexp(static_cast<double>(joined), histogram.log2_width());
  chart.counts.resize((counts.size() + joined - 1) / joined);
  for (std::size_t i = 0; i < counts.size(); ++i) chart.counts[i / joined] += static_cast<std::int64_t>(counts[i]);
  std::tie(chart.grid_min, chart.grid_max) = grid_range(encoding);
  for (const QuantParams& params : encoding.params()) chart.step = std::max(chart.step, params.scale);
  return chart;
}

std::vector<RankedTensor> sqnr_of_layers(const compare::Comparison& comparison) {
  std::vector<RankedTensor> ranked;
  for (const compare::TensorError& layer : comparison.layers) {
    ranked.emplace_back((layer.isolated ? *layer.isolated : layer.sums).sqnr_db(), layer.name);
  }
  return ranked;
}

std::vector<std::string_view> worst_of(std::vector<RankedTensor> tensors, std::size_t max_count) {
  for (RankedTensor& tensor : tensors) {
    if (std::isnan(tensor.first)) tensor.first = -std::numeric_limits<double>::infinity();
  }
  std::ranges::sort(tensors);
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < std::min(tensors.size(), max_count); ++i) names.push_back(tensors[i].second);
  return names;
}

}  // namespace halfstep::pipeline
