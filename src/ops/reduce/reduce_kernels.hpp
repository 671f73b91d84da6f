// reduce_kernels.hpp: the loops that reduce one tensor, for every operation and element type.
#pragma once

#include "core/tensor.hpp"
#include "ops/shared/reduce_plan.hpp"

namespace halfstep::ops {

enum class Reduction { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kLogSum, kLogSumExp, kSumSquare };

/// y = reduction of x. Sums of float are carried in double, so the order of
/// the terms does not show in the result; integer sums and products wrap.
/// An empty reduction gives the identity; the mean of nothing is NaN or 0.
/// Requires: equal dtypes, y holds plan.num_outputs elements.
void reduce_float(Reduction reduction, const ReducePlan& plan, const float* x, float* y);

/// As reduce_float. Requires: an integer dtype, or bool with kMax and kMin.
void reduce_integer(Reduction reduction, const ReducePlan& plan, ConstView x, MutableView y);

}  // namespace halfstep::ops
