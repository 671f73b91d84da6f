// binary.hpp: what the files of the binary family share: arithmetic on elements of any number type.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/node_args.hpp"
#include "ops/shared/broadcast.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {

// Integers wrap: the 64-bit unsigned result has the right low bits for every
// narrower type, signed or not.
struct AddFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return a + b;
    } else {
      return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    }
  }
};

struct SubFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return a - b;
    } else {
      return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
    }
  }
};

struct MulFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return a * b;
    } else {
      return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    }
  }
};

/// Truncates on integers; the smallest integer by -1 wraps. Requires b != 0 there.
struct DivFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return a / b;
    } else if constexpr (std::is_signed_v<T>) {
      return b == T{-1} ? SubFunction{}(T{0}, a) : static_cast<T>(a / b);
    } else {
      return static_cast<T>(a / b);
    }
  }
};

/// NaN if either is NaN.
struct MinFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return vector_math::select(a != a, a, vector_math::select(b < a || b != b, b, a));
    } else {
      return b < a ? b : a;
    }
  }
};

struct MaxFunction {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, float>) {
      return vector_math::select(a != a, a, vector_math::select(b > a || b != b, b, a));
    } else {
      return b > a ? b : a;
    }
  }
};

/// x, or slope * x where x < 0.
struct PReluFunction {
  template <class T>
  T operator()(T x, T slope) const {
    if constexpr (std::is_same_v<T, float>) {
      return vector_math::select(x < 0.0F, slope * x, x);
    } else {
      return x < T{0} ? MulFunction{}(slope, x) : x;
    }
  }
};

/// y = f(a, b) with broadcasting, a and b of the same number type, which is the output's.
template <class F>
void apply_numbers(const BroadcastPlan& plan, const ConstView& a, const ConstView& b, const MutableView& y,
                   const F& f) {
  visit_dtype(y.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, float>) {
      broadcast_apply_float(plan, a.data<float>(), b.data<float>(), y.data<float>(), f);
    } else if constexpr (!std::is_same_v<T, bool>) {
      broadcast_apply(plan, a.data<T>(), b.data<T>(), y.data<T>(), f);
    }
  });
}

/// What this part computes of it: an equal share of float32 elements if no operand starts again, else part 0
/// everything.
template <class F>
void apply_share(const BroadcastPlan& plan, const KernelIo& io, const F& f) {
  const bool is_float = io.outputs[0].dtype() == DType::kFloat32;
  if (!is_float || !plan.extents.empty()) {
    if (io.part == 0) apply_numbers(plan, io.inputs[0], io.inputs[1], io.outputs[0], f);
    return;
  }
  const Share share = share_of_elements(io, plan.count);
  BroadcastPlan row = plan;
  row.inner = row.count = share.end - share.begin;
  if (row.count == 0) return;
  broadcast_apply_float(row, io.inputs[0].data<float>() + share.begin * plan.inner_strides[0],
                        io.inputs[1].data<float>() + share.begin * plan.inner_strides[1],
                        io.outputs[0].data<float>() + share.begin, f);
}

/// Two operands of one type in `types` that broadcast; the output has that type.
Result<Inferred> infer_binary(const NodeArgs& args, const DTypeSet& types);
template <const DTypeSet& kTypes>
Result<Inferred> infer_binary(const NodeArgs& args) {
  return infer_binary(args, kTypes);
}

/// Errors: kInvalidInput, naming the operation, if an integer divisor is zero.
Result<void> check_divisor(const ConstView& divisor, std::string_view operation);

/// Definitions of Mod and Pow, binary_pow.cpp.
std::span<const OpDef> pow_ops();
/// Definitions of the operators with any number of operands, binary_variadic.cpp.
std::span<const OpDef> variadic_ops();

}  // namespace halfstep::ops
