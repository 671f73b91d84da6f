// pool_fixed.hpp: the integer forms of AveragePool and GlobalAveragePool, and what pool.cpp knows of a pool's windows.
#pragma once

#include "ops/fixed_form.hpp"
#include "ops/window/pool_plan.hpp"

namespace halfstep::ops {

/// The spatial axes of a pool node. Requires that infer succeeded.
PoolAxes pool_axes_of(const NodeArgs& args);

/// count_include_pad.
PadCounting pad_counting_of(const NodeArgs& args);

Result<FixedForm> lower_average_pool_fixed(const FixedArgs& args);
Result<FixedForm> lower_global_average_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
