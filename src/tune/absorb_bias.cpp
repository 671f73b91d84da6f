// absorb_bias.cpp: finds the pairs, chooses the amounts and shifts both biases by passes/linear.hpp.
#include "tune/absorb_bias.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#include "core/text.hpp"
#include "ops/operands.hpp"
#include "passes/linear.hpp"

namespace halfstep::tune {
namespace {

using graph::FusedClamp;
using graph::Graph;
using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using passes::ChannelMap;
using passes::Edit;
using passes::Linear;

/// Deviations below the mean that a normal value all but never reaches.
constexpr double kSafeDeviations = 3.0;

std::string amount_text(double amount) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", amount);
  return text;
}

struct PairNodes {
  NodeId writer = kNoNode;
  NodeId reader = kNoNode;
};

/// The tensor between the two, as an operand of the reader.
graph::ValueId value_between(const Edit& edit, const PairNodes& pair) { return edit.node(pair.reader).inputs[0]; }

bool has_constant_weight(const Graph& graph, const Node& node) {
  return ops::weight_of(graph, node) != graph::kNoValue;
}

std::vector<PairNodes> weighted_pairs(const Edit& edit) {
  std::vector<PairNodes> pairs;
  for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
    const auto writer = static_cast<NodeId>(n);
    if (!has_constant_weight(edit.graph, edit.node(writer))) continue;
    const graph::ValueId between = edit.node(writer).outputs[0];
    for (const NodeId reader : edit.links.consumers[passes::index(between)]) {
      if (has_constant_weight(edit.graph, edit.node(reader)) && edit.node(reader).inputs[0] == between) {
        pairs.push_back({writer, reader});
      }
    }
  }
  return pairs;
}

/// Why the clamp is no Relu in every channel; empty if it is.
std::string clamp_obstacle(const std::optional<FusedClamp>& clamp, std::size_t num_channels) {
  if (!clamp) return "no Relu between them";
  for (std::size_t c = 0; c < num_channels; ++c) {
    if (clamp->min_of(c) != 0.0F) return "the clamp between them does not begin at 0";
    if (clamp->max_of(c) != std::numeric_limits<float>::infinity()) return "the clamp between them has an upper bound";
  }
  return "";
}

/// Why nothing can move from the writer to the reader, as far as the graph tells; empty if it can.
std::string graph_obstacle(const Edit& edit, const PairNodes& pair, const ops::Facts& facts) {
  const std::optional<Linear> writer = passes::layer_at(edit, pair.writer, facts);
  const std::optional<Linear> reader = passes::layer_at(edit, pair.reader, facts);
  if (!writer || !reader) return "a weight or bias is computed, or came with an encoding";
  const Node& reading = edit.node(pair.reader);
  if (std::string found = clamp_obstacle(edit.node(pair.writer).clamp, static_cast<std::size_t>(writer->out_channels));
      !found.empty()) {
    return found;
  }
  const graph::ValueId between = value_between(edit, pair);
  if (edit.links.is_output[passes::index(between)]) return "what lies between them is an output of the model";
  if (edit.graph.value(between).pinned) return "what lies between them came with an encoding";
  if (edit.private_consumer(between) != pair.reader) return "what lies between them has other readers";
  if (!writer->takes_shift || !reader->takes_shift) return "a product of more than two dimensions has no bias";
  if (reader->in_channels != writer->out_channels || reading.attributes.get_int("transA", 0) != 0) {
    return "the channels of one are not those of the other";
  }
  if (!passes::shift_reaches_every_tap(reading, *reader)) return "the border of the reader would not shift along";
  return "";
}

std::vector<double> amounts_of(const graph::NormalStatistics& statistics) {
  std::vector<double> amounts;
  for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
    const double lowest = statistics.mean[c] - kSafeDeviations * statistics.standard_deviation[c];
    amounts.push_back(std::max(0.0, lowest));
  }
  return amounts;
}

/// Empty if calibration did not see `num_channels` channels.
std::vector<double> amounts_of(const calib::Observation* observation, std::size_t num_channels) {
  if (observation == nullptr || observation->channels.size() != num_channels) return {};
  std::vector<double> amounts;
  for (const calib::Distribution& channel : observation->channels) {
    if (channel.moments.count == 0) return {};
    amounts.push_back(std::max(0.0, static_cast<double>(channel.moments.min)));
  }
  return amounts;
}

