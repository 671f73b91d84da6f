// conv.cpp: convolution, and the list of the convolution family.
#include "kernels/conv.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "kernels/depthwise.hpp"
#include "kernels/gemm.hpp"
#include "kernels/im2col.hpp"
#include "kernels/winograd.hpp"
#include "ops/families.hpp"
#include "ops/linear/conv_geometry.hpp"
#include "ops/linear/conv_int.hpp"
#include "ops/linear/product_share.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// Kernels that would need more scratch than this (huge dilations) go through im2col, whose scratch is bounded.
constexpr std::size_t kMaxDepthwiseScratch = 4 * 1024 * 1024;
constexpr std::size_t kMaxConvScratch = 64 * 1024 * 1024;

Result<Inferred> infer_conv(const NodeArgs& args) {
  const Result<ConvGeometry> geometry = conv_geometry(args);
  if (!geometry.ok()) return geometry.error();
  return Inferred::one({DType::kFloat32, geometry->output_shape()});
}

const float* bias_of(const KernelIo& io) {
  return io.inputs.size() > 2 && io.inputs[2].present() ? io.inputs[2].data<float>() : nullptr;
}

// The product that makes the output channels of one group from laid out columns.
kernels::Gemm group_product(const ConvGeometry& g, const ClampBounds& clamp) {
  kernels::Gemm product;
  product.m = g.out_channels / g.groups;
  product.k = g.in_channels / g.groups * g.kernel_size();
  product.a_stride = product.k;
  product.c_stride = g.out_size();
  product.clamp_min = clamp.min;
  product.clamp_max = clamp.max;
  return product;
}

// Calls f(image, group, input of the group, product with a, c and bias set).
template <class F>
void for_each_group(const ConvGeometry& g, const KernelIo& io, kernels::Gemm product, F&& f) {
  const float* x = io.inputs[0].data<float>();
  const float* weight = io.inputs[1].data<float>();
  const float* bias = bias_of(io);
  float* y = io.outputs[0].data<float>();
  const std::int64_t input_size = g.in_channels / g.groups * g.in_size();
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t group = 0; group < g.groups; ++group) {
      product.a = weight + group * product.m * product.k;
      product.row_bias = bias == nullptr ? nullptr : bias + group * product.m;
      product.c = y + (n * g.groups + group) * product.m * g.out_size();
      f(x + (n * g.groups + group) * input_size, product);
    }
  }
}

bool is_pointwise(const ConvGeometry& g) {
  constexpr std::array<std::int64_t, 3> kOnes = {1, 1, 1};
  return g.kernel == kOnes && g.stride == kOnes && g.in == g.out && g.pad == std::array<std::int64_t, 3>{};
}

Prepared pointwise(const ConvGeometry& g, const ClampBounds& clamp) {
  return {.run = [g, clamp](const KernelIo& io) -> Result<void> {
            kernels::Gemm product = group_product(g, clamp);
            product.n = g.out_size();
            product.b_stride = g.out_size();
            for_each_group(g, io, product, [&io](const float* x, kernels::Gemm& p) {
              p.b = x;
              take_share(io, p);
              kernels::gemm(p);
            });
            return {};
          },
          .scratch_bytes = 0,
          .clamps = true,
          .splits = true};
}

