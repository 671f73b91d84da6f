// binary_pow.cpp: Pow and Mod.
#include <string>

#include "ops/elementwise/binary.hpp"
#include "ops/elementwise/cast.hpp"
#include "ops/elementwise/unary_fixed.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

/// x to the power n by squaring; integers wrap. Zero or one by a negative n
/// where the true value is a fraction or infinite: 0, and the largest T for 0.
template <class T, class N>
T integer_power(T x, N n) {
  if constexpr (std::is_signed_v<N>) {
    if (n < 0) {
      if (x == T{1}) return T{1};
      if (x == T{-1}) return n % 2 == 0 ? T{1} : T{-1};
      return x == T{0} ? std::numeric_limits<T>::max() : T{0};
    }
  }
  std::uint64_t result = 1;
  auto square = static_cast<std::uint64_t>(x);
  for (auto rest = static_cast<std::uint64_t>(n); rest != 0; rest >>= 1) {
    if ((rest & 1U) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

template <class T, class N>
T power(T x, N n) {
  if constexpr (std::is_same_v<T, float> && std::is_same_v<N, float>) {
    return std::pow(x, n);
  } else if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(n)));
  } else if constexpr (std::is_same_v<N, float>) {
    return convert_saturated<T>(std::pow(static_cast<double>(x), static_cast<double>(n)));
  } else {
    return integer_power(x, n);
  }
}

/// The exponents that models use, without a call per element. False: not one of them.
bool simple_power(const float* x, float exponent, float* y, std::int64_t count) {
  if (exponent == 2.0F) {
    vector_math::apply(x, y, count, [](float v) { return v * v; });
  } else if (exponent == 1.0F) {
    vector_math::apply(x, y, count, [](float v) { return v; });
  } else if (exponent == 3.0F) {
    vector_math::apply(x, y, count, [](float v) { return v * v * v; });
  } else if (exponent == -1.0F) {
    vector_math::apply(x, y, count, [](float v) { return 1.0F / v; });
  } else {
    return false;
  }
  return true;
}

constexpr DTypeSet kPowBases{DType::kFloat32, DType::kInt32, DType::kInt64};

Result<Inferred> infer_pow(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kPowBases); !ok.ok()) return ok.error();
  if (const auto ok = check_dtype(args, 1, kNumbers); !ok.ok()) return ok.error();
  Result<Shape> shape = broadcast_operands(args, args.type(0).dtype);
  if (!shape.ok()) return shape.error();
  return Inferred::one({args.type(0).dtype, std::move(shape).value()});
}

template <class T>
void run_pow(const BroadcastPlan& plan, const KernelIo& io) {
  const ConstView& exponent = io.inputs[1];
  visit_dtype(exponent.dtype(), [&]<class N>() {
    if constexpr (!std::is_same_v<N, bool>) {
      broadcast_apply(plan, io.inputs[0].data<T>(), exponent.data<N>(), io.outputs[0].data<T>(),
                      [](T x, N n) { return power(x, n); });
    }
  });
}

Result<Prepared> lower_pow(const LowerArgs& args) {
  return Prepared{.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1))](
                             const KernelIo& io) -> Result<void> {
                    if (!has_output(io) || plan.count == 0) return {};
                    const DType base = io.inputs[0].dtype();
                    if (base == DType::kInt32) {
                      run_pow<std::int32_t>(plan, io);
                    } else if (base == DType::kInt64) {
                      run_pow<std::int64_t>(plan, io);
                    } else {
                      const ConstView& exponent = io.inputs[1];
                      const bool scalar = exponent.num_elements() == 1 && exponent.dtype() == DType::kFloat32;
                      if (!scalar || !simple_power(io.inputs[0].data<float>(), *exponent.data<float>(),
                                                   io.outputs[0].data<float>(), plan.count)) {
                        run_pow<float>(plan, io);
                      }
                    }
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

/// The remainder of truncating division: the sign of a.
struct TruncatedRemainder {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_signed_v<T>) {
      return b == T{-1} ? T{0} : static_cast<T>(a % b);  // The smallest integer by -1 would trap.
    } else {
      return static_cast<T>(a % b);
    }
  }
};

/// The remainder of flooring division: the sign of b.
struct FlooredRemainder {
  template <class T>
  T operator()(T a, T b) const {
    const T rest = TruncatedRemainder{}(a, b);
    if constexpr (std::is_same_v<T, float>) {
      if (rest == 0.0F) return std::copysign(0.0F, b);
      return (rest < 0.0F) != (b < 0.0F) ? rest + b : rest;
    } else if constexpr (std::is_signed_v<T>) {
      return rest != T{0} && (rest < T{0}) != (b < T{0}) ? static_cast<T>(rest + b) : rest;
    } else {
      return rest;
    }
  }
};

template <class F>
Prepared prepare_mod(const LowerArgs& args) {
  return {.run = [plan = plan_broadcast(args.outputs[0].shape, args.shape(0), args.shape(1))](
                     const KernelIo& io) -> Result<void> {
            if (!has_output(io) || plan.count == 0) return {};
            if (const auto ok = check_divisor(io.inputs[1], "modulo"); !ok.ok()) return ok;
            visit_dtype(io.outputs[0].dtype(), [&]<class T>() {
              if constexpr (!std::is_same_v<T, bool>) {
                broadcast_apply(plan, io.inputs[0].data<T>(), io.inputs[1].data<T>(), io.outputs[0].data<T>(), F{});
              }
            });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false};
}

Result<Prepared> lower_mod(const LowerArgs& args) {
  if (args.attributes().get_int("fmod", 0) != 0) return prepare_mod<TruncatedRemainder>(args);
  return prepare_mod<FlooredRemainder>(args);
}

}  // namespace

std::span<const OpDef> pow_ops() {
  static const OpDef ops[] = {
      {.type = "Pow",
       .since_opset = 12,
       .operand_count = {2, 2},
       .output_rule = OutputRule::kObserved,
       .has_integer_form = true,
       .in_place = true,
       .partial = true,
       .infer = infer_pow,
       .lower_float = lower_pow,
       .lower_fixed = lower_unary_fixed},
      {.type = "Mod",
       .since_opset = 10,
       .operand_count = {2, 2},
       .output_rule = OutputRule::kObserved,
       .in_place = true,
       .infer = infer_binary<kNumbers>,
       .lower_float = lower_mod},
  };
  return ops;
}

}  // namespace halfstep::ops
