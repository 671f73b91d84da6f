// reduce_select.hpp: operators that pick elements along one axis.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// ArgMax, ArgMin: int64 positions of the extreme element.
Result<Inferred> infer_arg_extreme(const NodeArgs& args);
Result<Prepared> lower_arg_max(const LowerArgs& args);
Result<Prepared> lower_arg_min(const LowerArgs& args);

/// TopK: values and int64 positions of the k first elements in order.
Result<Inferred> infer_top_k(const NodeArgs& args);
Result<Prepared> lower_top_k(const LowerArgs& args);

}  // namespace halfstep::ops
