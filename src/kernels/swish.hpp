// swish.hpp: Swish, whose exponential function is most of what models that use it compute outside of products.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// y[i] = x[i] / (1 + e^(-alpha x[i])); y may be x. Relative error 4e-7, besides that of rounding alpha x[i]; 0 where
/// that is below -88.3, whose results are below 1e-36. NaN gives NaN, and so does an infinite x[i] where alpha x[i] is
/// -infinity. The bits depend on the instruction set, not on an element's place.
void swish(const float* x, float* y, std::int64_t count, float alpha);

}  // namespace halfstep::kernels
