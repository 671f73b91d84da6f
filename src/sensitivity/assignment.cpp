// assignment.cpp: costs by node, and greedy steps.
#include "sensitivity/assignment.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::sensitivity {
namespace {

constexpr int kRealBits = 32;
constexpr int kElementwiseBits = 8;  // The second operand of what has no weights.

int act_bits(const PrecisionCandidate& candidate) { return candidate.real ? kRealBits : candidate.act_bits; }
int weight_bits(const PrecisionCandidate& candidate) { return candidate.real ? kRealBits : candidate.weight_bits; }

/// A change of one group and what it brings.
struct Change {
  std::size_t group = 0;
  std::size_t candidate = 0;
  double noise_less = 0.0;
  double cost_more = 0.0;
};

/// A change that costs nothing is best by cost.
double worth(const Change& change, bool by_cost) {
  if (!by_cost) return change.noise_less;
  return change.cost_more > 0.0 ? change.noise_less / change.cost_more : std::numeric_limits<double>::max();
}

/// Candidates that cost no less and are expected to be better than what the group has.
std::vector<Change> changes_of(const NoiseTable& noise, const CostModel& costs, const Assignment& now, double cost) {
  std::vector<Change> changes;
  for (std::size_t g = 0; g < noise.size(); ++g) {
    for (std::size_t c = 0; c < noise[g].size(); ++c) {
      if (c == now[g] || !noise[g][c] || !noise[g][now[g]]) continue;
      const double less = *noise[g][now[g]] - *noise[g][c];
      if (less <= 0.0) continue;
      Assignment changed = now;
      changed[g] = c;
      changes.push_back({g, c, less, costs.of(changed) - cost});
    }
  }
  return changes;
}

}  // namespace

double bit_operations(int activation_bits, int weight_bits) {
  return static_cast<double>(activation_bits) * static_cast<double>(weight_bits);
}

CostModel::CostModel(const QuantizedGraph& model, const ops::Facts& facts, const std::vector<QuantizerGroup>& groups,
                     std::vector<PrecisionCandidate> candidates, OperationCost cost)
    : candidates_(std::move(candidates)), cost_(std::move(cost)) {
  std::map<std::string_view, std::size_t> group_of;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const std::string& name : groups[g].activations) group_of.emplace(name, g);
    for (const std::string& name : groups[g].weights) group_of.emplace(name, g);
  }
  const graph::Graph& graph = model.graph;
  const auto group = [&](graph::ValueId id) -> std::optional<std::size_t> {
    const auto at = id == graph::kNoValue ? group_of.end() : group_of.find(graph.value(id).name);
    return at == group_of.end() ? std::nullopt : std::optional(at->second);
  };
  for (const graph::Node& node : graph.nodes) {
    if (!ops::is_integer_node(node, facts)) continue;
    Work work;
    work.operations = static_cast<double>(macs_of(node, facts));
    const std::optional<TensorType>& made = facts[static_cast<std::size_t>(node.outputs[0])].type;
    const bool is_linear = work.operations > 0.0;
    if (!is_linear && made) work.operations = static_cast<double>(made->shape.num_elements());
    work.data = group(node.inputs[0]);
    const graph::ValueId weight = ops::weight_of(graph, node);
    work.has_weights = weight != graph::kNoValue;
    work.weights = group(weight);
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (ops::operand_role(graph, node, i) != ops::OperandRole::kData) continue;
      if (const auto other = group(node.inputs[i])) work.more_data.push_back(*other);
      work.two_data = is_linear;
    }
    work_.push_back(std::move(work));
  }
}

double CostModel::of(const Assignment& assignment) const {
  const auto bits = [&](const std::optional<std::size_t>& group) {
    return group ? act_bits(candidates_[assignment[*group]]) : kRealBits;
  };
  double total = 0.0;
  for (const Work& work : work_) {
    int data = bits(work.data);
    int other = kElementwiseBits;
    for (const std::size_t g : work.more_data) {
      if (work.two_data) {
        other = bits(g);
      } else {
        data = std::max(data, bits(g));
      }
    }
    if (work.has_weights) other = work.weights ? weight_bits(candidates_[assignment[*work.weights]]) : kRealBits;
    total += work.operations * cost_(data, other);
  }
  return total;
}

double predicted_noise(const NoiseTable& noise, const Assignment& assignment) {
  double total = 0.0;
  for (std::size_t g = 0; g < noise.size(); ++g) total += noise[g][assignment[g]].value_or(0.0);
  return total;
}

std::vector<CurvePoint> pareto_curve(const NoiseTable& noise, const CostModel& costs, bool by_cost) {
  Assignment now(noise.size(), 0);
  std::vector<CurvePoint> curve{{now, costs.of(now), predicted_noise(noise, now), std::nullopt}};
  for (;;) {
    const std::vector<Change> changes = changes_of(noise, costs, now, curve.back().cost);
    const auto best = std::ranges::max_element(changes, {}, [&](const Change& c) { return worth(c, by_cost); });
    if (best == changes.end()) return curve;
    now[best->group] = best->candidate;
    curve.push_back({now, costs.of(now), predicted_noise(noise, now), best->group});
  }
}

std::optional<Assignment> best_within(const NoiseTable& noise, const CostModel& costs,
                                      const std::vector<CurvePoint>& curve, double budget) {
  std::optional<Assignment> best;
  for (const CurvePoint& point : curve) {
    if (point.cost <= budget) best = point.assignment;
  }
  if (!best) return std::nullopt;
  double least = predicted_noise(noise, *best);
  const auto take = [&](const Assignment& tried) {
    const double found = predicted_noise(noise, tried);
    if (found >= least || costs.of(tried) > budget) return false;
    best = tried;
    least = found;
    return true;
  };
  // One group better, or one better and another cheaper, as long as that helps.
  for (bool better = true; better;) {
    better = false;
    const Assignment from = *best;
    for (std::size_t g = 0; g < noise.size() && !better; ++g) {
      for (std::size_t c = 0; c < noise[g].size() && !better; ++c) {
        if (c == from[g] || !noise[g][c]) continue;
        Assignment one = from;
        one[g] = c;
        better = take(one);
        for (std::size_t h = 0; h < noise.size() && !better; ++h) {
          for (std::size_t d = 0; d < noise[h].size() && !better && h != g; ++d) {
            if (d == from[h] || !noise[h][d]) continue;
            Assignment two = one;
            two[h] = d;
            better = take(two);
          }
        }
      }
    }
  }
  return best;
}

}  // namespace halfstep::sensitivity
