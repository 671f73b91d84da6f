// conv_transpose.cpp: transposed convolution: a product for each tap, added up where the taps land.
#include <algorithm>

#include "kernels/clamp.hpp"
#include "kernels/gemm.hpp"
#include "kernels/im2col.hpp"
#include "ops/linear/conv_geometry.hpp"

namespace halfstep::ops {
namespace {

void run_conv_transpose(const ConvGeometry& g, const ClampBounds& clamp, std::int64_t tile, const KernelIo& io) {
  // The windows slide over the output; each input element is one position of them.
  const kernels::Windows windows{
      .image = g.out, .steps = g.in, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
  const std::int64_t group_in = g.in_channels / g.groups;
  const std::int64_t group_out = g.out_channels / g.groups;
  const std::int64_t num_columns = g.in_size();
  const float* bias = io.inputs.size() > 2 && io.inputs[2].present() ? io.inputs[2].data<float>() : nullptr;
  const bool clamps = clamp.min > ClampBounds{}.min || clamp.max < ClampBounds{}.max;
  auto* columns = reinterpret_cast<float*>(io.scratch.data());
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t group = 0; group < g.groups; ++group) {
      float* y = io.outputs[0].data<float>() + (n * g.groups + group) * group_out * g.out_size();
      for (std::int64_t m = 0; m < group_out; ++m) {
        std::fill_n(y + m * g.out_size(), g.out_size(), bias == nullptr ? 0.0F : bias[group * group_out + m]);
      }
      kernels::Gemm product;
      product.m = group_out * g.kernel_size();
      product.k = group_in;
      product.a = io.inputs[1].data<float>() + group * group_in * product.m;
      product.a_stride = product.m;
      product.a_order = kernels::Order::kColumns;
      product.b_stride = num_columns;
      product.c = columns;
      for (std::int64_t first = 0; first < num_columns; first += tile) {
        const std::int64_t last = std::min(num_columns, first + tile);
        product.n = last - first;
        product.b = io.inputs[0].data<float>() + (n * g.groups + group) * group_in * num_columns + first;
        product.c_stride = product.n;
        kernels::gemm(product);
        kernels::col2im_add(windows, columns, group_out, first, last, y);
      }
      if (clamps) kernels::clamp_in_place(y, group_out * g.out_size(), clamp.min, clamp.max);
    }
  }
}

}  // namespace

Result<Inferred> infer_conv_transpose(const NodeArgs& args) {
  const Result<ConvGeometry> geometry = conv_transpose_geometry(args);
  if (!geometry.ok()) return geometry.error();
  return Inferred::one({DType::kFloat32, geometry->output_shape()});
}

Result<Prepared> lower_conv_transpose(const LowerArgs& args) {
  const Result<ConvGeometry> geometry = conv_transpose_geometry(args);
  if (!geometry.ok()) return geometry.error();
  const ConvGeometry g = *geometry;
  const ClampBounds clamp = clamp_bounds(args.node);
  if (g.output_shape().num_elements() == 0) {
    return Prepared{.run = [](const KernelIo&) -> Result<void> { return {}; }, .scratch_bytes = 0, .clamps = true};
  }
  const std::int64_t column_floats = g.out_channels / g.groups * g.kernel_size();
  const std::int64_t tile = tile_columns(g.in_size(), column_floats);
  return Prepared{.run = [g, clamp, tile](const KernelIo& io) -> Result<void> {
                    run_conv_transpose(g, clamp, tile, io);
                    return {};
                  },
                  .scratch_bytes = static_cast<std::size_t>(tile * column_floats) * sizeof(float),
                  .clamps = true};
}

}  // namespace halfstep::ops
