// equalize.cpp: coordinate descent over groups; each looks at its own readers' error only.
#include "tune/equalize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/text.hpp"
#include "tune/channel_scaling.hpp"
#include "tune/predicted_error.hpp"
#include "tune/scale_channels.hpp"

namespace halfstep::tune {
namespace {

constexpr int kNumRounds = 12;
constexpr std::array kAlphas = {0.0, 0.25, 0.5, 0.75, 1.0};

/// Drops the groups that nothing is known of.
ScalingGroups observed_groups(const graph::Graph& graph, const EqualizeRequest& request) {
  ScalingGroups all = find_scaling_groups(graph, request.facts, request.imported);
  ScalingGroups kept{.groups = {}, .refused = std::move(all.refused)};
  for (ScalingGroup& group : all.groups) {
    const auto unseen = std::ranges::find_if(group.tensors, [&](const GroupTensor& tensor) {
      return !channel_statistics(request.observations, graph.value(tensor.value).name, group.num_channels);
    });
    if (unseen == group.tensors.end()) {
      kept.groups.push_back(std::move(group));
    } else {
      kept.refused.push_back(quoted(graph.value(unseen->value).name) + ": nothing was seen of its channels");
    }
  }
  return kept;
}

/// The magnitudes that factors are made of, under the factors so far, [C] each.
struct Magnitudes {
  std::vector<double> activations;
  std::vector<double> writers;
  std::vector<double> readers;
};

Magnitudes magnitudes_of(const ChannelScaling& scaling, const ErrorPredictor& predictor, std::size_t group) {
  Magnitudes now{predictor.activation_peaks(group), scaling.writer_peaks(group), scaling.reader_peaks(group)};
  const std::vector<double>& factors = scaling.factors(group);
  for (std::size_t c = 0; c < factors.size(); ++c) now.activations[c] /= factors[c];
  return now;
}

/// The factors so far times those that the formula asks for now.
std::vector<double> factors_for(double alpha, const Magnitudes& now, const std::vector<double>& so_far) {
  const double beta = (1.0 - alpha) / 2.0;
  const std::vector<bool> live = live_channels({&now.activations, &now.writers, &now.readers});
  std::vector<double> logs(so_far.size());
  double sum = 0.0;
  for (std::size_t c = 0; c < logs.size(); ++c) {
    if (!live[c]) continue;
    logs[c] = std::log(so_far[c]) + alpha * std::log(now.activations[c]) +
              beta * (std::log(now.writers[c]) - std::log(now.readers[c]));
    sum += logs[c];
  }
  const auto num_live = std::ranges::count(live, true);
  if (num_live == 0) return std::vector<double>(so_far.size(), 1.0);
  for (double& log : logs) log = std::exp(log - sum / static_cast<double>(num_live));
  return logs;
}

class Equalizer {
 public:
  Equalizer(ChannelScaling& scaling, const ErrorPredictor& predictor, std::optional<double> alpha)
      : scaling_(scaling), predictor_(predictor), alpha_(alpha), chosen_(scaling.groups().size()) {}

  /// The a of each group; empty: none.
  std::vector<std::optional<double>> run() {
    for (int round = 0; round < kNumRounds; ++round) {
      for (std::size_t g = 0; g < chosen_.size(); ++g) choose(g);
    }
    return chosen_;
  }

 private:
  void choose(std::size_t g) {
    const Magnitudes now = magnitudes_of(scaling_, predictor_, g);
    const std::vector<double> so_far = scaling_.factors(g);
    if (alpha_) {
      scaling_.set_factors(g, factors_for(*alpha_, now, so_far));
      chosen_[g] = alpha_;
      return;
    }
    std::vector<double> best(so_far.size(), 1.0);
    scaling_.set_factors(g, best);
    double least = predictor_.predict(g);
    chosen_[g].reset();
    for (const double alpha : kAlphas) {
      std::vector<double> candidate = factors_for(alpha, now, so_far);
      scaling_.set_factors(g, candidate);
      const double error = predictor_.predict(g);
      if (!(error < least)) continue;
      least = error;
      best = std::move(candidate);
      chosen_[g] = alpha;
    }
    scaling_.set_factors(g, std::move(best));
  }

  ChannelScaling& scaling_;
  const ErrorPredictor& predictor_;
  std::optional<double> alpha_;
  std::vector<std::optional<double>> chosen_;
};

}  // namespace

std::vector<calib::Watch> watches_for_equalizing(const graph::Graph& graph, const ops::Facts& facts,
                                                 const EncodingSet& imported) {
  std::map<graph::ValueId, int> axes;
  const auto watch_end = [&](const graph::Node& node, graph::ValueId value) {
    const Shape* shape = graph::constant_of(graph, value) == nullptr ? known_float_shape(facts, value) : nullptr;
    if (shape != nullptr) axes.try_emplace(value, linear_channel_axis(node, shape->rank()));
  };
  for (const ScalingGroup& group : find_scaling_groups(graph, facts, imported).groups) {
    for (const GroupTensor& tensor : group.tensors) axes.insert_or_assign(tensor.value, tensor.axis);
    for (const ScalableLinear& writer : group.writers) {
      watch_end(graph.node(writer.node), graph.node(writer.node).inputs[0]);
    }
    for (const ScalableLinear& reader : group.readers) {
      watch_end(graph.node(reader.node), graph.node(reader.node).outputs[0]);
    }
  }
  std::vector<calib::Watch> watches;
  for (const auto& [value, axis] : axes) watches.push_back({.value = value, .channel_axis = axis});
  return watches;
}

Result<Equalized> equalize(const graph::Graph& graph, const EqualizeRequest& request) {
  ScalingGroups found = observed_groups(graph, request);
  ChannelScaling scaling(graph, std::move(found.groups));
  const Result<ErrorPredictor> predictor =
      ErrorPredictor::make(graph, request.facts, request.plan, request.observations, scaling, request.weight_error);
  if (!predictor.ok()) return predictor.error();
  Equalized result{.graph = {}, .groups = {}, .refused = std::move(found.refused)};
  for (std::size_t g = 0; g < scaling.groups().size(); ++g) {
    const ScalingGroup& group = scaling.groups()[g];
    result.groups.push_back({.tensor = graph.value(group.tensors[0].value).name,
                             .num_channels = group.num_channels,
                             .error_before = predictor->predict(g)});
  }
  const std::vector<std::optional<double>> alphas = Equalizer(scaling, *predictor, request.alpha).run();
  for (std::size_t g = 0; g < alphas.size(); ++g) {
    result.groups[g].alpha = alphas[g];
    result.groups[g].error_after = predictor->predict(g);
    result.groups[g].factors = scaling.factors(g);
    if (scales(scaling.factors(g))) ++result.num_scaled;
  }
  const FactorRange range = range_of(scaling.all_factors());
  result.smallest_factor = range.smallest;
  result.largest_factor = range.largest;
  Result<graph::Graph> scaled = scale_channels(graph, scaling.groups(), scaling.all_factors());
  if (!scaled.ok()) return scaled.error();
  result.graph = *std::move(scaled);
  return result;
}

}  // namespace halfstep::tune
