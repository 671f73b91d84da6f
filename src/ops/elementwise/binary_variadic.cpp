// binary_variadic.cpp: Min, Max, Sum and Mean of any number of tensors.
#include <cstring>
#include <vector>

#include "ops/elementwise/binary.hpp"
#include "ops/elementwise/binary_fixed.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/weighted_sum_fixed.hpp"

namespace halfstep::ops {
namespace {

struct TakeSecond {
  template <class T>
  T operator()(T, T b) const {
    return b;
  }
};

// Folds from the left: y = x0, then y = f(y, xi). The output is therefore never
// in operand 0's storage, which a later operand might share.
template <class F>
Prepared fold(const LowerArgs& args, F f, bool divide_by_count) {
  const Shape& result = args.outputs[0].shape;
  std::vector<BroadcastPlan> plans;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) plans.push_back(plan_broadcast(result, result, args.shape(i)));
  return {.run = [plans = std::move(plans), f, divide_by_count](const KernelIo& io) -> Result<void> {
            if (!has_output(io) || plans[0].count == 0) return {};
            const MutableView& y = io.outputs[0];
            if (plans[0].inner_strides[1] == 1 && plans[0].extents.empty()) {
              std::memcpy(y.bytes, io.inputs[0].bytes, static_cast<std::size_t>(y.type->num_bytes()));
            } else {
              apply_numbers(plans[0], y.as_const(), io.inputs[0], y, TakeSecond{});
            }
            for (std::size_t i = 1; i < plans.size(); ++i) apply_numbers(plans[i], y.as_const(), io.inputs[i], y, f);
            if (divide_by_count) {
              const auto divisor = static_cast<float>(plans.size());
              float* values = y.data<float>();
              vector_math::apply(values, values, y.num_elements(), [divisor](float v) { return v / divisor; });
            }
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

template <class F>
Result<Prepared> lower_fold(const LowerArgs& args) {
  return fold(args, F{}, false);
}

Result<Prepared> lower_mean(const LowerArgs& args) { return fold(args, AddFunction{}, true); }

template <const DTypeSet& kTypes>
Result<Inferred> infer_variadic(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kTypes); !ok.ok()) return ok.error();
  const DType dtype = args.type(0).dtype;
  Result<Shape> shape = broadcast_operands(args, dtype);
  if (!shape.ok()) return shape.error();
  for (std::size_t i = 1; i < args.num_inputs(); ++i) {
    if (const auto ok = check_same_dtype(args, 0, i); !ok.ok()) return ok.error();
  }
  return Inferred::one({dtype, std::move(shape).value()});
}

constexpr OpDef variadic(std::string_view type, Result<Inferred> (*infer)(const NodeArgs&),
                         Result<Prepared> (*lower)(const LowerArgs&),
                         Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  return {.type = type,
          .since_opset = 8,
          .operand_count = {1, kManyOperands},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = kAllData,
          .infer = infer,
          .lower_float = lower,
          .lower_fixed = lower_fixed};
}

constexpr OpDef variadic_extreme(std::string_view type, Result<Prepared> (*lower)(const LowerArgs&),
                                 Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  OpDef op = variadic(type, infer_variadic<kNumbers>, lower, lower_fixed);
  op.picks_extreme = true;
  return op;
}
constexpr OpDef variadic_sum(std::string_view type, Result<Inferred> (*infer)(const NodeArgs&),
                             Result<Prepared> (*lower)(const LowerArgs&),
                             Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  OpDef op = variadic(type, infer, lower, lower_fixed);
  op.sums = true;
  return op;
}

}  // namespace

std::span<const OpDef> variadic_ops() {
  static const OpDef ops[] = {
      variadic_extreme("Min", lower_fold<MinFunction>, lower_min_fixed),
      variadic_extreme("Max", lower_fold<MaxFunction>, lower_max_fixed),
      variadic_sum("Sum", infer_variadic<kFloatOnly>, lower_fold<AddFunction>, lower_sum_fixed),
      variadic("Mean", infer_variadic<kFloatOnly>, lower_mean, lower_mean_fixed),
  };
  return ops;
}

}  // namespace halfstep::ops
