// predicted_error.cpp: noise is followed forwards through a group, tensor by tensor.
#include "tune/predicted_error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "encoding/range_to_encoding.hpp"
#include "precision/parameter_grids.hpp"

namespace halfstep::tune {
namespace {

double square(double x) { return x * x; }

/// Of noise spread evenly over a step.
double rounding_power(double step) { return square(step) / 12.0; }

double step_for(RealRange range, const GridRequest& grid) {
  const Result<FittedGrid> fitted = fit_grid(range, grid);
  // Fails only for requests that make() and the options' checks refuse.
  return fitted.ok() ? fitted->params.scale : 0.0;
}

/// The power of a value that is divided by s is divided by s^2.
void divide_by_squares(std::vector<double>& power, const std::vector<double>* factors) {
  for (std::size_t c = 0; factors != nullptr && c < power.size(); ++c) power[c] /= square((*factors)[c]);
}

}  // namespace

std::optional<ChannelStatistics> channel_statistics(const calib::Observations& observations, const std::string& name,
                                                    std::int64_t num_channels) {
  const calib::Observation* seen = calib::find_observation(observations, name);
  if (seen == nullptr || static_cast<std::int64_t>(seen->channels.size()) != num_channels) return std::nullopt;
  ChannelStatistics statistics;
  for (const calib::Distribution& channel : seen->channels) {
    const calib::PooledMoments& moments = channel.moments;
    if (moments.count == 0) return std::nullopt;
    statistics.min.push_back((static_cast<double>(moments.min) + channel.samples.mean_min()) / 2.0);
    statistics.max.push_back((static_cast<double>(moments.max) + channel.samples.mean_max()) / 2.0);
    statistics.mean_square.push_back(moments.sum_of_squares.value() / static_cast<double>(moments.count));
  }
  return statistics;
}

void ErrorPredictor::look_at(const calib::Observations& observations, graph::ValueId value, std::int64_t num_channels) {
  if (statistics_.contains(value)) return;
  const std::string& name = graph_.value(value).name;
  if (auto statistics = channel_statistics(observations, name, num_channels)) {
    statistics_.emplace(value, std::move(*statistics));
    return;
  }
  const calib::Observation* seen = calib::find_observation(observations, name);
  if (seen == nullptr || seen->moments.count == 0) return;
  const double mean_square = seen->moments.sum_of_squares.value() / static_cast<double>(seen->moments.count);
  const auto count = static_cast<std::size_t>(num_channels);
  statistics_.emplace(value,
                      ChannelStatistics{.min = std::vector<double>(count, static_cast<double>(seen->moments.min)),
                                        .max = std::vector<double>(count, static_cast<double>(seen->moments.max)),
                                        .mean_square = std::vector<double>(count, mean_square)});
}

Result<ErrorPredictor> ErrorPredictor::make(const graph::Graph& graph, const ops::Facts& facts,
                                            const precision::Plan& plan, const calib::Observations& observations,
                                            const ChannelScaling& scaling, double weight_error) {
  ErrorPredictor predictor(graph, facts, plan, scaling, weight_error);
  for (const ScalingGroup& group : scaling.groups()) {
    for (const GroupTensor& tensor : group.tensors) {
      predictor.look_at(observations, tensor.value, group.num_channels);
      const precision::TensorPlan& planned = plan.of(tensor.value);
      if (planned.source != precision::Source::kObserved) continue;
      if (Result<void> sane = check_request(planned.grid); !sane.ok()) return sane.error();
    }
    for (const auto* list : {&group.writers, &group.readers}) {
      for (const ScalableLinear& linear : *list) {
        predictor.look_at(observations, graph.node(linear.node).inputs[0], linear.in_channels);
        predictor.look_at(observations, graph.node(linear.node).outputs[0], linear.out_channels);
      }
    }
  }
  return predictor;
}

std::vector<double> ErrorPredictor::activation_peaks(std::size_t group) const {
  const ScalingGroup& members = scaling_.groups()[group];
  std::vector<double> peaks(static_cast<std::size_t>(members.num_channels));
  for (const GroupTensor& tensor : members.tensors) {
    const ChannelStatistics& seen = statistics_.at(tensor.value);
    for (std::size_t c = 0; c < peaks.size(); ++c) peaks[c] = std::max({peaks[c], -seen.min[c], seen.max[c]});
  }
  return peaks;
}

/// E[x^2] of each scaled channel; empty if nothing was seen.
std::optional<std::vector<double>> ErrorPredictor::power_of(graph::ValueId value) const {
  const auto at = statistics_.find(value);
  if (at == statistics_.end()) return std::nullopt;
  std::vector<double> power = at->second.mean_square;
  divide_by_squares(power, scaling_.factors_of(value));
  return power;
}

/// The step of each row's grid; 0 where weights stay float.
std::vector<double> ErrorPredictor::row_steps(const ScalableLinear& linear) const {
  std::vector<double> peaks = scaling_.row_peaks(linear);
  const precision::TensorPlan& planned = plan_.of(linear.weight);
  if (planned.source != precision::Source::kConstant) return std::vector<double>(peaks.size());
  const double largest = *std::ranges::max_element(peaks);
  if (!planned.axis) peaks.assign(peaks.size(), largest);
  GridRequest grid = planned.grid;
  grid.min_range = std::max(precision::kMinConstantRange, largest * precision::kMinChannelShare);
  for (double& peak : peaks) peak = step_for({-peak, peak}, grid);
  return peaks;
}

/// The power of all values that one output value of each row adds up, times gain^2, [out_channels].
std::vector<double> ErrorPredictor::row_input_power(const ScalableLinear& linear) const {
  std::vector<double> sums(static_cast<std::size_t>(linear.out_channels));
  const auto power = power_of(graph_.node(linear.node).inputs[0]);
  if (!power) return sums;
  auto sum = sums.begin();
  auto first = power->begin();
  for (std::int64_t group = 0; group < linear.groups; ++group) {
    const auto last = first + linear.in_per_group();
    const double of_group =
        std::accumulate(first, last, 0.0) * static_cast<double>(linear.num_taps) * square(linear.gain);
    sum = std::fill_n(sum, linear.out_per_group(), of_group);
    first = last;
  }
  return sums;
}

/// Adds the noise of the tensor's own grid. Tensors that share one are not rounded again.
void ErrorPredictor::add_rounding(const GroupTensor& tensor, std::vector<double>& noise) const {
  const precision::TensorPlan& planned = plan_.of(tensor.value);
  if (planned.source != precision::Source::kObserved) return;
  const ChannelStatistics& seen = statistics_.at(tensor.value);
  const std::vector<double>& factors = *scaling_.factors_of(tensor.value);
  RealRange whole;
  for (std::size_t c = 0; c < noise.size(); ++c) {
    const RealRange range{seen.min[c] / factors[c], seen.max[c] / factors[c]};
    if (planned.axis) noise[c] += rounding_power(step_for(range, planned.grid));
    whole = {std::min(whole.min, range.min), std::max(whole.max, range.max)};
  }
  if (planned.axis) return;
  const double power = rounding_power(step_for(whole, planned.grid));
  for (double& channel : noise) channel += power;
}

/// The noise of each scaled channel of each tensor.
std::map<graph::ValueId, std::vector<double>> ErrorPredictor::noise_of_tensors(const ScalingGroup& group) const {
  std::map<graph::ValueId, std::vector<double>> noise;
  for (const GroupTensor& tensor : group.tensors) {
    noise[tensor.value].resize(static_cast<std::size_t>(group.num_channels));
  }
  for (const ScalableLinear& writer : group.writers) {
    const std::vector<double> steps = row_steps(writer);
    const std::vector<double> power = row_input_power(writer);
    std::vector<double>& written = noise.at(graph_.node(writer.node).outputs[0]);
    for (std::size_t c = 0; c < written.size(); ++c) written[c] += weight_error_ * rounding_power(steps[c]) * power[c];
  }
  // Tensors and joints are in the order in which they are written, so what goes into a joint is complete.
  auto joint = group.joints.begin();
  for (const GroupTensor& tensor : group.tensors) {
    std::vector<double>& own = noise.at(tensor.value);
    if (joint != group.joints.end() && graph_.node(*joint).outputs[0] == tensor.value) {
      const double share = passed_noise(facts_, graph_.node(*joint));
      for (const graph::ValueId input : graph_.node(*joint).inputs) {
        const auto at = noise.find(input);
        for (std::size_t c = 0; at != noise.end() && c < own.size(); ++c) own[c] += share * at->second[c];
      }
      ++joint;
    }
    add_rounding(tensor, own);
  }
  return noise;
}

/// The output counts unscaled, so that factors behind the reader do not change what its channels weigh.
double ErrorPredictor::predict_reader(const ScalableLinear& reader, const std::vector<double>& noise) const {
  const graph::Node& node = graph_.node(reader.node);
  const std::vector<double>* rows = scaling_.factors_of(node.outputs[0]);
  const std::vector<double> energies = scaling_.column_energies(reader);
  const double from_activations = std::inner_product(noise.begin(), noise.end(), energies.begin(), 0.0);
  const std::vector<double> steps = row_steps(reader);
  const std::vector<double> input_power = row_input_power(reader);
  double from_weights = 0.0;
  for (std::size_t r = 0; r < steps.size(); ++r) {
    const double step = rows == nullptr ? steps[r] : steps[r] * (*rows)[r];
    from_weights += weight_error_ * rounding_power(step) * input_power[r];
  }
  const auto output = statistics_.find(node.outputs[0]);
  double signal = 0.0;
  if (output != statistics_.end()) {
    signal = std::accumulate(output->second.mean_square.begin(), output->second.mean_square.end(), 0.0);
  } else {
    const std::vector<double> power = *power_of(node.inputs[0]);
    signal = std::inner_product(power.begin(), power.end(), energies.begin(), 0.0);
  }
  return signal > 0.0 ? (from_activations + from_weights) / signal : 0.0;
}

double ErrorPredictor::predict(std::size_t group) const {
  const ScalingGroup& members = scaling_.groups()[group];
  const auto noise = noise_of_tensors(members);
  double sum = 0.0;
  for (const ScalableLinear& reader : members.readers) {
    sum += predict_reader(reader, noise.at(graph_.node(reader.node).inputs[0]));
  }
  return sum;
}

}  // namespace halfstep::tune