Prepared by_columns(const ConvGeometry& g, const ClampBounds& clamp) {
  const std::int64_t column_floats = g.in_channels / g.groups * g.kernel_size();
  const std::int64_t tile = tile_columns(g.out_size(), column_floats);
  const kernels::Windows windows{
      .image = g.in, .steps = g.out, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
  return {.run = [g, clamp, windows, tile](const KernelIo& io) -> Result<void> {
            auto* columns = reinterpret_cast<float*>(io.scratch.data());
            const std::int64_t num_columns = g.out_size();
            for_each_group(g, io, group_product(g, clamp), [&](const float* x, const kernels::Gemm& group) {
              for (std::int64_t first = 0; first < num_columns; first += tile) {
                const std::int64_t last = std::min(num_columns, first + tile);
                kernels::im2col(windows, x, g.in_channels / g.groups, first, last, columns);
                kernels::Gemm product = group;
                product.n = last - first;
                product.b = columns;
                product.b_stride = product.n;
                product.c = group.c + first;
                kernels::gemm(product);
              }
            });
            return {};
          },
          .scratch_bytes = static_cast<std::size_t>(tile * column_floats) * sizeof(float),
          .clamps = true};
}

// One group; operands and the part of the output are set for each run.
kernels::Conv conv_args(const ConvGeometry& g, const ClampBounds& clamp) {
  kernels::Conv args;
  args.in_channels = g.in_channels / g.groups;
  args.out_channels = g.out_channels / g.groups;
  args.in_h = g.in[1];
  args.in_w = g.in[2];
  args.out_h = g.out[1];
  args.out_w = g.out[2];
  args.kernel_h = g.kernel[1];
  args.kernel_w = g.kernel[2];
  args.stride_h = g.stride[1];
  args.stride_w = g.stride[2];
  args.dilation_h = g.dilation[1];
  args.dilation_w = g.dilation[2];
  args.pad_top = g.pad[1];
  args.pad_left = g.pad[2];
  args.clamp_min = clamp.min;
  args.clamp_max = clamp.max;
  return args;
}

// This part's share of positions, or of channels where there are few positions.
void take_conv_share(const KernelIo& io, kernels::Conv& args) {
  const std::int64_t positions = args.out_h * args.out_w;
  args.last = positions;
  if (shares_columns(io, positions)) {
    const Share share = share_of(io, positions, kernels::kColumnGranule);
    args.first = share.begin;
    args.last = share.end;
    return;
  }
  const Share share = share_of(io, args.out_channels, kRowGranule);
  args.out_channels = share.end - share.begin;
  args.weight += share.begin * args.in_channels * args.kernel_h * args.kernel_w;
  args.output += share.begin * positions;
  if (args.bias != nullptr) args.bias += share.begin;
}

Prepared by_panels(const ConvGeometry& g, const ClampBounds& clamp) {
  return {.run = [g, clamp](const KernelIo& io) -> Result<void> {
            for_each_group(g, io, group_product(g, clamp), [&](const float* x, const kernels::Gemm& group) {
              kernels::Conv args = conv_args(g, clamp);
              args.input = x;
              args.weight = group.a;
              args.bias = group.row_bias;
              args.output = group.c;
              take_conv_share(io, args);
              if (args.out_channels > 0) kernels::conv(args, reinterpret_cast<float*>(io.scratch.data()));
            });
            return {};
          },
          .scratch_bytes = kernels::conv_scratch_bytes(conv_args(g, clamp)),
          .clamps = true,
          .splits = true};
}

// This part's share of bands of rows, or of channels where there are few bands: those transform the whole input.
kernels::WinogradPart winograd_share(const KernelIo& io, const kernels::Conv& args) {
  const std::int64_t num_bands = kernels::winograd_bands(args);
  if (num_bands >= 2 * io.num_parts) {
    const Share bands = share_of(io, num_bands);
    return {0, args.out_channels, bands.begin, bands.end};
  }
  const Share channels = share_of(io, args.out_channels, kernels::kWinogradRows);
  if (channels.begin == channels.end) return {};
  return {channels.begin, channels.end, 0, num_bands};
}

// Constant 3x3 weights, transformed here once.
Prepared by_tiles(const ConvGeometry& g, const ClampBounds& clamp, const Tensor& weight) {
  kernels::Conv group = conv_args(g, clamp);
  const std::int64_t group_floats = group.out_channels * group.in_channels * 9;
  auto transformed = std::make_shared<std::vector<std::vector<float>>>();
  for (std::int64_t i = 0; i < g.groups; ++i) {
    group.weight = weight.data<float>() + i * group_floats;
    transformed->push_back(kernels::transform_winograd_weight(group));
  }
  return {.run = [g, clamp, transformed](const KernelIo& io) -> Result<void> {
            std::size_t index = 0;
            for_each_group(g, io, group_product(g, clamp), [&](const float* x, const kernels::Gemm& product) {
              kernels::Conv args = conv_args(g, clamp);
              args.input = x;
              args.bias = product.row_bias;
              args.output = product.c;
              const std::vector<float>& u = (*transformed)[index++ % transformed->size()];
              kernels::winograd(args, u.data(), winograd_share(io, args), reinterpret_cast<float*>(io.scratch.data()));
            });
            return {};
          },
          .scratch_bytes = kernels::winograd_scratch_bytes(group),
          .clamps = true,
          .splits = true};
}

kernels::Depthwise depthwise_args(const ConvGeometry& g, const ClampBounds& clamp) {
  return {.channels = g.in_channels,
          .multiplier = g.out_channels / g.in_channels,
          .in_h = g.in[1],
          .in_w = g.in[2],
          .out_h = g.out[1],
          .out_w = g.out[2],
          .kernel_h = g.kernel[1],
          .kernel_w = g.kernel[2],
          .stride_h = g.stride[1],
          .stride_w = g.stride[2],
          .dilation_h = g.dilation[1],
          .dilation_w = g.dilation[2],
          .pad_top = g.pad[1],
          .pad_left = g.pad[2],
          .input = nullptr,
          .filter = nullptr,
          .bias = nullptr,
          .output = nullptr,
          .clamp_min = clamp.min,
          .clamp_max = clamp.max};
}

bool is_depthwise(const ConvGeometry& g) { return g.groups == g.in_channels && g.num_axes <= 2; }

Prepared channel_by_channel(const ConvGeometry& g, const ClampBounds& clamp) {
  return {.run = [g, clamp](const KernelIo& io) -> Result<void> {
            kernels::Depthwise args = depthwise_args(g, clamp);
            const Share share = share_of(io, g.in_channels);
            const std::int64_t first_output = share.begin * args.multiplier;
            args.channels = share.end - share.begin;
            args.filter = io.inputs[1].data<float>() + first_output * g.kernel_size();
            args.bias = bias_of(io) == nullptr ? nullptr : bias_of(io) + first_output;
            for (std::int64_t n = 0; n < g.batch; ++n) {
              args.input = io.inputs[0].data<float>() + (n * g.in_channels + share.begin) * g.in_size();
              args.output = io.outputs[0].data<float>() + (n * g.out_channels + first_output) * g.out_size();
              kernels::depthwise(args, reinterpret_cast<float*>(io.scratch.data()));
            }
            return {};
          },
          .scratch_bytes = kernels::depthwise_scratch_bytes(depthwise_args(g, clamp)),
          .clamps = true,
          .splits = true};
}

Result<Prepared> lower_conv(const LowerArgs& args) {
  const Result<ConvGeometry> geometry = conv_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const ConvGeometry& g = *geometry;
  const ClampBounds clamp = clamp_bounds(args.node);
  if (g.output_shape().num_elements() == 0) {
    return Prepared{.run = [](const KernelIo&) -> Result<void> { return {}; }, .scratch_bytes = 0, .clamps = true};
  }
  if (is_depthwise(g)) {
    Prepared direct = channel_by_channel(g, clamp);
    if (direct.scratch_bytes <= kMaxDepthwiseScratch) return direct;
  }
  if (is_pointwise(g)) return pointwise(g, clamp);
  if (g.num_axes <= 2) {
    const bool is_constant = args.value(1) != nullptr && !args.needs_plain_sums;
    if (is_constant && kernels::suits_winograd(conv_args(g, clamp))) return by_tiles(g, clamp, *args.value(1));
    Prepared panels = by_panels(g, clamp);
    if (panels.scratch_bytes <= kMaxConvScratch) return panels;
  }
  return by_columns(g, clamp);
}

int axis_0(const graph::Node&, const Shape&) { return 0; }
int axis_1(const graph::Node&, const Shape&) { return 1; }

constexpr std::array kOps = {
    OpDef{.type = "Conv",
          .since_opset = 1,
          .operand_count = {2, 3},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = kLinearRoles,
          .channels = {.weight_output_axis = &axis_0, .weight_input_axis = &axis_1, .channels_first = true},
          .infer = &infer_conv,
          .lower_float = &lower_conv,
          .lower_fixed = &lower_conv_fixed},
    OpDef{.type = "ConvTranspose",
          .since_opset = 11,
          .operand_count = {2, 3},
          .output_rule = OutputRule::kObserved,
          .has_integer_form = true,
          .operands = kLinearRoles,
          .channels = {.weight_output_axis = &axis_1, .weight_input_axis = &axis_0, .channels_first = true},
          .infer = &infer_conv_transpose,
          .lower_float = &lower_conv_transpose,
          .lower_fixed = &lower_conv_transpose_fixed},
};

}  // namespace

std::span<const OpDef> conv_ops() { return kOps; }

}  // namespace halfstep::ops
