// reduce_fixed.cpp: integer forms of ReduceMean and ReduceSum.
#include "ops/reduce/reduce_fixed.hpp"

#include <string>

#include "ops/shared/reduce_int.hpp"

namespace halfstep::ops {
namespace {

enum class Divided { kByCount, kByOne };

Result<FixedForm> lower_reduction(const FixedArgs& args, Divided divided) {
  const auto reduced = reduced_axes(args);
  if (!reduced.ok()) return reduced.error();
  if (!reduced->has_value()) return Error{ErrorCode::kUnsupported, "the axes are not known"};
  ReducePlan plan = plan_reduction(args.shape(0), **reduced);
  if (plan.count == 0) return Error{ErrorCode::kUnsupported, "there is nothing to reduce"};
  if (plan.kept.size() > kMaxIntWheels || plan.reduced.size() > kMaxIntWheels) {
    return Error{ErrorCode::kUnsupported, "kept and reduced axes alternate too often"};
  }
  const bool is_mean = divided == Divided::kByCount;
  Result<MeanRules> rules = mean_rules_of(args, plan.count, {is_mean ? plan.count : 1}, ChannelGrids::kRefused);
  if (!rules.ok()) return rules.error();
  FixedForm form;
  const std::string what = (is_mean ? "mean of " : "sum of ") + std::to_string(plan.count) + " elements";
  form.facts = mean_facts(args, *rules, plan.count, what);
  form.prepared = prepare_int_mean(std::move(plan), *std::move(rules));
  return form;
}

}  // namespace

Result<FixedForm> lower_reduce_mean_fixed(const FixedArgs& args) { return lower_reduction(args, Divided::kByCount); }
Result<FixedForm> lower_reduce_sum_fixed(const FixedArgs& args) { return lower_reduction(args, Divided::kByOne); }

}  // namespace halfstep::ops
