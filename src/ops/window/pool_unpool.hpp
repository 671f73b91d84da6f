// pool_unpool.hpp: MaxUnpool, which puts pooled values back where MaxPool found them.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// As OpDef::infer. Data dependent while output_shape is given but unknown.
Result<Inferred> infer_max_unpool(const NodeArgs& args);

/// As OpDef::lower_float. Running fails on an index outside the unpooled tensor.
Result<Prepared> lower_max_unpool(const LowerArgs& args);

}  // namespace halfstep::ops
