// channel_scaling.cpp: tables of the weights' magnitudes, a row an output channel.
#include "tune/channel_scaling.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace halfstep::tune {
namespace {

constexpr double kLiveShare = 1.0 / (1 << 20);

double factor_or_one(const std::vector<double>* factors, std::int64_t channel) {
  return factors == nullptr ? 1.0 : (*factors)[static_cast<std::size_t>(channel)];
}

/// Calls f(out_channel, in_channel, entry) for each entry of a table, rows first.
template <class F>
void for_each_pair(const ScalableLinear& linear, const std::vector<float>& table, F&& f) {
  const float* entry = table.data();
  for (std::int64_t o = 0; o < linear.out_channels; ++o) {
    const std::int64_t first = o / linear.out_per_group() * linear.in_per_group();
    for (std::int64_t i = 0; i < linear.in_per_group(); ++i, ++entry) f(o, first + i, static_cast<double>(*entry));
  }
}

/// The largest of row[i] * factors[i], or of row[i] without factors; 0 if there are none. By vectors of the compiler:
/// it makes none of a comparison by itself.
double largest_scaled(const float* row, const double* factors, std::int64_t count) {
  using Floats [[gnu::vector_size(4 * sizeof(float))]] = float;
  using Doubles [[gnu::vector_size(4 * sizeof(double))]] = double;
  using Pair [[gnu::vector_size(2 * sizeof(double))]] = double;
  std::array<Pair, 2> largest{};  // A register each: all that SSE2 compares at a time.
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    Floats values;
    std::memcpy(&values, row + i, sizeof(values));
    Doubles scaled = __builtin_convertvector(values, Doubles);
    if (factors != nullptr) {
      Doubles four;
      std::memcpy(&four, factors + i, sizeof(four));
      scaled *= four;
    }
    std::array<Pair, 2> pairs;
    std::memcpy(pairs.data(), &scaled, sizeof(pairs));
    for (std::size_t p = 0; p < pairs.size(); ++p) largest[p] = pairs[p] > largest[p] ? pairs[p] : largest[p];
  }
  double result = std::max({largest[0][0], largest[0][1], largest[1][0], largest[1][1]});
  for (; i < count; ++i) {
    result = std::max(result, factors == nullptr ? double{row[i]} : double{row[i]} * factors[i]);
  }
  return result;
}

void raise_to(std::vector<double>& peaks, const std::vector<double>& others) {
  if (peaks.empty()) peaks.resize(others.size());
  for (std::size_t c = 0; c < peaks.size(); ++c) peaks[c] = std::max(peaks[c], others[c]);
}

}  // namespace

ChannelScaling::ChannelScaling(const graph::Graph& graph, std::vector<ScalingGroup> groups)
    : graph_(graph), groups_(std::move(groups)), group_of_(graph.values.size(), -1) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    factors_.emplace_back(static_cast<std::size_t>(groups_[g].num_channels), 1.0);
    for (const GroupTensor& tensor : groups_[g].tensors) {
      group_of_[static_cast<std::size_t>(tensor.value)] = static_cast<int>(g);
    }
    for (const ScalableLinear& writer : groups_[g].writers) read_weight(writer);
    for (const ScalableLinear& reader : groups_[g].readers) read_weight(reader);
  }
}

void ChannelScaling::read_weight(const ScalableLinear& linear) {
  const auto [at, is_new] = tables_.try_emplace(linear.node);
  if (!is_new) return;
  const auto row_size = static_cast<std::size_t>(linear.in_per_group());
  std::vector<float>& peak = at->second.peak;
  peak.resize(row_size * static_cast<std::size_t>(linear.out_channels));
  std::vector<float> energy(peak.size());
  const float* weight = graph::constant_of(graph_, linear.weight)->data<float>();
  for_each_weight(linear, [&](std::size_t position, std::size_t in, std::size_t out) {
    const std::size_t entry = out * row_size + in % row_size;
    peak[entry] = std::max(peak[entry], std::abs(weight[position]));
    energy[entry] += weight[position] * weight[position];
  });
  std::vector<double>& columns = at->second.column_energy;
  columns.resize(static_cast<std::size_t>(linear.in_channels));
  for_each_pair(linear, energy, [&](std::int64_t, std::int64_t in, double squares) {
    columns[static_cast<std::size_t>(in)] += squares;
  });
}

