// reduce_integer.cpp: reductions of integer and bool tensors.
#include <algorithm>

#include "ops/reduce/reduce_kernels.hpp"
#include "ops/reduce/reduce_loops.hpp"

namespace halfstep::ops {
namespace {

using namespace reduce_detail;

template <class T>
void reduce_typed(Reduction reduction, const ReducePlan& plan, const T* x, T* y) {
  std::fill_n(y, plan.num_outputs, T{});  // The loops hand the old value to operations of two passes.
  if (reduction == Reduction::kMax) return reduce_with<Max<T>>(plan, x, y);
  if (reduction == Reduction::kMin) return reduce_with<Min<T>>(plan, x, y);
  if constexpr (!std::is_same_v<T, bool>) {
    switch (reduction) {
      case Reduction::kSum:
        return reduce_with<Sum<T>>(plan, x, y);
      case Reduction::kMean:
        return reduce_with<Mean<T>>(plan, x, y);
      case Reduction::kProd:
        return reduce_with<Prod<T>>(plan, x, y);
      case Reduction::kL1:
        return reduce_with<L1<T>>(plan, x, y);
      case Reduction::kL2:
        return reduce_with<L2<T>>(plan, x, y);
      case Reduction::kLogSum:
        return reduce_with<LogSum<T>>(plan, x, y);
      case Reduction::kSumSquare:
        return reduce_with<SumSquare<T>>(plan, x, y);
      case Reduction::kLogSumExp:
        reduce_with<Max<T>>(plan, x, y);
        return reduce_with<LogSumExp<T>>(plan, x, y);
      case Reduction::kMax:
      case Reduction::kMin:
        break;
    }
  }
}

}  // namespace

void reduce_integer(Reduction reduction, const ReducePlan& plan, ConstView x, MutableView y) {
  if (plan.num_outputs == 0) return;
  visit_dtype(x.dtype(), [&]<class T>() {
    if constexpr (!std::is_floating_point_v<T>) reduce_typed<T>(reduction, plan, x.data<T>(), y.data<T>());
  });
}

}  // namespace halfstep::ops
