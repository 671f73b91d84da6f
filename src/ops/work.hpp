// work.hpp: how much a node would compute, before it is run.
#pragma once

#include <span>

#include "ops/op_def.hpp"

namespace halfstep::ops {

/// At least the number of elements and products that running the node takes; a real number, which cannot overflow.
/// `outputs` as infer() gave them.
double work_of(const OpDef& op, const NodeArgs& args, std::span<const TensorType> outputs);

}  // namespace halfstep::ops
