// conv_int.cpp: Conv on codes: by columns, or channel by channel where each output channel reads one input channel.
#include "ops/linear/conv_int.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "kernels/int_columns.hpp"
#include "kernels/int_depthwise.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::ops {
namespace {

// A padded band of one channel and its sums: what fits a second-level cache.
constexpr std::int64_t kBandBytes = 256 * 1024;
// Where even one row of output needs more than this (huge dilations), columns are laid out instead.
constexpr std::int64_t kMaxBandBytes = 4 * 1024 * 1024;

bool is_pointwise(const ConvGeometry& g) {
  constexpr std::array<std::int64_t, 3> kOnes = {1, 1, 1};
  return g.kernel == kOnes && g.stride == kOnes && g.in == g.out && g.pad == std::array<std::int64_t, 3>{};
}

// Calls f(group, codes of the group's input, place of its output) for this part's share of groups.
template <class F>
void for_each_group(const IntConv& conv, const KernelIo& io, F&& f) {
  const ConvGeometry& g = conv.geometry;
  const auto x_bytes = static_cast<std::int64_t>(size_in_bytes(conv.x_dtype));
  const auto y_bytes = static_cast<std::int64_t>(size_in_bytes(conv.product.y_dtype));
  const std::int64_t x_size = g.in_channels / g.groups * g.in_size() * x_bytes;
  const std::int64_t y_size = g.out_channels / g.groups * g.out_size() * y_bytes;
  const Share mine = share_of(io, g.batch * g.groups);
  for (std::int64_t index = mine.begin; index < mine.end; ++index) {
    f(index % g.groups, io.inputs[0].bytes + index * x_size, io.outputs[0].bytes + index * y_size);
  }
}

void run_columns(const IntConv& conv, std::int64_t tile, const KernelIo& io) {
  const ConvGeometry& g = conv.geometry;
  const kernels::Windows windows{
      .image = g.in, .steps = g.out, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
  const bool pointwise = is_pointwise(g);
  const std::int64_t group_in = g.in_channels / g.groups;
  const std::int64_t group_out = g.out_channels / g.groups;
  const auto y_bytes = static_cast<std::int64_t>(size_in_bytes(conv.product.y_dtype));
  ScratchParts parts(io.scratch.data());
  auto* columns = parts.take<std::int16_t>(2 * conv.product.plan.k_pairs * tile);
  for_each_group(conv, io, [&](std::int64_t group, const std::byte* x, std::byte* y) {
    const Centre centre = conv.centre_of_group(group);
    for (std::int64_t first = 0; first < g.out_size(); first += tile) {
      const std::int64_t last = std::min(g.out_size(), first + tile);
      if (pointwise) {
        kernels::pack_columns({.codes = x, .dtype = conv.x_dtype, .k_step = g.in_size(), .centre = centre.centre},
                              group_in, first, last - first, columns);
      } else {
        kernels::pack_windows(
            windows,
            {.codes = x, .dtype = conv.x_dtype, .channels = group_in, .centre = centre.centre, .outside = centre.zero},
            first, last, columns);
      }
      multiply(conv.product, group * group_out, group_out, columns, last - first,
               {.codes = y + first * y_bytes, .row_step = g.out_size()}, io.scratch.subspan(parts.used()));
    }
  });
}

void copy_inside(const IntConv& conv, const BandPlan& plan, const Band& band, const std::byte* x, std::int32_t centre,
                 std::int16_t* padded) {
  if (band.begin == band.end) return;
  const std::int64_t width = conv.geometry.in[2];
  const auto x_bytes = static_cast<std::int64_t>(size_in_bytes(conv.x_dtype));
  kernels::centre_rows(x + (band.top + band.begin) * width * x_bytes, conv.x_dtype, band.end - band.begin, band.inside,
                       width, centre, padded + band.begin * plan.row_size + band.left, plan.row_size);
}

void run_depthwise(const IntConv& conv, const BandPlan& plan, const KernelIo& io) {
  const ConvGeometry& g = conv.geometry;
  const Product& product = conv.product;
  const std::int64_t multiplier = g.out_channels / g.groups;
  const auto y_bytes = static_cast<std::int64_t>(size_in_bytes(product.y_dtype));
  ScratchParts parts(io.scratch.data());
  auto* padded = parts.take<std::int16_t>(plan.padded_size(g, plan.rows));
  auto* acc = parts.take<std::int32_t>(plan.rows * g.out[2]);
  kernels::IntDepthwise args{.out_h = 0,
                             .out_w = g.out[2],
                             .kernel_h = g.kernel[1],
                             .kernel_w = g.kernel[2],
                             .stride_h = g.stride[1],
                             .stride_w = g.stride[2],
                             .dilation_h = g.dilation[1],
                             .dilation_w = g.dilation[2],
                             .padded = padded,
                             .padded_stride = plan.row_size,
                             .filter = nullptr,
                             .acc = acc};
  // What stands around the image stays from channel to channel while there is one band and one number for zero.
  std::optional<std::int16_t> around;
  for_each_group(conv, io, [&](std::int64_t group, const std::byte* x, std::byte* y) {
    const Centre centre = conv.centre_of_group(group);
    for (std::int64_t first = 0; first < g.out[1]; first += plan.rows) {
      args.out_h = std::min(plan.rows, g.out[1] - first);
      const Band band = band_of(g, plan, first, args.out_h);
      if (plan.rows < g.out[1] || around != centre.zero) {
        std::fill_n(padded, band.num_rows * plan.row_size, centre.zero);
        around = centre.zero;
      }
      copy_inside(conv, plan, band, x, centre.centre, padded);
      for (std::int64_t m = 0; m < multiplier; ++m) {
        const std::int64_t channel = group * multiplier + m;
        const auto c = static_cast<std::size_t>(channel);
        args.filter = product.left(channel, 1).pairs;
        kernels::int_depthwise(args);
        finish_row(product.plan, {.narrow = acc, .wide = nullptr}, 0, args.out_h * g.out[2],
                   product.row_start[c] + product.channel_bias[c], product.requantizers[c], product.y_dtype,
                   y + (m * g.out_size() + first * g.out[2]) * y_bytes);
      }
    }
  });
}

}  // namespace

BandPlan plan_bands(const ConvGeometry& g) {
  BandPlan plan;
  plan.window_rows = (g.kernel[1] - 1) * g.dilation[1] + 1;
  plan.row_size = (g.out[2] - 1) * g.stride[2] + (g.kernel[2] - 1) * g.dilation[2] + 1;
  constexpr auto kCodeBytes = static_cast<std::int64_t>(sizeof(std::int16_t));
  constexpr auto kSumBytes = static_cast<std::int64_t>(sizeof(std::int32_t));
  // Each extent alone is bounded first: their product then stays in 64 bits.
  if (plan.row_size > kMaxBandBytes || plan.window_rows > kMaxBandBytes || g.stride[1] > kMaxBandBytes) return {};
  if (plan.window_rows * plan.row_size * kCodeBytes + g.out[2] * kSumBytes > kMaxBandBytes) return {};
  const std::int64_t each_row = g.stride[1] * plan.row_size * kCodeBytes + g.out[2] * kSumBytes;
  const std::int64_t rest = kBandBytes - plan.window_rows * plan.row_size * kCodeBytes;
  plan.rows = std::clamp<std::int64_t>(rest / each_row, 1, g.out[1]);
  return plan;
}

Band band_of(const ConvGeometry& g, const BandPlan& plan, std::int64_t first, std::int64_t count) {
  Band band;
  band.num_rows = (count - 1) * g.stride[1] + plan.window_rows;
  band.top = first * g.stride[1] - g.pad[1];
  band.begin = std::clamp<std::int64_t>(-band.top, 0, band.num_rows);
  band.end = std::clamp<std::int64_t>(g.in[1] - band.top, band.begin, band.num_rows);
  band.left = std::min(g.pad[2], plan.row_size);
  band.inside = std::clamp<std::int64_t>(plan.row_size - band.left, 0, g.in[2]);
  return band;
}

Prepared prepare_int_conv(IntConv given) {
  if (given.product.is_packed()) {
    const bool by_channel = given.geometry.groups == given.geometry.in_channels;
    return by_channel ? prepare_byte_depthwise(std::move(given)) : prepare_panel_conv(std::move(given));
  }
  const auto conv = std::make_shared<const IntConv>(std::move(given));
  const ConvGeometry& g = conv->geometry;
  const SumPlan& sums = conv->product.plan;
  if (g.groups == g.in_channels && g.num_axes <= 2 && !sums.is_wide()) {
    if (const BandPlan plan = plan_bands(g); plan.rows > 0) {
      ScratchParts parts;
      parts.take<std::int16_t>(plan.padded_size(g, plan.rows));
      parts.take<std::int32_t>(plan.rows * g.out[2]);
      return {.run = [conv, plan](const KernelIo& io) -> Result<void> {
                run_depthwise(*conv, plan, io);
                return {};
              },
              .scratch_bytes = parts.used(),
              .clamps = true,
              .splits = true};
    }
  }
  const std::int64_t tile = product_columns(g.out_size(), sums.k_pairs);
  ScratchParts parts;
  parts.take<std::int16_t>(2 * sums.k_pairs * tile);
  return {.run = [conv, tile](const KernelIo& io) -> Result<void> {
            run_columns(*conv, tile, io);
            return {};
          },
          .scratch_bytes = parts.used() + multiply_scratch_bytes(sums, tile, false),
          .clamps = true};
}

}  // namespace halfstep::ops
