// unary.hpp: what the files of the unary family share.
#pragma once

#include <cmath>
#include <type_traits>

#include "ops/elementwise/unary_fixed.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/broadcast.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {

/// One operand of a type in kTypes; the output has the same type.
template <const DTypeSet& kTypes>
Result<Inferred> infer_unary(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kTypes); !ok.ok()) return ok.error();
  return Inferred::one(args.type(0));
}

/// y[i] = f(x[i]) on the elements of this part; float32.
template <class F>
void map_share(const KernelIo& io, const F& f) {
  const Share share = share_of_elements(io, io.inputs[0].num_elements());
  vector_math::apply(io.inputs[0].data<float>() + share.begin, io.outputs[0].data<float>() + share.begin,
                     share.end - share.begin, f);
}

/// y[i] = f(x[i]) on float32.
template <class F>
Prepared map_float(F f) {
  return {.run = [f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            map_share(io, f);
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false,
          .splits = true};
}

/// The same where f needs no parameter.
template <float (*kFunction)(float)>
Result<Prepared> lower_map(const LowerArgs&) {
  return map_float([](float x) { return kFunction(x); });
}

/// y[i] = f(x[i]) on any type but bool; f.operator()<T>(T) for each.
template <class F>
Prepared map_numbers(F f) {
  return {.run = [f](const KernelIo& io) -> Result<void> {
            if (!has_output(io)) return {};
            const ConstView& x = io.inputs[0];
            visit_dtype(x.dtype(), [&]<class T>() {
              if constexpr (std::is_same_v<T, float>) {
                map_share(io, f);
              } else if constexpr (!std::is_same_v<T, bool>) {
                if (io.part != 0) return;
                const T* from = x.data<T>();
                T* to = io.outputs[0].data<T>();
                const std::int64_t count = x.num_elements();
                for (std::int64_t i = 0; i < count; ++i) to[i] = f(from[i]);
              }
            });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = false,
          .splits = true};
}

/// -x, wrapping: the smallest integer is its own negative.
template <class T>
T wrapping_negate(T x) {
  if constexpr (std::is_same_v<T, float>) {
    return -x;
  } else {
    return static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(x));
  }
}

/// Definitions of activation functions, unary_activation.cpp.
std::span<const OpDef> activation_ops();
/// Definitions of mathematical functions and predicates, unary_math.cpp.
std::span<const OpDef> math_ops();

/// A unary function of real numbers whose output needs a range of its own.
constexpr OpDef unary_function(std::string_view type, int since_opset, Result<Inferred> (*infer)(const NodeArgs&),
                               Result<Prepared> (*lower)(const LowerArgs&)) {
  return {.type = type,
          .since_opset = since_opset,
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .in_place = true,
          .keeps_channels_apart = true,
          .infer = infer,
          .lower_float = lower,
          .lower_fixed = lower_unary_fixed};
}

/// A unary function whose range is [min, max] by mathematics.
constexpr OpDef unary_function(std::string_view type, int since_opset, float min, float max,
                               Result<Inferred> (*infer)(const NodeArgs&),
                               Result<Prepared> (*lower)(const LowerArgs&)) {
  OpDef op = unary_function(type, since_opset, infer, lower);
  op.output_rule = OutputRule::kFixed;
  op.fixed_min = min;
  op.fixed_max = max;
  return op;
}

}  // namespace halfstep::ops
