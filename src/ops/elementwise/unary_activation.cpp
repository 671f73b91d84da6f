// unary_activation.cpp: activation functions of neural networks.
#include <string>

#include "kernels/swish.hpp"
#include "ops/elementwise/cast.hpp"
#include "ops/elementwise/unary.hpp"

namespace halfstep::ops {
namespace {

namespace vm = vector_math;
using vm::at_least;
using vm::at_most;
using vm::select;

constexpr DTypeSet kSignedNumbers{DType::kFloat32, DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64};

struct ReluFunction {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, float>) {
      return at_least(x, 0.0F);
    } else {
      return x < T{0} ? T{0} : x;
    }
  }
};

Result<Prepared> lower_relu(const LowerArgs&) { return map_numbers(ReluFunction{}); }

Result<Prepared> lower_leaky_relu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 0.01F);
  return map_float([alpha](float x) { return select(x < 0.0F, alpha * x, x); });
}

Result<Prepared> lower_thresholded_relu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.0F);
  return map_float([alpha](float x) { return select(x > alpha, x, 0.0F); });
}

Result<Prepared> lower_hard_sigmoid(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 0.2F);
  const float beta = args.attributes().get_float("beta", 0.5F);
  return map_float([alpha, beta](float x) { return at_least(at_most(alpha * x + beta, 1.0F), 0.0F); });
}

float hard_swish(float x) { return x * at_least(at_most(x * (1.0F / 6.0F) + 0.5F, 1.0F), 0.0F); }

Result<Prepared> lower_elu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.0F);
  return map_float([alpha](float x) { return select(x < 0.0F, alpha * vm::detail::expm1_to_60(x), x); });
}

Result<Prepared> lower_selu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.67326319217681884765625F);
  const float gamma = args.attributes().get_float("gamma", 1.05070102214813232421875F);
  return map_float([alpha, gamma](float x) { return gamma * select(x > 0.0F, x, alpha * vm::detail::expm1_to_60(x)); });
}

Result<Prepared> lower_celu(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.0F);
  return map_float(
      [alpha](float x) { return at_least(x, 0.0F) + at_most(alpha * vm::detail::expm1_to_60(x / alpha), 0.0F); });
}

float softsign(float x) { return x / (1.0F + vm::detail::abs(x)); }

struct ShrinkFunction {
  float bias;
  float lambd;
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_same_v<T, float>) {
      return select(x < -lambd, x + bias, select(x > lambd, x - bias, x != x ? x : 0.0F));
    } else {
      const auto real = static_cast<double>(x);
      if (real < -lambd) return convert_saturated<T>(real + bias);
      return real > lambd ? convert_saturated<T>(real - bias) : T{0};
    }
  }
};

Result<Prepared> lower_shrink(const LowerArgs& args) {
  return map_numbers(ShrinkFunction{.bias = args.attributes().get_float("bias", 0.0F),
                                    .lambd = args.attributes().get_float("lambd", 0.5F)});
}

Result<Inferred> infer_gelu(const NodeArgs& args) {
  const std::string form = args.attributes().get_string("approximate", "none");
  if (form != "none" && form != "tanh") {
    return Error{ErrorCode::kInvalidInput, "attribute 'approximate' is neither 'none' nor 'tanh'"};
  }
  return infer_unary<kFloatOnly>(args);
}

Result<Prepared> lower_gelu(const LowerArgs& args) {
  if (args.attributes().get_string("approximate", "none") == "tanh") return lower_map<vm::gelu_tanh>(args);
  return lower_map<vm::gelu>(args);
}