const std::vector<double>* ChannelScaling::factors_of(graph::ValueId value) const {
  const int group = group_of_[static_cast<std::size_t>(value)];
  return group < 0 ? nullptr : &factors_[static_cast<std::size_t>(group)];
}

std::vector<double> ChannelScaling::row_peaks(const ScalableLinear& linear) const {
  const graph::Node& node = graph_.node(linear.node);
  const std::vector<double>* columns = factors_of(node.inputs[0]);
  const std::vector<double>* rows = factors_of(node.outputs[0]);
  std::vector<double> peaks(static_cast<std::size_t>(linear.out_channels));
  const float* row = tables_.at(linear.node).peak.data();
  for (std::int64_t o = 0; o < linear.out_channels; ++o, row += linear.in_per_group()) {
    const std::int64_t first = o / linear.out_per_group() * linear.in_per_group();
    const double* factors = columns == nullptr ? nullptr : columns->data() + first;
    peaks[static_cast<std::size_t>(o)] = largest_scaled(row, factors, linear.in_per_group());
  }
  for (std::size_t o = 0; rows != nullptr && o < peaks.size(); ++o) peaks[o] /= (*rows)[o];
  return peaks;
}

std::vector<double> ChannelScaling::column_peaks(const ScalableLinear& linear) const {
  const graph::Node& node = graph_.node(linear.node);
  const std::vector<double>* columns = factors_of(node.inputs[0]);
  const std::vector<double>* rows = factors_of(node.outputs[0]);
  std::vector<double> peaks(static_cast<std::size_t>(linear.in_channels));
  for_each_pair(linear, tables_.at(linear.node).peak, [&](std::int64_t out, std::int64_t in, double peak) {
    double& largest = peaks[static_cast<std::size_t>(in)];
    largest = std::max(largest, peak / factor_or_one(rows, out));
  });
  for (std::size_t i = 0; columns != nullptr && i < peaks.size(); ++i) peaks[i] *= (*columns)[i];
  return peaks;
}

std::vector<double> ChannelScaling::column_energies(const ScalableLinear& linear) const {
  const std::vector<double>* columns = factors_of(graph_.node(linear.node).inputs[0]);
  std::vector<double> sums = tables_.at(linear.node).column_energy;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double gain = linear.gain * factor_or_one(columns, static_cast<std::int64_t>(i));
    sums[i] *= gain * gain;
  }
  return sums;
}

std::vector<double> ChannelScaling::writer_peaks(std::size_t group) const {
  std::vector<double> peaks;
  for (const ScalableLinear& writer : groups_[group].writers) raise_to(peaks, row_peaks(writer));
  return peaks;
}

std::vector<double> ChannelScaling::reader_peaks(std::size_t group) const {
  std::vector<double> peaks;
  for (const ScalableLinear& reader : groups_[group].readers) raise_to(peaks, column_peaks(reader));
  return peaks;
}

std::vector<bool> live_channels(const std::vector<const std::vector<double>*>& magnitudes) {
  std::vector<bool> live(magnitudes.empty() ? 0 : magnitudes[0]->size(), true);
  for (const std::vector<double>* list : magnitudes) {
    const double least = *std::ranges::max_element(*list) * kLiveShare;
    for (std::size_t c = 0; c < live.size(); ++c) live[c] = live[c] && (*list)[c] > 0.0 && (*list)[c] >= least;
  }
  return live;
}

bool scales(const std::vector<double>& factors) {
  return std::ranges::any_of(factors, [](double factor) { return factor != 1.0; });
}

FactorRange range_of(const std::vector<std::vector<double>>& factors) {
  FactorRange range;
  for (const std::vector<double>& list : factors) {
    for (const double s : list) range = {std::min(range.smallest, s), std::max(range.largest, s)};
  }
  return range;
}

}  // namespace halfstep::tune
