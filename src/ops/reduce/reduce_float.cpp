// reduce_float.cpp: reductions of float32 tensors.
#include "ops/reduce/reduce_kernels.hpp"
#include "ops/reduce/reduce_loops.hpp"

namespace halfstep::ops {

void reduce_float(Reduction reduction, const ReducePlan& plan, const float* x, float* y) {
  using namespace reduce_detail;
  if (plan.num_outputs == 0) return;
  std::fill_n(y, plan.num_outputs, 0.0F);  // The loops hand the old value to operations of two passes.
  switch (reduction) {
    case Reduction::kSum:
      return reduce_with<Sum<float>>(plan, x, y);
    case Reduction::kMean:
      return reduce_with<Mean<float>>(plan, x, y);
    case Reduction::kMax:
      return reduce_with<Max<float>>(plan, x, y);
    case Reduction::kMin:
      return reduce_with<Min<float>>(plan, x, y);
    case Reduction::kProd:
      return reduce_with<Prod<float>>(plan, x, y);
    case Reduction::kL1:
      return reduce_with<L1<float>>(plan, x, y);
    case Reduction::kL2:
      return reduce_with<L2<float>>(plan, x, y);
    case Reduction::kLogSum:
      return reduce_with<LogSum<float>>(plan, x, y);
    case Reduction::kSumSquare:
      return reduce_with<SumSquare<float>>(plan, x, y);
    case Reduction::kLogSumExp:
      reduce_with<Max<float>>(plan, x, y);
      return reduce_with<LogSumExp<float>>(plan, x, y);
  }
}

}  // namespace halfstep::ops