Result<Prepared> lower_swish(const LowerArgs& args) {
  const float alpha = args.attributes().get_float("alpha", 1.0F);
  return Prepared{.run = [alpha](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    const Share share = share_of_elements(io, io.inputs[0].num_elements());
                    kernels::swish(io.inputs[0].data<float>() + share.begin, io.outputs[0].data<float>() + share.begin,
                                   share.end - share.begin, alpha);
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false,
                  .splits = true};
}

// Bounds are operands: scalars of the operand's own type, absent or not constant.
Result<Inferred> infer_clip(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kNumbers); !ok.ok()) return ok.error();
  for (const std::size_t i : {1U, 2U}) {
    if (!args.has(i)) continue;
    if (const auto ok = check_same_dtype(args, 0, i); !ok.ok()) return ok.error();
    if (args.shape(i).num_elements() != 1) {
      return Error{ErrorCode::kInvalidInput, "bound has shape " + to_string(args.shape(i)) + ", expected a scalar"};
    }
  }
  return Inferred::one(args.type(0));
}

template <class T>
void clip(const KernelIo& io, T lowest, T highest) {
  const auto bound = [&io](std::size_t i, T fallback) {
    return i < io.inputs.size() && io.inputs[i].present() ? *io.inputs[i].template data<T>() : fallback;
  };
  const T low = bound(1, lowest);
  const T high = bound(2, highest);
  if constexpr (std::is_same_v<T, float>) {
    map_share(io, [low, high](float v) { return at_most(at_least(v, low), high); });
  } else {
    if (io.part != 0) return;
    const T* x = io.inputs[0].data<T>();
    T* y = io.outputs[0].data<T>();
    const std::int64_t count = io.inputs[0].num_elements();
    for (std::int64_t i = 0; i < count; ++i) {
      const T raised = x[i] < low ? low : x[i];
      y[i] = raised > high ? high : raised;
    }
  }
}

Result<Prepared> lower_clip(const LowerArgs&) {
  return Prepared{.run = [](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    visit_dtype(io.inputs[0].dtype(), [&]<class T>() {
                      using Limits = std::numeric_limits<T>;
                      if constexpr (std::is_same_v<T, float>) {
                        clip<T>(io, -Limits::infinity(), Limits::infinity());
                      } else if constexpr (!std::is_same_v<T, bool>) {
                        clip<T>(io, Limits::lowest(), Limits::max());
                      }
                    });
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false,
                  .splits = true};
}

constexpr OpDef clip_op() {
  OpDef op = unary_function("Clip", 11, infer_clip, lower_clip);
  op.operand_count = {1, 3};
  return op;
}

}  // namespace

std::span<const OpDef> activation_ops() {
  static const OpDef ops[] = {
      unary_function("Relu", 6, infer_unary<kSignedNumbers>, lower_relu),
      unary_function("LeakyRelu", 6, infer_unary<kFloatOnly>, lower_leaky_relu),
      unary_function("ThresholdedRelu", 10, infer_unary<kFloatOnly>, lower_thresholded_relu),
      clip_op(),
      unary_function("Sigmoid", 6, 0.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<vm::sigmoid>),
      unary_function("HardSigmoid", 6, 0.0F, 1.0F, infer_unary<kFloatOnly>, lower_hard_sigmoid),
      unary_function("HardSwish", 14, infer_unary<kFloatOnly>, lower_map<hard_swish>),
      unary_function("Tanh", 6, -1.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<vm::tanh>),
      unary_function("Elu", 6, infer_unary<kFloatOnly>, lower_elu),
      unary_function("Selu", 6, infer_unary<kFloatOnly>, lower_selu),
      unary_function("Celu", 12, infer_unary<kFloatOnly>, lower_celu),
      unary_function("Softplus", 1, infer_unary<kFloatOnly>, lower_map<vm::softplus>),
      unary_function("Softsign", 1, -1.0F, 1.0F, infer_unary<kFloatOnly>, lower_map<softsign>),
      unary_function("Shrink", 9, infer_unary<kNumbers>, lower_shrink),
      unary_function("Mish", 18, infer_unary<kFloatOnly>, lower_map<vm::mish>),
      unary_function("Gelu", 20, infer_gelu, lower_gelu),
      unary_function("Swish", 24, infer_unary<kFloatOnly>, lower_swish),
  };
  return ops;
}

}  // namespace halfstep::ops
