// quantize_linear_conv.cpp: ConvInteger and QLinearConv, as plain reference loops; ConvInteger by products of packed
// integers where sums are known to fit.
#include <algorithm>
#include <string>

#include "ops/linear/conv_geometry.hpp"
#include "ops/linear/conv_integer.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/broadcast.hpp"
#include "ops/shared/quantize_linear.hpp"

namespace halfstep::ops {
namespace {

constexpr DTypeSet kByteTypes{DType::kInt8, DType::kUint8};

/// The operands' positions; kNone: the operator has none.
struct Roles {
  static constexpr std::size_t kNone = 99;
  std::size_t weight = 1;
  std::size_t x_zero_point = 2;
  std::size_t w_zero_point = 3;
  std::size_t bias = kNone;
};
constexpr Roles kConvIntegerRoles{};
constexpr Roles kQLinearRoles{.weight = 3, .x_zero_point = 2, .w_zero_point = 5, .bias = 8};

ConstView operand(const KernelIo& io, std::size_t i) { return i < io.inputs.size() ? io.inputs[i] : ConstView{}; }

Result<void> check_per_channel(const NodeArgs& args, std::size_t i, std::int64_t channels, const char* role) {
  if (!args.has(i) || args.shape(i).num_elements() == 1 || args.shape(i) == Shape{channels}) return {};
  return Error{ErrorCode::kInvalidInput, std::string(role) + " has shape " + to_string(args.shape(i)) +
                                             ", expected a scalar or [" + std::to_string(channels) + "]"};
}

Result<ConvGeometry> integer_geometry(const NodeArgs& args, const Roles& roles) {
  for (const std::size_t i : {std::size_t{0}, roles.weight}) {
    if (const auto ok = check_dtype(args, i, kByteTypes); !ok.ok()) return ok.error();
  }
  const FloatLikeArgs real(args, roles.weight);
  Result<ConvGeometry> g = conv_geometry(real.args());
  if (!g.ok()) return g;
  if (args.has(roles.x_zero_point)) {
    if (const auto ok = check_same_dtype(args, 0, roles.x_zero_point); !ok.ok()) return ok.error();
    if (const auto ok = check_single(args, roles.x_zero_point, "input zero point"); !ok.ok()) return ok.error();
  }
  if (args.has(roles.w_zero_point)) {
    if (const auto ok = check_same_dtype(args, roles.weight, roles.w_zero_point); !ok.ok()) return ok.error();
    const auto ok = check_per_channel(args, roles.w_zero_point, g->out_channels, "weight zero point");
    if (!ok.ok()) return ok.error();
  }
  if (const auto ok = check_shape(g->output_shape(), DType::kInt32); !ok.ok()) return ok.error();
  return g;
}

/// Sums products of one window; integers wrap. Padding counts as the zero point, so adds nothing.
std::int32_t window_sum(const ConvGeometry& g, const ConstView& x, const ConstView& w, std::int32_t x_zero_point,
                        std::int32_t w_zero_point, std::int64_t n, std::int64_t channel,
                        const std::array<std::int64_t, 3>& at) {
  const std::int64_t channels = g.in_channels / g.groups;
  const std::int64_t first_channel = channel / (g.out_channels / g.groups) * channels;
  std::uint32_t sum = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t plane = (n * g.in_channels + first_channel + c) * g.in_size();
    std::int64_t tap = (channel * channels + c) * g.kernel_size();
    for (std::int64_t k0 = 0; k0 < g.kernel[0]; ++k0) {
      const std::int64_t p0 = at[0] * g.stride[0] - g.pad[0] + k0 * g.dilation[0];
      for (std::int64_t k1 = 0; k1 < g.kernel[1]; ++k1) {
        const std::int64_t p1 = at[1] * g.stride[1] - g.pad[1] + k1 * g.dilation[1];
        for (std::int64_t k2 = 0; k2 < g.kernel[2]; ++k2, ++tap) {
          const std::int64_t p2 = at[2] * g.stride[2] - g.pad[2] + k2 * g.dilation[2];
          if (p0 < 0 || p0 >= g.in[0] || p1 < 0 || p1 >= g.in[1] || p2 < 0 || p2 >= g.in[2]) continue;
          const std::int64_t from = plane + (p0 * g.in[1] + p1) * g.in[2] + p2;
          // Each factor has 9 bits and a sign: the product fits 32 bits.
          const std::int32_t product = (integer_at(x, from) - x_zero_point) * (integer_at(w, tap) - w_zero_point);
          sum += static_cast<std::uint32_t>(product);
        }
      }
    }
  }
  return static_cast<std::int32_t>(sum);
}

/// Calls finish(output index, channel, accumulator) for every output element.
template <class F>
void for_each_output(const ConvGeometry& g, const Roles& roles, const KernelIo& io, const F& finish) {
  const ConstView x = operand(io, 0);
  const ConstView w = operand(io, roles.weight);
  const ConstView w_zero_points = operand(io, roles.w_zero_point);
  const ConstView bias = operand(io, roles.bias);
  const std::int32_t x_zero_point = integer_at(operand(io, roles.x_zero_point), 0);
  const bool per_channel = w_zero_points.present() && w_zero_points.num_elements() > 1;
  std::int64_t index = 0;
  std::array<std::int64_t, 3> at = {};
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t channel = 0; channel < g.out_channels; ++channel) {
      const std::int32_t w_zero_point = integer_at(w_zero_points, per_channel ? channel : 0);
      const std::uint32_t start =
          bias.present() ? static_cast<std::uint32_t>(bias.data<std::int32_t>()[channel]) : std::uint32_t{0};
      for (at[0] = 0; at[0] < g.out[0]; ++at[0]) {
        for (at[1] = 0; at[1] < g.out[1]; ++at[1]) {
          for (at[2] = 0; at[2] < g.out[2]; ++at[2]) {
            const std::int32_t sum = window_sum(g, x, w, x_zero_point, w_zero_point, n, channel, at);
            finish(index++, channel, static_cast<std::int32_t>(start + static_cast<std::uint32_t>(sum)));
          }
        }
      }
    }
  }
}

