// reduce_int.hpp: means and sums of codes along axes.
#pragma once

#include "ops/node_args.hpp"
#include "ops/shared/mean_rules.hpp"
#include "ops/shared/reduce_plan.hpp"

namespace halfstep::ops {

/// Alternating groups of kept and reduced axes that prepare_int_mean() walks, each way.
inline constexpr std::size_t kMaxIntWheels = 8;

/// ReduceMean, ReduceSum, GlobalAveragePool by the rules of mean_rules.hpp, which have one divisor.
/// Requires: plan.count > 0; at most kMaxIntWheels kept and as many reduced groups; where the rules have
/// channels, plan.run_is_reduced and output o belongs to channel o % channels.
Prepared prepare_int_mean(ReducePlan plan, MeanRules rules);

}  // namespace halfstep::ops
