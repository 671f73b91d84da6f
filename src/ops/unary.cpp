// unary.cpp: (to be written).
#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> unary_ops() { return {}; }

}  // namespace halfstep::ops
