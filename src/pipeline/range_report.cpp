// range_report.cpp: shares of values outside their grids, from histograms, extremes and constants.
#include "pipeline/range_report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "calib/grid_error.hpp"
#include "calib/range_estimators.hpp"
#include "compare/grid_values.hpp"
#include "pipeline/encoded_tensors.hpp"
#include "pipeline/histogram_chart.hpp"

namespace halfstep::pipeline {
namespace {

using calib::Distribution;
using calib::Observation;
using report::TensorRange;

/// Values that share one grid.
struct SharedGrid {
  const Distribution* values;
  std::size_t channel;
};

/// The tensor, or its channels where the encoding has one grid for each. Empty if channels were not observed apart;
/// those of another origin than calibration may lie along another axis.
std::vector<SharedGrid> parts_of(const Observation& observation, const TensorEncoding& entry) {
  if (entry.encoding.is_per_tensor()) return {{&observation, 0}};
  std::vector<SharedGrid> parts;
  if (entry.provenance.origin != Origin::kCalibrated) return parts;
  if (observation.channels.size() != entry.encoding.params().size()) return parts;
  for (std::size_t c = 0; c < observation.channels.size(); ++c) parts.push_back({&observation.channels[c], c});
  return parts;
}

/// What a channel's grid stands for: values up to half a step beyond its ends only round.
RealRange covered_by(const Encoding& encoding, std::size_t channel) {
  const double half_step = encoding.params()[channel].scale / 2.0;
  return {encoding.real_min(channel) - half_step, encoding.real_max(channel) + half_step};
}

bool covers(RealRange range, const Distribution& values) {
  return values.moments.count == 0 || (range.min <= values.moments.min && range.max >= values.moments.max);
}

/// In percent; empty where neither extremes nor histograms tell.
std::optional<double> clipped_percent(const Observation& observation, const TensorEncoding& entry) {
  const std::vector<SharedGrid> parts = parts_of(observation, entry);
  if (parts.empty()) {
    for (std::size_t c = 0; c < entry.encoding.params().size(); ++c) {
      if (!covers(covered_by(entry.encoding, c), observation)) return std::nullopt;
    }
    return 0.0;
  }
  double clipped = 0.0;
  double all = 0.0;
  for (const SharedGrid& part : parts) {
    const RealRange range = covered_by(entry.encoding, part.channel);
    if (part.values->histogram.empty() && !covers(range, *part.values)) return std::nullopt;
    const auto count = static_cast<double>(part.values->moments.count);
    clipped += count * calib::share_outside(*part.values, range);
    all += count;
  }
  return all > 0.0 ? 100.0 * clipped / all : 0.0;
}

/// Of rounding the observed values onto the grid, from histograms; +infinity where they do not tell.
double expected_sqnr_db(const Observation& observation, const TensorEncoding& entry) {
  double noise = 0.0;
  for (const SharedGrid& part : parts_of(observation, entry)) {
    if (part.values->histogram.empty()) continue;
    const FittedGrid grid{.grid = entry.encoding.grid(), .params = entry.encoding.params()[part.channel]};
    noise += calib::GridError(calib::BinnedValues(part.values->histogram)).squared_error(grid);
  }
  const double signal = observation.moments.sum_of_squares.value();
  return noise > 0.0 ? 10.0 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

/// All but the figures about values.
TensorRange range_of(const std::string& name, report::RangeRole role, const TensorEncoding& entry) {
  TensorRange range;
  range.name = name;
  range.role = role;
  std::tie(range.grid_min, range.grid_max) = grid_range(entry.encoding);
  range.by = to_string(entry.provenance);
  if (entry.encoding.axis()) range.num_channels = entry.encoding.params().size();
  return range;
}

TensorRange activation_range(const std::string& name, const TensorEncoding& entry, const Observation& observation) {
  TensorRange range = range_of(name, report::RangeRole::kActivation, entry);
  range.min = observation.moments.min;
  range.max = observation.moments.max;
  range.num_values = observation.moments.count;
  range.clipped_percent = clipped_percent(observation, entry);
  return range;
}

TensorRange weight_range(const std::string& name, const TensorEncoding& entry, const Tensor& constant) {
  TensorRange range = range_of(name, report::RangeRole::kWeight, entry);
  const auto [low, high] = std::ranges::minmax(constant.values<float>());
  range.min = low;
  range.max = high;
  range.num_values = constant.num_elements();
  range.clipped_percent = 100.0 * static_cast<double>(compare::count_clipped(constant.view(), entry.encoding)) /
                          static_cast<double>(range.num_values);
  return range;
}

/// An activation with a histogram, and its place in Report::ranges.
struct Candidate {
  const Observation* observation;
  const TensorEncoding* entry;
  std::size_t range;
};

std::vector<report::TensorHistogram> worst_histograms(const std::map<std::string_view, Candidate>& candidates,
                                                      const report::Report& report) {
  std::map<std::string_view, double> measured;
  if (report.comparison) {
    for (const auto& [sqnr_db, name] : sqnr_of_layers(*report.comparison)) measured.emplace(name, sqnr_db);
  }
  std::vector<RankedTensor> ranked;
  for (const auto& [name, candidate] : candidates) {
    const auto at = measured.find(name);
    ranked.emplace_back(at != measured.end() ? at->second : expected_sqnr_db(*candidate.observation, *candidate.entry),
                        name);
  }
  std::vector<report::TensorHistogram> histograms;
  for (const std::string_view name : worst_of(std::move(ranked))) {
    const Candidate& candidate = candidates.at(name);
    histograms.push_back(histogram_of(std::string(name), candidate.observation->histogram, candidate.entry->encoding));
    histograms.back().clipped_percent = report.ranges[candidate.range].clipped_percent;
  }
  return histograms;
}

}  // namespace

void put_ranges(const graph::Graph& graph, const EncodingSet& encodings, const calib::Observations& observations,
                report::Report& report) {
  std::map<std::string_view, Candidate> candidates;
  for (const EncodedTensor& tensor : encoded_activations(graph, encodings)) {
    const std::string& name = graph.value(tensor.value).name;
    report.activation_order.push_back(name);
    const Observation* observation = calib::find_observation(observations, name);
    if (observation == nullptr || observation->moments.count == 0) continue;
    if (!observation->histogram.empty()) {
      candidates.emplace(name, Candidate{observation, tensor.entry, report.ranges.size()});
    }
    report.ranges.push_back(activation_range(name, *tensor.entry, *observation));
  }
  for (const EncodedTensor& weight : encoded_weights(graph, encodings)) {
    report.ranges.push_back(
        weight_range(graph.value(weight.value).name, *weight.entry, *graph::constant_of(graph, weight.value)));
  }
  report.histograms = worst_histograms(candidates, report);
}

}  // namespace halfstep::pipeline
