// clamp.cpp: limiting values to a range, in place.
//
// Cost: one load, two comparisons with selects and one store an element; bound by memory. That is why products clamp
// before they store (gemm.cpp, depthwise.cpp) and only the rest comes here as a pass of its own.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

void clamp_in_place(float* x, std::int64_t count, float min, float max) {
  for (std::int64_t i = 0; i < count; ++i) {
    // Both comparisons are false for NaN, which therefore passes.
    const float raised = x[i] < min ? min : x[i];
    x[i] = max < raised ? max : raised;
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
