// pool_fixed.cpp: integer forms of AveragePool and GlobalAveragePool.
#include "ops/window/pool_fixed.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "ops/shared/reduce_int.hpp"
#include "ops/window/pool_int.hpp"

namespace halfstep::ops {
namespace {

std::vector<AverageRun> width_runs(const PoolPlan& plan) {
  std::vector<AverageRun> runs;
  for (std::int64_t w = 0; w < plan.axes[2].out; ++w) {
    const RowRange& range = plan.ranges[2][static_cast<std::size_t>(w)];
    if (!runs.empty() && runs.back().inside == range.count && runs.back().counted == range.counted) {
      ++runs.back().count;
    } else {
      runs.push_back({w, 1, range.count, range.counted});
    }
  }
  return runs;
}

std::string extents_text(const PoolAxes& axes, int spatial_rank) {
  std::string text;
  for (std::size_t i = 3 - static_cast<std::size_t>(spatial_rank); i < 3; ++i) {
    text += (text.empty() ? "" : "x") + std::to_string(axes[i].kernel);
  }
  return text;
}

}  // namespace

Result<FixedForm> lower_average_pool_fixed(const FixedArgs& args) {
  IntAveragePlan plan;
  const PoolAxes axes = pool_axes_of(args);
  plan.pool = plan_pool(args.shape(0).num_elements(0, 2), axes, pad_counting_of(args));
  plan.runs = width_runs(*plan.pool);

  // One Requantizer for each number of elements a window may have.
  std::map<std::int64_t, std::int32_t> number_of;
  std::vector<std::int64_t> divisors;
  std::int64_t most_inside = 1;
  for (const RowRange& depth : plan.pool->ranges[0]) {
    for (const RowRange& height : plan.pool->ranges[1]) {
      for (const AverageRun& run : plan.runs) {
        // A window without elements has the sum 0 and may be divided by anything.
        const std::int64_t counted = std::max<std::int64_t>(depth.counted * height.counted * run.counted, 1);
        const auto [at, is_new] = number_of.emplace(counted, static_cast<std::int32_t>(divisors.size()));
        if (is_new) divisors.push_back(counted);
        plan.divisors.push_back(at->second);
        most_inside = std::max(most_inside, depth.count * height.count * run.inside);
      }
    }
  }
  Result<MeanRules> rules = mean_rules_of(args, most_inside, divisors, ChannelGrids::kAlongAxis1);
  if (!rules.ok()) return rules.error();
  plan.rules = *std::move(rules);

  FixedForm form;
  const int spatial_rank = args.shape(0).rank() - 2;
  form.facts = mean_facts(args, plan.rules, most_inside, "average of windows " + extents_text(axes, spatial_rank));
  form.prepared = prepare_int_average_pool(std::move(plan));
  return form;
}

Result<FixedForm> lower_global_average_fixed(const FixedArgs& args) {
  const Shape& shape = args.shape(0);
  ReducePlan plan;
  plan.num_outputs = shape.num_elements(0, 2);
  plan.count = plan.run = shape.num_elements(2, shape.rank());
  plan.run_is_reduced = true;
  plan.kept = {{plan.num_outputs, plan.run}};
  Result<MeanRules> rules = mean_rules_of(args, plan.count, {plan.count}, ChannelGrids::kAlongAxis1);
  if (!rules.ok()) return rules.error();
  FixedForm form;
  form.facts = mean_facts(args, *rules, plan.count, "mean of " + std::to_string(plan.count) + " elements");
  form.prepared = prepare_int_mean(std::move(plan), *std::move(rules));
  return form;
}

}  // namespace halfstep::ops
