// logic.cpp: comparisons, Boolean and bitwise operators of two tensors, Where.
#include <limits>
#include <string>
#include <type_traits>

#include "ops/elementwise/binary.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

template <class F>
Prepared prepare_bool(const LowerArgs& args, F f) {
  return {.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1)),
                  f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            broadcast_apply(
                plan, bool_bytes(io.inputs[0]), bool_bytes(io.inputs[1]), bool_bytes(io.outputs[0]),
                [f](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(f(a != 0, b != 0) ? 1 : 0); });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

Result<Prepared> lower_and(const LowerArgs& args) {
  return prepare_bool(args, [](bool a, bool b) { return a && b; });
}
Result<Prepared> lower_or(const LowerArgs& args) {
  return prepare_bool(args, [](bool a, bool b) { return a || b; });
}
Result<Prepared> lower_xor(const LowerArgs& args) {
  return prepare_bool(args, [](bool a, bool b) { return a != b; });
}

template <class F>
Prepared prepare_comparison(const LowerArgs& args, F f) {
  if (args.type(0).dtype == DType::kBool) return prepare_bool(args, f);
  return {.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1)),
                  f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            visit_dtype(io.inputs[0].dtype(), [&]<class T>() {
              if constexpr (!std::is_same_v<T, bool>) {
                broadcast_apply(plan, io.inputs[0].data<T>(), io.inputs[1].data<T>(), bool_bytes(io.outputs[0]),
                                [&f](T a, T b) { return static_cast<std::uint8_t>(f(a, b) ? 1 : 0); });
              }
            });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

Result<Prepared> lower_equal(const LowerArgs& args) {
  return prepare_comparison(args, [](auto a, auto b) { return a == b; });
}
Result<Prepared> lower_less(const LowerArgs& args) {
  return prepare_comparison(args, [](auto a, auto b) { return a < b; });
}
Result<Prepared> lower_greater(const LowerArgs& args) {
  return prepare_comparison(args, [](auto a, auto b) { return a > b; });
}
Result<Prepared> lower_less_or_equal(const LowerArgs& args) {
  return prepare_comparison(args, [](auto a, auto b) { return a <= b; });
}
Result<Prepared> lower_greater_or_equal(const LowerArgs& args) {
  return prepare_comparison(args, [](auto a, auto b) { return a >= b; });
}

template <const DTypeSet& kTypes>
Result<Inferred> infer_comparison(const NodeArgs& args) {
  Result<Inferred> common = infer_binary(args, kTypes);
  if (common.ok()) common->outputs[0].dtype = DType::kBool;
  return common;
}

template <class F>
Prepared prepare_integer(const LowerArgs& args, F f) {
  return {.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1)),
                  f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            visit_dtype(io.outputs[0].dtype(), [&]<class T>() {
              if constexpr (!std::is_same_v<T, bool> && !std::is_same_v<T, float>) {
                broadcast_apply(plan, io.inputs[0].data<T>(), io.inputs[1].data<T>(), io.outputs[0].data<T>(), f);
              }
            });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

Result<Prepared> lower_bitwise_and(const LowerArgs& args) {
  return prepare_integer(args, []<class T>(T a, T b) { return static_cast<T>(a & b); });
}
Result<Prepared> lower_bitwise_or(const LowerArgs& args) {
  return prepare_integer(args, []<class T>(T a, T b) { return static_cast<T>(a | b); });
}
Result<Prepared> lower_bitwise_xor(const LowerArgs& args) {
  return prepare_integer(args, []<class T>(T a, T b) { return static_cast<T>(a ^ b); });
}

template <class T>
bool beyond_width(T shift) {
  return shift < T{0} || static_cast<std::uint64_t>(shift) >= sizeof(T) * 8;
}

struct ShiftLeft {
  template <class T>
  T operator()(T x, T shift) const {
    if (beyond_width(shift)) return T{0};
    return static_cast<T>(static_cast<std::uint64_t>(x) << static_cast<std::uint64_t>(shift));
  }
};

struct ShiftRight {
  template <class T>
  T operator()(T x, T shift) const {
    if (beyond_width(shift)) return x < T{0} ? static_cast<T>(-1) : T{0};
    return static_cast<T>(x >> shift);
  }
};

Result<Inferred> infer_bit_shift(const NodeArgs& args) {
  const std::string direction = args.attributes().get_string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return Error{ErrorCode::kInvalidInput, "attribute 'direction' is neither 'LEFT' nor 'RIGHT'"};
  }
  return infer_binary(args, kIntegers);
}

Result<Prepared> lower_bit_shift(const LowerArgs& args) {
  if (args.attributes().get_string("direction", "") == "LEFT") return prepare_integer(args, ShiftLeft{});
  return prepare_integer(args, ShiftRight{});
}