Result<Inferred> infer_conv_integer(const NodeArgs& args) {
  const Result<ConvGeometry> g = integer_geometry(args, kConvIntegerRoles);
  if (!g.ok()) return g.error();
  return Inferred::one({DType::kInt32, g->output_shape()});
}

Result<Prepared> lower_conv_integer(const LowerArgs& args) {
  const Result<ConvGeometry> geometry = integer_geometry(args, kConvIntegerRoles);
  if (!geometry.ok()) return geometry.error();
  if (window_fits_int32(*geometry) && geometry->output_shape().num_elements() > 0) {
    return Prepared{.run = [g = *geometry](const KernelIo& io) -> Result<void> {
                      if (!has_output(io)) return {};
                      const ByteConv conv{io.inputs[0], io.inputs[1], integer_at(operand(io, 2), 0), operand(io, 3)};
                      convolve_bytes(g, conv, io.scratch.data(), io.outputs[0].data<std::int32_t>());
                      return {};
                    },
                    .scratch_bytes = convolve_bytes_scratch(*geometry),
                    .clamps = false};
  }
  return Prepared{.run = [g = *geometry](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    std::int32_t* y = io.outputs[0].data<std::int32_t>();
                    for_each_output(g, kConvIntegerRoles, io,
                                    [y](std::int64_t i, std::int64_t, std::int32_t sum) { y[i] = sum; });
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

Result<Inferred> infer_qlinear_conv(const NodeArgs& args) {
  for (const std::size_t i : {1U, 4U, 6U}) {
    if (const auto ok = check_dtype(args, i, kFloatOnly); !ok.ok()) return ok.error();
  }
  if (const auto ok = check_dtype(args, 7, kByteTypes); !ok.ok()) return ok.error();
  const Result<ConvGeometry> g = integer_geometry(args, kQLinearRoles);
  if (!g.ok()) return g.error();
  if (const auto ok = check_single(args, 1, "input scale"); !ok.ok()) return ok.error();
  if (const auto ok = check_single(args, 6, "output scale"); !ok.ok()) return ok.error();
  if (const auto ok = check_single(args, 7, "output zero point"); !ok.ok()) return ok.error();
  if (const auto ok = check_per_channel(args, 4, g->out_channels, "weight scale"); !ok.ok()) return ok.error();
  if (args.has(8) && (args.type(8).dtype != DType::kInt32 || args.shape(8) != Shape{g->out_channels})) {
    return Error{ErrorCode::kInvalidInput,
                 "bias is " + to_string(args.type(8)) + ", expected int32[" + std::to_string(g->out_channels) + "]"};
  }
  return Inferred::one({args.type(7).dtype, g->output_shape()});
}

template <class Y>
void run_qlinear_conv(const ConvGeometry& g, const KernelIo& io) {
  const float x_scale = *io.inputs[1].data<float>();
  const std::span<const float> w_scales = io.inputs[4].values<float>();
  const float y_scale = *io.inputs[6].data<float>();
  const std::int32_t y_zero_point = integer_at(io.inputs[7], 0);
  Y* y = io.outputs[0].data<Y>();
  for_each_output(g, kQLinearRoles, io, [&](std::int64_t i, std::int64_t channel, std::int32_t sum) {
    const float w_scale = w_scales[w_scales.size() > 1 ? static_cast<std::size_t>(channel) : 0];
    y[i] = quantize_ratio<Y>(static_cast<float>(sum) * (x_scale * w_scale / y_scale), y_zero_point);
  });
}

Result<Prepared> lower_qlinear_conv(const LowerArgs& args) {
  const Result<ConvGeometry> geometry = integer_geometry(args, kQLinearRoles);
  if (!geometry.ok()) return geometry.error();
  return Prepared{.run = [g = *geometry](const KernelIo& io) -> Result<void> {
                    if (!has_output(io)) return {};
                    if (io.outputs[0].dtype() == DType::kInt8) {
                      run_qlinear_conv<std::int8_t>(g, io);
                    } else {
                      run_qlinear_conv<std::uint8_t>(g, io);
                    }
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

}  // namespace

std::span<const OpDef> integer_conv_ops() {
  static const OpDef ops[] = {
      {.type = "ConvInteger",
       .since_opset = 10,
       .operand_count = {2, 4},
       .multiplies_work = true,
       .infer = infer_conv_integer,
       .lower_float = lower_conv_integer},
      {.type = "QLinearConv",
       .since_opset = 10,
       .operand_count = {8, 9},
       .multiplies_work = true,
       .infer = infer_qlinear_conv,
       .lower_float = lower_qlinear_conv},
  };
  return ops;
}

}  // namespace halfstep::ops
