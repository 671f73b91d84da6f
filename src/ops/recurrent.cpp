// recurrent.cpp: (to be written).
#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> recurrent_ops() { return {}; }

}  // namespace halfstep::ops
