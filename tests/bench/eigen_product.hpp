// eigen_product.hpp: Eigen's float product, compiled for the processor at hand whatever HALFSTEP_ISA says.
#pragma once

#include <cstdint>

namespace halfstep {

/// c[m, n] = a[m, k] * b[k, n], row by row without gaps.
void eigen_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c);

}  // namespace halfstep
