// expected_inputs.cpp: one walk over the nodes, each from the means of its operands.
#include "tune/expected_inputs.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>

#include "ops/op_def.hpp"
#include "passes/linear.hpp"

namespace halfstep::tune {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

using Means = std::vector<double>;

double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::numbers::pi); }

/// The share of standard normal values below x. By erfc, which stays exact in the tails.
double normal_share_below(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

Means clipped_means(const Node& node) {
  const graph::NormalStatistics& statistics = *node.statistics;
  Means means;
  for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
    means.push_back(node.clamp ? clipped_normal_mean(statistics.mean[c], statistics.standard_deviation[c],
                                                     node.clamp->min_of(c), node.clamp->max_of(c))
                               : statistics.mean[c]);
  }
  return means;
}

/// The walk: what is known of the values so far.
class ExpectationWalk {
 public:
  ExpectationWalk(const Graph& graph, const ops::Facts& facts)
      : graph_(graph), facts_(facts), values_(graph.values.size()) {}

  ExpectedValues run() && {
    for (const Node& node : graph_.nodes) {
      if (!node.outputs.empty() && node.outputs[0] != graph::kNoValue)
        values_[passes::index(node.outputs[0])] = of(node);
    }
    return std::move(values_);
  }

 private:
  const Means& means_of(const Node& node, std::size_t operand) const {
    const ValueId id = passes::input_of(node, operand);
    return id == graph::kNoValue ? unknown_ : values_[passes::index(id)];
  }
  const TensorType* type_of(ValueId id) const { return passes::type_of(facts_, id); }

  Means of(const Node& node) const {
    if (node.statistics) return clipped_means(node);
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr || node.clamp) return {};
    if (op->sums) return sum(node);
    if (op->aliases_input) return reshaped(node);
    if (op->output_rule == ops::OutputRule::kSameAsInputs) return concatenated(node);
    return averages(node) ? means_of(node, 0) : unknown_;
  }

  Means sum(const Node& node) const {
    const TensorType* type = type_of(node.outputs[0]);
    const double sign = node.op_type == "Sub" ? -1.0 : 1.0;
    Means total = means_of(node, 0);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const TensorType* operand = type_of(node.inputs[i]);
      const Means& means = means_of(node, i);
      if (type == nullptr || operand == nullptr || *operand != *type || means.empty()) return {};
      for (std::size_t c = 0; i > 0 && c < means.size(); ++c) total[c] += sign * means[c];
    }
    return total;
  }

  Means concatenated(const Node& node) const {
    const TensorType* type = type_of(node.outputs[0]);
    if (type == nullptr) return {};
    const Result<int> axis = normalize_axis(node.attributes.get_int("axis", -1), type->shape.rank());
    if (!axis.ok() || *axis != 1) return {};
    Means all;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Means& means = means_of(node, i);
      if (means.empty()) return {};
      all.insert(all.end(), means.begin(), means.end());
    }
    return all;
  }

  /// Values keep their order, so a channel of C becomes as many whole channels as there are more of them.
  Means reshaped(const Node& node) const {
    const Means& means = means_of(node, 0);
    const TensorType* from = type_of(passes::input_of(node, 0));
    const TensorType* to = type_of(node.outputs[0]);
    if (means.empty() || from == nullptr || to == nullptr || to->shape.rank() < 2) return {};
    const std::int64_t channels = from->shape[1];
    if (from->shape[0] != to->shape[0] || channels < 1 || to->shape[1] % channels != 0) return {};
    Means spread;
    for (const double mean : means)
      spread.insert(spread.end(), static_cast<std::size_t>(to->shape[1] / channels), mean);
    return spread;
  }

  /// Output 0 averages input 0 within each channel, and channels stay axis 1.
  bool averages(const Node& node) const {
    if (passes::plain(node, "GlobalAveragePool")) return true;
    if (passes::plain(node, "AveragePool")) {
      return node.attributes.get_int("count_include_pad", 0) == 0 || passes::pads_nothing(node);
    }
    return passes::plain(node, "ReduceMean") && reduces_behind_channels(node);
  }

  bool reduces_behind_channels(const Node& node) const {
    const TensorType* input = type_of(node.inputs[0]);
    const auto axes = passes::integers_of(graph_, passes::input_of(node, 1));
    if (input == nullptr || !axes || axes->empty()) return false;
    return std::ranges::all_of(*axes, [&](std::int64_t axis) {
      const Result<int> place = normalize_axis(axis, input->shape.rank());
      return place.ok() && *place >= 2;
    });
  }

  const Graph& graph_;
  const ops::Facts& facts_;
  const Means unknown_;
  ExpectedValues values_;
};

}  // namespace

double clipped_normal_mean(double mean, double deviation, double low, double high) {
  if (deviation == 0.0) return std::min(high, std::max(low, mean));
  double below = 0.0;  // The part of E[y] from values at or under `low`, and so on.
  double above = 0.0;
  double share_inside = 1.0;
  double density_difference = 0.0;
  if (std::isfinite(low)) {
    const double alpha = (low - mean) / deviation;
    below = low * normal_share_below(alpha);
    share_inside -= normal_share_below(alpha);
    density_difference += normal_density(alpha);
  }
  if (std::isfinite(high)) {
    const double beta = (high - mean) / deviation;
    above = high * normal_share_below(-beta);
    share_inside -= normal_share_below(-beta);
    density_difference -= normal_density(beta);
  }
  return below + above + mean * share_inside + deviation * density_difference;
}

ExpectedValues expected_values(const Graph& graph, const ops::Facts& facts) {
  return ExpectationWalk(graph, facts).run();
}

}  // namespace halfstep::tune
