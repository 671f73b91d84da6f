// pool_int.hpp: average pooling on codes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/node_args.hpp"
#include "ops/shared/mean_rules.hpp"
#include "ops/window/pool_plan.hpp"

namespace halfstep::ops {

/// Neighbouring outputs of a row that have equally many taps along the width.
struct AverageRun {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t inside = 0;   ///< Taps inside the input, each.
  std::int64_t counted = 0;  ///< Taps the average divides by, each.
};

struct IntAveragePlan {
  std::shared_ptr<const PoolPlan> pool;
  std::vector<AverageRun> runs;        ///< Together one output row.
  std::vector<std::int32_t> divisors;  ///< By output (depth, height), then run: the divisor's number in `rules`.
  MeanRules rules;
};

/// AveragePool by the rules of mean_rules.hpp; a window without elements gives z_y.
Prepared prepare_int_average_pool(IntAveragePlan plan);

}  // namespace halfstep::ops
