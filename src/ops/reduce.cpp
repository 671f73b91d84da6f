// reduce.cpp: (to be written).
#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> reduce_ops() { return {}; }

}  // namespace halfstep::ops
