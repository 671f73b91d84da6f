// conv_transpose_int.cpp: ConvTranspose on codes: sums for each tap, added up where the taps land.
#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/int_columns.hpp"
#include "ops/linear/conv_int.hpp"

namespace halfstep::ops {
namespace {

// Bytes of sums of the output that are kept until they are complete.
constexpr std::int64_t kImageBytes = 1024 * 1024;
// Numbers of one product: a kernel of many taps gets fewer input positions at a time.
constexpr std::int64_t kMaxProduct = 1024 * 1024;

struct Plan {
  std::int64_t tile = 0;            // Input positions at a time.
  std::int64_t image_channels = 0;  // Output channels whose sums are kept at a time.
  std::int64_t strip_channels = 0;  // Output channels of one product.
};

Plan plan_transpose(const IntConv& conv) {
  const ConvGeometry& g = conv.geometry;
  const std::int64_t group_out = g.out_channels / g.groups;
  const auto sum_bytes =
      static_cast<std::int64_t>(conv.product.plan.is_wide() ? sizeof(std::int64_t) : sizeof(std::int32_t));
  Plan plan;
  plan.tile = std::min(product_columns(g.in_size(), conv.product.plan.k_pairs),
                       std::max<std::int64_t>(1, kMaxProduct / g.kernel_size()));
  plan.image_channels = std::clamp<std::int64_t>(kImageBytes / (g.out_size() * sum_bytes), 1, group_out);
  plan.strip_channels = std::clamp<std::int64_t>(strip_rows(plan.tile) / g.kernel_size(), 1, plan.image_channels);
  return plan;
}

struct Buffers {
  std::int16_t* columns = nullptr;
  Sums parts;  // Of one product.
  Sums image;
};

Buffers take_buffers(const IntConv& conv, const Plan& plan, ScratchParts& scratch) {
  const SumPlan& sums = conv.product.plan;
  Buffers buffers;
  buffers.columns = scratch.take<std::int16_t>(2 * sums.k_pairs * plan.tile);
  buffers.parts = take_sums(sums, plan.strip_channels * conv.geometry.kernel_size(), plan.tile, scratch);
  buffers.image = take_sums(sums, plan.image_channels, conv.geometry.out_size(), scratch);
  return buffers;
}

// Adds the products of input positions [first, first + n) onto the sums of `count` channels from `channel`.
void add_positions(const IntConv& conv, const Plan& plan, const Buffers& buffers, std::int64_t channel,
                   std::int64_t count, std::int64_t first, std::int64_t n) {
  const ConvGeometry& g = conv.geometry;
  // The windows slide over the output; each input element is one position of them.
  const kernels::Windows windows{
      .image = g.out, .steps = g.in, .kernel = g.kernel, .stride = g.stride, .dilation = g.dilation, .pad = g.pad};
  const std::int64_t taps = g.kernel_size();
  for (std::int64_t done = 0; done < count; done += plan.strip_channels) {
    const std::int64_t strip = std::min(plan.strip_channels, count - done);
    const std::int64_t row = (channel + done) * taps;
    sum_products(conv.product.plan, conv.product.left(row, strip * taps), buffers.columns, n, buffers.parts);
    const std::int64_t* start = conv.product.row_start.data() + row;
    const std::int64_t at = done * g.out_size();
    if (conv.product.plan.is_wide()) {
      kernels::add_windows(windows, buffers.parts.wide, start, strip, first, first + n, buffers.image.wide + at);
    } else {
      kernels::add_windows(windows, buffers.parts.narrow, start, strip, first, first + n, buffers.image.narrow + at);
    }
  }
}

void run_group(const IntConv& conv, const Plan& plan, const Buffers& buffers, std::int64_t group, const std::byte* x,
               std::byte* y) {
  const ConvGeometry& g = conv.geometry;
  const Product& product = conv.product;
  const std::int64_t group_out = g.out_channels / g.groups;
  const auto y_bytes = static_cast<std::int64_t>(size_in_bytes(product.y_dtype));
  const kernels::CodeMatrix input{.codes = x,
                                  .dtype = conv.x_dtype,
                                  .k_step = g.in_size(),
                                  .column_step = 1,
                                  .centre = conv.centre_of_group(group).centre};
  for (std::int64_t m = 0; m < group_out; m += plan.image_channels) {
    const std::int64_t count = std::min(plan.image_channels, group_out - m);
    if (product.plan.is_wide()) {
      std::fill_n(buffers.image.wide, count * g.out_size(), std::int64_t{0});
    } else {
      std::fill_n(buffers.image.narrow, count * g.out_size(), 0);
    }
    for (std::int64_t first = 0; first < g.in_size(); first += plan.tile) {
      const std::int64_t n = std::min(plan.tile, g.in_size() - first);
      kernels::pack_columns(input, product.plan.k, first, n, buffers.columns);
      add_positions(conv, plan, buffers, group * group_out + m, count, first, n);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const auto channel = static_cast<std::size_t>(group * group_out + m + i);
      finish_row(product.plan, buffers.image, i, g.out_size(), product.channel_bias[channel],
                 product.requantizers[channel], product.y_dtype, y + (m + i) * g.out_size() * y_bytes);
    }
  }
}

}  // namespace

Prepared prepare_int_conv_transpose(IntConv given) {
  const auto conv = std::make_shared<const IntConv>(std::move(given));
  const Plan plan = plan_transpose(*conv);
  ScratchParts parts;
  take_buffers(*conv, plan, parts);
  return {.run = [conv, plan](const KernelIo& io) -> Result<void> {
            const ConvGeometry& g = conv->geometry;
            ScratchParts scratch(io.scratch.data());
            const Buffers buffers = take_buffers(*conv, plan, scratch);
            const auto x_size =
                g.in_channels / g.groups * g.in_size() * static_cast<std::int64_t>(size_in_bytes(conv->x_dtype));
            const auto y_size = g.out_channels / g.groups * g.out_size() *
                                static_cast<std::int64_t>(size_in_bytes(conv->product.y_dtype));
            for (std::int64_t index = 0; index < g.batch * g.groups; ++index) {
              run_group(*conv, plan, buffers, index % g.groups, io.inputs[0].bytes + index * x_size,
                        io.outputs[0].bytes + index * y_size);
            }
            return {};
          },
          .scratch_bytes = parts.used(),
          .clamps = true};
}

}  // namespace halfstep::ops
