// reduce_fixed.hpp: the integer forms of ReduceMean and ReduceSum, and how reductions choose their axes.
#pragma once

#include <optional>
#include <vector>

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// Whether each axis is reduced; an empty optional: the axes are not known yet.
/// Errors: kInvalidInput if the axes do not fit the data.
Result<std::optional<std::vector<bool>>> reduced_axes(const NodeArgs& args);

Result<FixedForm> lower_reduce_mean_fixed(const FixedArgs& args);
Result<FixedForm> lower_reduce_sum_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
