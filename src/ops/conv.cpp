// conv.cpp: (to be written).
#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> conv_ops() { return {}; }

}  // namespace halfstep::ops
