// vector_math.cpp: the choice of instruction set, and the functions other families share.
#include "ops/shared/vector_math.hpp"

#include "kernels/isa.hpp"

namespace halfstep::ops::vector_math {
namespace detail {

bool has_avx2() { return kernels::active_isa() != kernels::Isa::kBaseline; }
bool has_avx512() { return kernels::active_isa() == kernels::Isa::kAvx512; }

}  // namespace detail

void exp(const float* x, float* y, std::int64_t count) {
  apply(x, y, count, [](float v) { return exp(v); });
}
void sigmoid(const float* x, float* y, std::int64_t count) {
  apply(x, y, count, [](float v) { return sigmoid(v); });
}
void tanh(const float* x, float* y, std::int64_t count) {
  apply(x, y, count, [](float v) { return tanh(v); });
}

}  // namespace halfstep::ops::vector_math
