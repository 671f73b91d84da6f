// align_inputs.cpp: node by node, in their order; what is joined once is a member of a growing group.
#include "precision/align_inputs.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "calib/grid_error.hpp"
#include "calib/range_estimators.hpp"
#include "core/text.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

class Aligner {
 public:
  Aligner(const graph::Graph& graph, const ops::Facts& facts, const calib::Observations& observations,
          const std::vector<double>& floors, Plan& plan)
      : graph_(graph),
        facts_(facts),
        observations_(observations),
        floors_(floors),
        plan_(plan),
        links_(graph::links_of(graph)) {}

  int align() {
    for (const graph::Node& node : graph_.nodes) {
      if (!ops::is_integer_node(node, facts_)) continue;
      const ops::OpDef& op = *ops::find_op(node);
      if (op.sums && node.inputs.size() == 2) align_addends(root_of(node.inputs[0]), root_of(node.inputs[1]));
      if (op.output_rule == ops::OutputRule::kSameAsInputs && !node.clamp) align_with_output(node);
    }
    return num_changed_;
  }

 private:
  /// What decides the grid of `id`.
  ValueId root_of(ValueId id) const {
    if (id == graph::kNoValue || graph::constant_of(graph_, id) != nullptr) return graph::kNoValue;
    return plan_.of(id).source == Source::kShared ? plan_.of(id).shared_with : id;
  }

  const calib::Observation* observation_of(ValueId id) const {
    const calib::Observation* observation = calib::find_observation(observations_, graph_.value(id).name);
    return observation == nullptr || observation->histogram.empty() ? nullptr : observation;
  }

  bool may_change(ValueId id) const {
    if (id == graph::kNoValue) return false;
    const TensorPlan& plan = plan_.of(id);
    return plan.source == Source::kObserved && !plan.axis && std::isinf(floors_[static_cast<std::size_t>(id)]) &&
           observation_of(id) != nullptr;
  }

  static bool same_request(const TensorPlan& a, const TensorPlan& b) { return a.rule == b.rule && a.grid == b.grid; }

  /// All values that decide the grid of `id`, alone or as the head of a group.
  std::vector<ValueId> members_of(ValueId id) const {
    std::vector<ValueId> members = plan_.of(id).joined;
    members.push_back(id);
    return members;
  }

  /// These, and those that took over the grid without deciding it: parts of Concat.
  std::vector<ValueId> all_on_grid_of(ValueId id) const {
    std::vector<ValueId> all = members_of(id);
    if (const auto at = followers_.find(id); at != followers_.end()) {
      all.insert(all.end(), at->second.begin(), at->second.end());
    }
    return all;
  }

  std::optional<FittedGrid> grid_for(const std::vector<ValueId>& members, const TensorPlan& plan) const {
    std::vector<const calib::Observation*> seen;
    for (const ValueId id : members) {
      const calib::Observation* observation = observation_of(id);
      if (observation == nullptr) return std::nullopt;
      seen.push_back(observation);
    }
    const Result<FittedGrid> grid = fit_grid(joint_range(seen, plan.grid, plan.rule), plan.grid);
    if (!grid.ok()) return std::nullopt;
    return *grid;
  }

  /// How many times the values of `id` are read; its own data movement passes them on.
  double num_readers(ValueId id) const {
    double count = 0.0;
    for (std::size_t v = 0; v < plan_.tensors.size(); ++v) {
      const auto other = static_cast<ValueId>(v);
      if (other != id && root_of(other) != id) continue;
      count += static_cast<double>(links_.consumers[v].size()) + (links_.is_output[v] ? 1.0 : 0.0);
    }
    return std::max(1.0, count);
  }

  /// The rule of the header, for one tensor against the grid it would have alone.
  bool is_worth_it(ValueId id, const FittedGrid& other, const TensorPlan& plan) const {
    const std::optional<FittedGrid> own = grid_for({id}, plan);
    if (!own) return false;
    const calib::Observation& observation = *observation_of(id);
    const calib::GridError error{calib::BinnedValues(observation.histogram)};
    const double more = error.squared_error(other) - error.squared_error(*own);
    const double step = own->params.scale;
    return num_readers(id) * more <= static_cast<double>(observation.moments.count) * step * step / 12.0;
  }

