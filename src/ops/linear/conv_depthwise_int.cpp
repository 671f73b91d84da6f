// conv_depthwise_int.cpp: Conv with one input channel a group, on bytes, channel by channel.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "kernels/byte_depthwise.hpp"
#include "ops/linear/conv_int.hpp"

namespace halfstep::ops {
namespace {

struct ChannelBuffers {
  std::uint8_t* padded = nullptr;
  std::int32_t* acc = nullptr;  // Only where sums are finished row by row.
  std::byte* codes = nullptr;
};

class ByteDepthwiseConv {
 public:
  explicit ByteDepthwiseConv(IntConv conv) : conv_(std::move(conv)), bands_(plan_bands(conv_.geometry)) {
    const ConvGeometry& g = conv_.geometry;
    code_bytes_ = static_cast<std::int64_t>(size_in_bytes(conv_.product.y_dtype));
    flip_ = conv_.x_dtype == DType::kInt8 ? 0x80 : 0;
    args_.out_h = bands_.rows;
    args_.out_w = g.out[2];
    args_.kernel_h = g.kernel[1];
    args_.kernel_w = g.kernel[2];
    args_.stride_h = g.stride[1];
    args_.stride_w = g.stride[2];
    args_.dilation_h = g.dilation[1];
    args_.padded_stride = bands_.row_size;
    args_.rounding = conv_.product.requantizers[0].rounding;
    args_.dtype = conv_.product.y_dtype;
    kernels::set_line(args_);
  }

  std::size_t scratch_bytes() const {
    ScratchParts parts;
    take(parts);
    return parts.used();
  }

  void run(const KernelIo& io) const {
    ScratchParts parts(io.scratch.data());
    const ChannelBuffers buffers = take(parts);
    const ConvGeometry& g = conv_.geometry;
    const std::int64_t multiplier = g.out_channels / g.groups;
    const auto* x = reinterpret_cast<const std::uint8_t*>(io.inputs[0].bytes);
    // What stands around the image stays from channel to channel while there is one band and one number for zero.
    std::optional<std::int16_t> around;
    const Share mine = share_of(io, g.batch * g.groups);
    for (std::int64_t index = mine.begin; index < mine.end; ++index) {
      const std::int64_t group = index % g.groups;
      const Centre centre = conv_.centre_of_group(group);
      for (std::int64_t first = 0; first < g.out[1]; first += bands_.rows) {
        const std::int64_t count = std::min(bands_.rows, g.out[1] - first);
        const Band band = band_of(g, bands_, first, count);
        if (bands_.rows < g.out[1] || around != centre.zero) {
          std::memset(buffers.padded, static_cast<std::uint8_t>(centre.zero),
                      static_cast<std::size_t>(band.num_rows * bands_.row_size));
          around = centre.zero;
        }
        if (band.begin < band.end) {
          kernels::copy_byte_rows(x + index * g.in_size() + (band.top + band.begin) * g.in[2], band.end - band.begin,
                                  band.inside, g.in[2], flip_,
                                  buffers.padded + band.begin * bands_.row_size + band.left, bands_.row_size);
        }
        for (std::int64_t m = 0; m < multiplier; ++m) {
          std::byte* y =
              io.outputs[0].bytes + ((index * multiplier + m) * g.out_size() + first * g.out[2]) * code_bytes_;
          run_channel(group * multiplier + m, count, buffers, y);
        }
      }
    }
  }

 private:
  ChannelBuffers take(ScratchParts& parts) const {
    ChannelBuffers buffers;
    buffers.padded =
        parts.take<std::uint8_t>(bands_.padded_size(conv_.geometry, bands_.rows) + kernels::kByteDepthwiseSlack);
    if (conv_.product.finish.empty()) {
      buffers.acc = parts.take<std::int32_t>(args_.line_size);
    } else {
      buffers.codes = parts.take<std::byte>(args_.line_size * code_bytes_);
    }
    return buffers;
  }

  // `rows` rows of output of one channel, from the padded copy of its image.
  void run_channel(std::int64_t channel, std::int64_t rows, const ChannelBuffers& buffers, std::byte* y) const {
    const Product& product = conv_.product;
    const auto c = static_cast<std::size_t>(channel);
    kernels::ByteDepthwise args = args_;
    if (rows != args.out_h) {
      args.out_h = rows;
      kernels::set_line(args);
    }
    args.padded = buffers.padded;
    args.filter = product.packed.groups.data() + channel * product.packed.k_groups;
    args.finish = product.finish.empty() ? nullptr : &product.finish[c];
    args.acc = buffers.acc;
    args.codes = buffers.codes;
    kernels::byte_depthwise(args);
    const std::int64_t width = args.out_w;
    if (args.finish != nullptr) {
      kernels::copy_byte_rows(reinterpret_cast<const std::uint8_t*>(buffers.codes), rows, width * code_bytes_,
                              args.line_pitch * code_bytes_, 0, reinterpret_cast<std::uint8_t*>(y),
                              width * code_bytes_);
      return;
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      finish_row(product.plan, {.narrow = buffers.acc + row * args.line_pitch, .wide = nullptr}, 0, width,
                 product.row_start[c] + product.channel_bias[c], product.requantizers[c], product.y_dtype,
                 y + row * width * code_bytes_);
    }
  }

  IntConv conv_;
  BandPlan bands_;
  kernels::ByteDepthwise args_;  // What all channels share.
  std::int64_t code_bytes_ = 1;
  std::uint8_t flip_ = 0;
};

}  // namespace

bool has_byte_depthwise_form(const ConvGeometry& g) {
  return kernels::has_byte_depthwise() && g.num_axes <= 2 && g.kernel[2] <= kernels::kMaxByteKernelWidth &&
         g.stride[2] <= 2 && g.dilation[2] == 1 && plan_bands(g).rows > 0;
}

Prepared prepare_byte_depthwise(IntConv conv) {
  const auto depthwise = std::make_shared<const ByteDepthwiseConv>(std::move(conv));
  return {.run = [depthwise](const KernelIo& io) -> Result<void> {
            depthwise->run(io);
            return {};
          },
          .scratch_bytes = depthwise->scratch_bytes(),
          .clamps = true,
          .splits = true};
}

}  // namespace halfstep::ops
