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

/// Few layers change: candidates that take away so much of what the best one takes count as good as that.
constexpr double kNearlyAll = 0.9;

/// All allowed changes that are expected to take noise away.
std::vector<Change> changes_of(const NoiseModel& noise, const CostModel& costs, const Assignment& now, double cost) {
  std::vector<Change> changes;
  for (std::size_t g = 0; g < noise.num_groups(); ++g) {
    for (std::size_t c = 0; c < noise.num_candidates(); ++c) {
      if (c == now[g] || !noise.is_allowed(g, c)) continue;
      const double less = noise.gain(now, g, c);
      if (less <= 0.0) continue;
      Assignment changed = now;
      changed[g] = c;
      changes.push_back({g, c, less, costs.of(changed) - cost});
    }
  }
  return changes;
}

/// A change that costs nothing is best.
const Change& best_for_cost(const std::vector<Change>& changes) {
  return *std::ranges::max_element(changes, {}, [](const Change& change) {
    return change.cost_more > 0.0 ? change.noise_less / change.cost_more : std::numeric_limits<double>::max();
  });
}

const Change& best_for_few(const std::vector<Change>& changes) {
  const Change* best = &*std::ranges::max_element(changes, {}, &Change::noise_less);
  const Change* cheapest = best;
  for (const Change& change : changes) {
    if (change.group != best->group || change.noise_less < kNearlyAll * best->noise_less) continue;
    if (change.cost_more < cheapest->cost_more) cheapest = &change;
  }
  return *cheapest;
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

std::vector<CurvePoint> pareto_curve(const NoiseModel& noise, const CostModel& costs, bool by_cost) {
  Assignment now(noise.num_groups(), 0);
  std::vector<CurvePoint> curve{{now, costs.of(now), noise.of(now), std::nullopt}};
  // Each step takes noise away, so no assignment comes twice; the bound is for sums that rounding makes equal.
  const std::size_t most = 2 * noise.num_groups() * noise.num_candidates();
  while (curve.size() <= most) {
    const std::vector<Change> changes = changes_of(noise, costs, now, curve.back().cost);
    if (changes.empty()) break;
    const Change& best = by_cost ? best_for_cost(changes) : best_for_few(changes);
    now[best.group] = best.candidate;
    curve.push_back({now, costs.of(now), noise.of(now), best.group});
  }
  return curve;
}

std::optional<Assignment> best_within(const NoiseModel& noise, const CostModel& costs,
                                      const std::vector<CurvePoint>& curve, double budget) {
  std::optional<Assignment> best;
  double least = std::numeric_limits<double>::infinity();
  const auto take = [&](const Assignment& tried) {
    const double found = noise.of(tried);
    if (found >= least || costs.of(tried) > budget) return false;
    best = tried;
    least = found;
    return true;
  };
  for (const CurvePoint& point : curve) take(point.assignment);
  if (!best) return std::nullopt;
  const auto for_each_change = [&](const Assignment& from, const std::function<bool(const Assignment&)>& use) {
    for (std::size_t g = 0; g < noise.num_groups(); ++g) {
      for (std::size_t c = 0; c < noise.num_candidates(); ++c) {
        if (c == from[g] || !noise.is_allowed(g, c)) continue;
        Assignment changed = from;
        changed[g] = c;
        if (use(changed)) return true;
      }
    }
    return false;
  };
  // One group changed, or two, as long as that helps.
  for (bool better = true; better;) {
    const Assignment from = *best;
    better = for_each_change(from, take) || for_each_change(from, [&](const Assignment& one) {
               return costs.of(one) > budget && for_each_change(one, take);
             });
  }
  return best;
}

}  // namespace halfstep::sensitivity
