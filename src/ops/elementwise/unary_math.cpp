// unary_math.cpp: mathematical functions, rounding and predicates of one tensor.
#include "ops/elementwise/unary.hpp"

namespace halfstep::ops {
namespace {

namespace vm = vector_math;

constexpr DTypeSet kSignedNumbers{DType::kFloat32, DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64};

float square_root(float x) { return std::sqrt(x); }
float reciprocal(float x) { return 1.0F / x; }
float round_down(float x) { return std::floor(x); }
float round_up(float x) { return std::ceil(x); }
float round_half_even(float x) { return std::nearbyint(x); }
float sine(float x) { return std::sin(x); }
float cosine(float x) { return std::cos(x); }
float tangent(float x) { return std::tan(x); }
float arc_sine(float x) { return std::asin(x); }
float arc_cosine(float x) { return std::acos(x); }
float arc_tangent(float x) { return std::atan(x); }
float hyperbolic_sine(float x) { return std::sinh(x); }
float hyperbolic_cosine(float x) { return std::cosh(x); }
float area_sine(float x) { return std::asinh(x); }
float area_cosine(float x) { return std::acosh(x); }
float area_tangent(float x) { return std::atanh(x); }

struct AbsFunction {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, float>) {
      return vm::detail::abs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < T{0} ? wrapping_negate(x) : x;
    } else {
      return x;
    }
  }
};

struct NegFunction {
  template <class T>
  T operator()(T x) const {
    return wrapping_negate(x);
  }
};

struct SignFunction {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, float>) {
      // NaN is neither above nor below zero, and stays NaN.
      return vm::select(x > 0.0F, 1.0F, vm::select(x < 0.0F, -1.0F, x));
    } else {
      return static_cast<T>((x > T{0} ? 1 : 0) - (x < T{0} ? 1 : 0));
    }
  }
};

struct BitwiseNotFunction {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, float>) {
      return x;  // Not reached: infer allows integers only.
    } else {
      return static_cast<T>(~x);
    }
  }
};

template <class F>
Result<Prepared> lower_numbers(const LowerArgs&) {
  return map_numbers(F{});
}

Result<Inferred> infer_predicate(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kFloatOnly); !ok.ok()) return ok.error();
  return Inferred::one({DType::kBool, args.shape(0)});
}

template <class F>
Prepared test_float(F f) {
  return {.run = [f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            const float* x = io.inputs[0].data<float>();
            std::uint8_t* y = bool_bytes(io.outputs[0]);
            const std::int64_t count = io.inputs[0].num_elements();
            for (std::int64_t i = 0; i < count; ++i) y[i] = f(x[i]) ? 1 : 0;
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

Result<Prepared> lower_is_nan(const LowerArgs&) {
  return test_float([](float x) { return x != x; });
}

Result<Prepared> lower_is_inf(const LowerArgs& args) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const bool positive = args.attributes().get_int("detect_positive", 1) != 0;
  const bool negative = args.attributes().get_int("detect_negative", 1) != 0;
  return test_float(
      [positive, negative](float x) { return (positive && x == kInfinity) || (negative && x == -kInfinity); });
}

Result<Prepared> lower_not(const LowerArgs&) {
  return Prepared{.run = [](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    const std::uint8_t* x = bool_bytes(io.inputs[0]);
                    std::uint8_t* y = bool_bytes(io.outputs[0]);
                    const std::int64_t count = io.inputs[0].num_elements();
                    for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] == 0 ? 1 : 0;
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

}  // namespace

/// Not defined for every real number.
constexpr OpDef partial(OpDef op) {
  op.partial = true;
  return op;
}

constexpr OpDef divides(OpDef op) {
  op.divisor = 0;
  return op;
}

std::span<const OpDef> math_ops() {
  static const OpDef ops[] = {
      unary_function("Erf", 9, -1.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<vm::erf>),
      unary_function("Exp", 6, infer_unary<kFloatOnly>, lower_map<vm::exp>),
      partial(unary_function("Log", 6, infer_unary<kFloatOnly>, lower_map<vm::log>)),
      partial(unary_function("Sqrt", 6, infer_unary<kFloatOnly>, lower_map<square_root>)),
      divides(unary_function("Reciprocal", 6, infer_unary<kFloatOnly>, lower_map<reciprocal>)),
      unary_function("Abs", 6, infer_unary<kNumbers>, lower_numbers<AbsFunction>),
      unary_function("Neg", 6, infer_unary<kSignedNumbers>, lower_numbers<NegFunction>),
      unary_function("Sign", 9, infer_unary<kNumbers>, lower_numbers<SignFunction>),
      unary_function("Floor", 6, infer_unary<kFloatOnly>, lower_map<round_down>),
      unary_function("Ceil", 6, infer_unary<kFloatOnly>, lower_map<round_up>),
      unary_function("Round", 11, infer_unary<kFloatOnly>, lower_map<round_half_even>),
      unary_function("Sin", 7, -1.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<sine>),
      unary_function("Cos", 7, -1.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<cosine>),
      unary_function("Tan", 7, infer_unary<kFloatOnly>, lower_map<tangent>),
      partial(unary_function("Asin", 7, infer_unary<kFloatOnly>, lower_map<arc_sine>)),
      partial(unary_function("Acos", 7, infer_unary<kFloatOnly>, lower_map<arc_cosine>)),
      unary_function("Atan", 7, infer_unary<kFloatOnly>, lower_map<arc_tangent>),
      unary_function("Sinh", 9, infer_unary<kFloatOnly>, lower_map<hyperbolic_sine>),
      unary_function("Cosh", 9, infer_unary<kFloatOnly>, lower_map<hyperbolic_cosine>),
      unary_function("Asinh", 9, infer_unary<kFloatOnly>, lower_map<area_sine>),
      partial(unary_function("Acosh", 9, infer_unary<kFloatOnly>, lower_map<area_cosine>)),
      partial(unary_function("Atanh", 9, infer_unary<kFloatOnly>, lower_map<area_tangent>)),
      {.type = "IsNaN",
       .since_opset = 9,
       .keeps_channels_apart = true,
       .infer = infer_predicate,
       .lower_float = lower_is_nan},
      {.type = "IsInf",
       .since_opset = 10,
       .keeps_channels_apart = true,
       .infer = infer_predicate,
       .lower_float = lower_is_inf},
      {.type = "Not",
       .since_opset = 1,
       .in_place = true,
       .keeps_channels_apart = true,
       .infer = infer_unary<kBoolOnly>,
       .lower_float = lower_not},
      {.type = "BitwiseNot",
       .since_opset = 18,
       .in_place = true,
       .keeps_channels_apart = true,
       .infer = infer_unary<kIntegers>,
       .lower_float = lower_numbers<BitwiseNotFunction>},
  };
  return ops;
}

}  // namespace halfstep::ops
