// clamp.hpp: limiting values to a range, in place.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// x[i] = min(max(x[i], min), max). Bounds may be infinite; NaN stays NaN.
void clamp_in_place(float* x, std::int64_t count, float min, float max);

}  // namespace halfstep::kernels