/// Moves `amounts` from the writer's bias to the reader's. False, and nothing done, if one can't take it.
bool move_bias(Edit& edit, const PairNodes& pair, const std::vector<double>& amounts, const ops::Facts& facts) {
  ChannelMap less{std::vector<double>(amounts.size(), 1.0), amounts};
  const ChannelMap more = less;
  for (double& amount : less.shift) amount = -amount;
  const Graph before = edit.graph;
  bool moved = passes::fold_behind(edit, *passes::layer_at(edit, pair.writer, facts), less);
  edit.refresh();
  moved = moved && passes::fold_in_front(edit, *passes::layer_at(edit, pair.reader, facts), more);
  if (!moved) edit.graph = before;
  edit.refresh();
  return moved;
}

AbsorbedPair absorb_pair(Edit& edit, const PairNodes& pair, const ops::Facts& facts,
                         const calib::Observations& observations) {
  const Node& writer = edit.node(pair.writer);
  AbsorbedPair report;
  report.writer = edit.graph.value(value_between(edit, pair)).name;
  report.reader = edit.graph.value(edit.node(pair.reader).outputs[0]).name;
  report.obstacle = graph_obstacle(edit, pair, facts);
  if (!report.obstacle.empty()) return report;

  const auto num_channels = static_cast<std::size_t>(passes::layer_at(edit, pair.writer, facts)->out_channels);
  report.source = writer.statistics ? AmountSource::kBatchNorm : AmountSource::kCalibration;
  const std::vector<double> amounts = writer.statistics
                                          ? amounts_of(*writer.statistics)
                                          : amounts_of(find_observation(observations, report.writer), num_channels);
  if (amounts.empty()) {
    report.obstacle = "neither BatchNorm statistics nor calibration data of its channels";
    return report;
  }
  report.num_channels = static_cast<int>(std::ranges::count_if(amounts, [](double c) { return c > 0.0; }));
  report.largest_amount = *std::ranges::max_element(amounts);
  if (report.num_channels == 0) return report;
  if (move_bias(edit, pair, amounts, facts)) return report;
  return {.writer = report.writer,
          .reader = report.reader,
          .obstacle = "a bias differs from row to row, or would not be finite"};
}

}  // namespace

std::string to_string(const AbsorbedPair& pair) {
  const std::string names = quoted(pair.writer) + " in " + quoted(pair.reader);
  if (!pair.obstacle.empty()) return "nothing of " + names + ": " + pair.obstacle;
  const std::string source =
      pair.source == AmountSource::kBatchNorm ? " (BatchNorm statistics)" : " (calibration data)";
  if (pair.num_channels == 0) return "nothing of " + names + ": no channel stays above 0" + source;
  return "absorbed " + std::to_string(pair.num_channels) + (pair.num_channels == 1 ? " channel of " : " channels of ") +
         names + ", at most " + amount_text(pair.largest_amount) + source;
}

std::vector<calib::Watch> absorption_watches(const Graph& graph, const ops::Facts& facts) {
  const Edit edit(graph);
  std::vector<calib::Watch> watches;
  for (const PairNodes& pair : weighted_pairs(edit)) {
    if (edit.node(pair.writer).statistics || !graph_obstacle(edit, pair, facts).empty()) continue;
    // A single reader: no value comes twice.
    calib::Watch& watch = watches.emplace_back();
    watch.value = value_between(edit, pair);
    watch.channel_axis = passes::layer_at(edit, pair.writer, facts)->channel_axis;
  }
  return watches;
}

Absorption absorb_bias(const Graph& graph, const ops::Facts& facts, const calib::Observations& observations) {
  Edit edit(graph);
  Absorption result;
  for (const PairNodes& pair : weighted_pairs(edit)) {
    result.pairs.push_back(absorb_pair(edit, pair, facts, observations));
  }
  result.graph = std::move(edit.graph);
  return result;
}

}  // namespace halfstep::tune
