// binary.cpp: arithmetic on two tensors, and the list of the family.
#include "ops/elementwise/binary.hpp"

#include <string>
#include <vector>

#include "ops/elementwise/binary_fixed.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/weighted_sum_fixed.hpp"

namespace halfstep::ops {
namespace {

template <class F>
Result<Prepared> lower_binary(const LowerArgs& args) {
  return Prepared{.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1))](
                             const KernelIo& io) -> Result<void> {
                    if (has_output(io)) apply_share(plan, io, F{});
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false,
                  .splits = true};
}

Result<Prepared> lower_div(const LowerArgs& args) {
  return Prepared{.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1))](
                             const KernelIo& io) -> Result<void> {
                    if (!has_output(io) || plan.count == 0) return {};
                    if (const auto ok = check_divisor(io.inputs[1], "division"); !ok.ok()) return ok;
                    apply_share(plan, io, DivFunction{});
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false,
                  .splits = true};
}

constexpr DTypeSet kPReluTypes{DType::kFloat32, DType::kInt32, DType::kInt64, DType::kUint32, DType::kUint64};

// The slope broadcasts to the operand, not the other way round.
Result<Inferred> infer_prelu(const NodeArgs& args) {
  Result<Inferred> common = infer_binary(args, kPReluTypes);
  if (!common.ok()) return common;
  if (common->outputs[0].shape != args.shape(0)) {
    return Error{ErrorCode::kInvalidInput, "slope of shape " + to_string(args.shape(1)) +
                                               " does not broadcast to the operand's " + to_string(args.shape(0))};
  }
  return common;
}

constexpr OpDef arithmetic(std::string_view type, Result<Prepared> (*lower)(const LowerArgs&),
                           Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  return {.type = type,
          .since_opset = 7,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = kAllData,
          .in_place = true,
          .infer = infer_binary<kNumbers>,
          .lower_float = lower,
          .lower_fixed = lower_fixed};
}

constexpr OpDef sum(std::string_view type, Result<Prepared> (*lower)(const LowerArgs&),
                    Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  OpDef op = arithmetic(type, lower, lower_fixed);
  op.sums = true;
  return op;
}

constexpr OpDef division(std::string_view type, Result<Prepared> (*lower)(const LowerArgs&),
                         Result<FixedForm> (*lower_fixed)(const FixedArgs&)) {
  OpDef op = arithmetic(type, lower, lower_fixed);
  op.partial = true;
  op.divisor = 1;
  return op;
}

}  // namespace

Result<Inferred> infer_binary(const NodeArgs& args, const DTypeSet& types) {
  if (const auto ok = check_dtype(args, 0, types); !ok.ok()) return ok.error();
  if (const auto ok = check_same_dtype(args, 0, 1); !ok.ok()) return ok.error();
  Result<Shape> shape = broadcast_operands(args, args.type(0).dtype);
  if (!shape.ok()) return shape.error();
  return Inferred::one({args.type(0).dtype, std::move(shape).value()});
}

Result<void> check_divisor(const ConstView& divisor, std::string_view operation) {
  const bool has_zero = visit_dtype(divisor.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, bool>) {
      return false;
    } else {
      for (const T value : divisor.values<T>()) {
        if (value == T{0}) return true;
      }
      return false;
    }
  });
  if (has_zero) return Error{ErrorCode::kInvalidInput, "integer " + std::string(operation) + " by zero"};
  return {};
}

std::span<const OpDef> binary_ops() {
  static const std::vector<OpDef> all = [] {
    std::vector<OpDef> ops = {
        sum("Add", lower_binary<AddFunction>, lower_add_fixed),
        sum("Sub", lower_binary<SubFunction>, lower_sub_fixed),
        arithmetic("Mul", lower_binary<MulFunction>, lower_mul_fixed),
        division("Div", lower_div, lower_div_fixed),
        {.type = "PRelu",
         .since_opset = 7,
         .operand_count = {2, 2},
         .output_rule = OutputRule::kObserved,
         .has_integer_form = true,
         .operands = kAllData,
         .in_place = true,
         .infer = infer_prelu,
         .lower_float = lower_binary<PReluFunction>,
         .lower_fixed = lower_prelu_fixed},
    };
    for (const auto part : {pow_ops(), variadic_ops()}) ops.insert(ops.end(), part.begin(), part.end());
    return ops;
  }();
  return all;
}

}  // namespace halfstep::ops