  void align_addends(ValueId a, ValueId b) {
    if (a == b || !may_change(a) || !may_change(b) || !same_request(plan_.of(a), plan_.of(b))) return;
    const std::vector<ValueId> of_b = members_of(b);
    std::vector<ValueId> both = members_of(a);
    both.insert(both.end(), of_b.begin(), of_b.end());
    const std::optional<FittedGrid> joint = grid_for(both, plan_.of(a));
    if (!joint) return;
    for (const ValueId head : {a, b}) {
      for (const ValueId id : all_on_grid_of(head)) {
        if (!is_worth_it(id, *joint, plan_.of(head))) return;
      }
    }
    plan_.of(a).joined.insert(plan_.of(a).joined.end(), of_b.begin(), of_b.end());
    const std::vector<ValueId> followers = followers_[b];
    followers_[a].insert(followers_[a].end(), followers.begin(), followers.end());
    take_grid_of(b, a, "added to " + quoted(graph_.value(a).name));
  }

  /// Concat: those of its inputs that did not take the grid of its output already.
  void align_with_output(const graph::Node& node) {
    const ValueId output = root_of(node.outputs[0]);
    if (!may_change(output)) return;
    for (const ValueId operand : node.inputs) {
      const ValueId input = root_of(operand);
      if (input == output || !may_change(input) || !same_request(plan_.of(input), plan_.of(output))) continue;
      const std::vector<ValueId> all = all_on_grid_of(input);
      const std::optional<FittedGrid> grid = grid_for(members_of(output), plan_.of(output));
      if (!grid || !std::ranges::all_of(all, [&](ValueId id) { return is_worth_it(id, *grid, plan_.of(input)); })) {
        continue;
      }
      followers_[output].insert(followers_[output].end(), all.begin(), all.end());
      take_grid_of(input, output, "becomes part of " + quoted(graph_.value(output).name));
    }
  }

  /// `id` and what shares its grid share that of `head` from now on.
  void take_grid_of(ValueId id, ValueId head, const std::string& why) {
    for (std::size_t v = 0; v < plan_.tensors.size(); ++v) {
      TensorPlan& plan = plan_.tensors[v];
      if (plan.source == Source::kShared && plan.shared_with == id) plan.shared_with = head;
    }
    plan_.of(id).source = Source::kShared;
    plan_.of(id).shared_with = head;
    plan_.of(id).joined.clear();
    plan_.of(id).why = why + ", which costs less than a requantization";
    ++num_changed_;
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const calib::Observations& observations_;
  const std::vector<double>& floors_;
  Plan& plan_;
  graph::Links links_;
  std::map<ValueId, std::vector<ValueId>> followers_;  // By what decides their grid.
  int num_changed_ = 0;
};

}  // namespace

RealRange joint_range(const std::vector<const calib::Observation*>& members, const GridRequest& request,
                      const RangeRule& rule) {
  if (members.size() == 1) return calib::estimate_range(*members.front(), request, rule);
  RealRange range;
  if (calib::needs_histogram(rule)) {
    calib::Distribution together;
    for (const calib::Observation* member : members) {
      together.moments.merge(member->moments);
      together.histogram.merge(member->histogram);
    }
    return calib::estimate_range(together, request, rule);
  }
  // What is said of samples is said of each tensor's own: their ranges together.
  for (const calib::Observation* member : members) {
    const RealRange own = calib::estimate_range(*member, request, rule);
    range = {std::min(range.min, own.min), std::max(range.max, own.max)};
  }
  return range;
}

int align_inputs(const graph::Graph& graph, const ops::Facts& facts, const calib::Observations& observations,
                 const std::vector<double>& floors, Plan& plan) {
  return Aligner(graph, facts, observations, floors, plan).align();
}

}  // namespace halfstep::precision