Result<Inferred> infer_where(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kBoolOnly); !ok.ok()) return ok.error();
  if (const auto ok = check_same_dtype(args, 1, 2); !ok.ok()) return ok.error();
  const DType dtype = args.type(1).dtype;
  Result<Shape> shape = broadcast_operands(args, dtype);
  if (!shape.ok()) return shape.error();
  return Inferred::one({dtype, std::move(shape).value()});
}

template <class T>
void run_where(const BroadcastPlan& plan, const std::uint8_t* condition, const T* x, const T* y, T* z) {
  const std::int64_t step_condition = plan.inner_strides[0];
  const std::int64_t step_x = plan.inner_strides[1];
  const std::int64_t step_y = plan.inner_strides[2];
  plan.for_each_row([&](std::int64_t at, const std::array<std::int64_t, BroadcastPlan::kMaxOperands>& from) {
    for (std::int64_t i = 0; i < plan.inner; ++i) {
      const T chosen_if = x[from[1] + i * step_x];
      const T chosen_else = y[from[2] + i * step_y];
      z[at + i] = condition[from[0] + i * step_condition] != 0 ? chosen_if : chosen_else;
    }
  });
}

Result<Prepared> lower_where(const LowerArgs& args) {
  const std::array<const Shape*, 3> operands = {&args.shape(0), &args.shape(1), &args.shape(2)};
  return Prepared{
      .run = [plan = plan_broadcast(args.outputs[0].shape, operands)](const KernelIo& io) -> Result<void> {
        if (!has_output(io)) return {};
        const std::uint8_t* condition = bool_bytes(io.inputs[0]);
        visit_dtype(io.outputs[0].dtype(), [&]<class T>() {
          if constexpr (std::is_same_v<T, bool>) {
            run_where(plan, condition, bool_bytes(io.inputs[1]), bool_bytes(io.inputs[2]), bool_bytes(io.outputs[0]));
          } else {
            run_where(plan, condition, io.inputs[1].data<T>(), io.inputs[2].data<T>(), io.outputs[0].data<T>());
          }
        });
        return {};
      },
      .scratch_bytes = 0,
      .clamps = false};
}

constexpr OpDef predicate(std::string_view type, int since_opset, Result<Inferred> (*infer)(const NodeArgs&),
                          Result<Prepared> (*lower)(const LowerArgs&), bool in_place) {
  return {.type = type,
          .since_opset = since_opset,
          .operand_count = {2, 2},
          .in_place = in_place,
          .infer = infer,
          .lower_float = lower};
}

/// A predicate on the order of two numbers.
constexpr OpDef comparison(std::string_view type, int since_opset, Result<Inferred> (*infer)(const NodeArgs&),
                           Result<Prepared> (*lower)(const LowerArgs&), bool in_place) {
  OpDef op = predicate(type, since_opset, infer, lower, in_place);
  op.compares_values = true;
  return op;
}

}  // namespace

std::span<const OpDef> logic_ops() {
  static const OpDef ops[] = {
      predicate("And", 7, infer_binary<kBoolOnly>, lower_and, true),
      predicate("Or", 7, infer_binary<kBoolOnly>, lower_or, true),
      predicate("Xor", 7, infer_binary<kBoolOnly>, lower_xor, true),
      comparison("Equal", 11, infer_comparison<kAnyType>, lower_equal, true),
      comparison("Less", 9, infer_comparison<kNumbers>, lower_less, false),
      comparison("Greater", 9, infer_comparison<kNumbers>, lower_greater, false),
      comparison("LessOrEqual", 12, infer_comparison<kNumbers>, lower_less_or_equal, false),
      comparison("GreaterOrEqual", 12, infer_comparison<kNumbers>, lower_greater_or_equal, false),
      predicate("BitwiseAnd", 18, infer_binary<kIntegers>, lower_bitwise_and, true),
      predicate("BitwiseOr", 18, infer_binary<kIntegers>, lower_bitwise_or, true),
      predicate("BitwiseXor", 18, infer_binary<kIntegers>, lower_bitwise_xor, true),
      predicate("BitShift", 11, infer_bit_shift, lower_bit_shift, true),
      {.type = "Where",
       .since_opset = 9,
       .operand_count = {3, 3},
       .output_rule = OutputRule::kSameAsInputs,
       .has_integer_form = true,
       .operands = {{OperandRole::kPlain, OperandRole::kData, OperandRole::kData}},
       .infer = infer_where,
       .lower_float = lower_where},
  };
  return ops;
}

}  // namespace halfstep::ops
