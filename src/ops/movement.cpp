// movement.cpp: (to be written).
#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> movement_ops() { return {}; }

}  // namespace halfstep::ops
