// observed_causes.cpp: observations become spreads.
#include "pipeline/observed_causes.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "calib/grid_error.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::pipeline {
namespace {

using calib::Distribution;
using graph::ValueId;
using sensitivity::Spread;

constexpr double kUsualShare = 0.999;

/// The axis of an activation's channels: the operator's, else the second of four and the last of others.
int channel_axis_of(const graph::Graph& graph, const graph::Links& links, ValueId id, int rank) {
  const graph::NodeId writer = links.producer[static_cast<std::size_t>(id)];
  if (writer != graph::kNoNode && ops::weight_of(graph, graph.node(writer)) != graph::kNoValue) {
    return ops::output_channel_axis(*ops::find_op(graph.node(writer)), rank);
  }
  return rank == 4 ? 1 : rank - 1;
}

/// The magnitude that kUsualShare of the values do not exceed, an edge of a bin.
double usual_of(const Distribution& values) {
  const double largest =
      std::max(std::abs(static_cast<double>(values.moments.min)), std::abs(static_cast<double>(values.moments.max)));
  if (values.histogram.empty()) return largest;
  std::vector<std::pair<double, double>> bins;  // Magnitude, count.
  const std::vector<std::uint64_t> counts = values.histogram.counts();
  double all = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const double low = values.histogram.lower_edge(i);
    const double high = low + std::ldexp(1.0, values.histogram.log2_width());
    bins.emplace_back(std::max(std::abs(low), std::abs(high)), static_cast<double>(counts[i]));
    all += bins.back().second;
  }
  std::ranges::sort(bins);
  double seen = 0.0;
  for (const auto& [magnitude, count] : bins) {
    seen += count;
    if (seen >= kUsualShare * all) return std::min(magnitude, largest);
  }
  return largest;
}

/// What lies beyond the ends of a grid: number of values, and squares of what is taken away from them.
struct Clipped {
  double count = 0.0;
  double squares = 0.0;
};

Clipped clipped_of(const Distribution& values, const Encoding& encoding, std::size_t grid, bool lower_counts) {
  Clipped clipped;
  if (values.histogram.empty()) return clipped;
  const double half_step = encoding.params()[grid].scale / 2.0;
  // The values of a bin [low, high] beyond `end`, mirrored for the lower end.
  const auto add = [&](double low, double high, double count, double end) {
    if (high <= end + half_step) return;
    const double from = std::max(low, end + half_step);
    const double share = high > low ? (high - from) / (high - low) : 1.0;
    const double a = from - end;
    const double b = high - end;
    clipped.count += count * share;
    clipped.squares += count * share * (a * a + a * b + b * b) / 3.0;
  };
  for (const auto& bin : calib::BinnedValues(values.histogram).bins) {
    add(bin.low, bin.high, bin.count, encoding.real_max(grid));
    if (lower_counts) add(-bin.high, -bin.low, bin.count, -encoding.real_min(grid));
  }
  return clipped;
}

Spread spread_of(const Distribution& values) {
  Spread spread{.min = values.moments.min, .max = values.moments.max};
  spread.usual = usual_of(values);
  return spread;
}

bool takes_exponentials(const graph::Graph& graph, const graph::Links& links, ValueId id) {
  return std::ranges::any_of(links.consumers[static_cast<std::size_t>(id)], [&](graph::NodeId reader) {
    const std::string& type = graph.node(reader).op_type;
    return type == "Softmax" || type == "LogSoftmax" || type == "Exp";
  });
}

}  // namespace

std::vector<calib::Watch> watches_of(const QuantizedGraph& model, const ops::Facts& facts,
                                     const std::vector<const sensitivity::QuantizerGroup*>& groups) {
  std::vector<calib::Watch> watches;
  const graph::Links links = graph::links_of(model.graph);
  std::set<ValueId> known;
  for (const sensitivity::QuantizerGroup* group : groups) {
    for (const std::string& name : group->activations) {
      const ValueId id = graph::find_value(model.graph, name);
      if (id == graph::kNoValue || !known.insert(id).second) continue;
      calib::Watch watch{.value = id, .histogram = true};
      const Encoding& encoding = find_encoding(model.encodings, name)->encoding;
      const auto& type = facts[static_cast<std::size_t>(id)].type;
      if (encoding.axis()) {
        watch.channel_axis = encoding.axis();
        watch.channel_histograms = true;
      } else if (type && type->shape.rank() >= 2) {
        watch.channel_axis = channel_axis_of(model.graph, links, id, type->shape.rank());
      }
      watches.push_back(watch);
    }
  }
  return watches;
}

std::vector<sensitivity::Cause> activation_causes_of(const QuantizedGraph& model,
                                                     const sensitivity::QuantizerGroup& group,
                                                     const calib::Observations& observed) {
  const graph::Links links = graph::links_of(model.graph);
  std::vector<sensitivity::ActivationFacts> tensors;
  for (const std::string& name : group.activations) {
    const ValueId id = graph::find_value(model.graph, name);
    const calib::Observation* seen = calib::find_observation(observed, name);
    if (id == graph::kNoValue || seen == nullptr || seen->moments.count == 0) continue;
    sensitivity::ActivationFacts tensor;
    tensor.name = name;
    tensor.encoding = &find_encoding(model.encodings, name)->encoding;
    tensor.feeds_exponential = takes_exponentials(model.graph, links, id);
    const graph::NodeId writer = links.producer[static_cast<std::size_t>(id)];
    tensor.is_exponential = writer != graph::kNoNode && model.graph.node(writer).op_type == "Exp";
    tensor.whole = spread_of(*seen);
    for (const Distribution& channel : seen->channels) tensor.channels.push_back(spread_of(channel));
    // What lies far below the largest value of a row adds nothing to a Softmax.
    const bool lower_counts = !tensor.feeds_exponential;
    Clipped clipped;
    if (tensor.encoding->is_per_tensor()) {
      clipped = clipped_of(*seen, *tensor.encoding, 0, lower_counts);
    } else if (seen->channels.size() == tensor.encoding->params().size()) {
      for (std::size_t c = 0; c < seen->channels.size(); ++c) {
        const Clipped more = clipped_of(seen->channels[c], *tensor.encoding, c, lower_counts);
        clipped.count += more.count;
        clipped.squares += more.squares;
      }
    }
    const double squares = seen->moments.sum_of_squares.value();
    tensor.whole.clipped_share = clipped.count / static_cast<double>(seen->moments.count);
    tensor.whole.clip_noise = squares > 0.0 ? clipped.squares / squares : 0.0;
    tensors.push_back(std::move(tensor));
  }
  return sensitivity::activation_causes(tensors);
}

std::vector<sensitivity::Cause> weight_causes_of(const QuantizedGraph& model, const graph::Graph& real,
                                                 const sensitivity::QuantizerGroup& group) {
  std::vector<sensitivity::Cause> causes;
  for (const std::string& name : group.weights) {
    const Tensor* constant = graph::constant_of(real, graph::find_value(real, name));
    if (constant == nullptr || constant->dtype() != DType::kFloat32) continue;
    const TensorEncoding& entry = *find_encoding(model.encodings, name);
    if (!check_fits(entry.encoding, constant->shape()).ok()) continue;
    std::optional<int> axis;
    if (group.node != graph::kNoNode) axis = ops::weight_axis(real, real.node(group.node));
    if (axis && *axis >= constant->shape().rank()) axis.reset();
    std::vector<sensitivity::Cause> more = sensitivity::weight_causes(name, *constant, entry, axis);
    causes.insert(causes.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return causes;
}

}  // namespace halfstep::pipeline
