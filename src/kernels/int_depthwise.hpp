// int_depthwise.hpp: integer convolution of one channel with its own filter.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// acc[out_h, out_w] = sum over the kernel of filter * padded, for one channel.
/// `padded` holds centred codes (q - z) with the padding in place as zeros:
/// output (y, x) reads padded[(y * stride_h + i * dilation_h) * padded_stride + x * stride_w + j * dilation_w].
/// Requires: no partial sum leaves int32 (the caller proves it).
struct IntDepthwise {
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  const std::int16_t* padded = nullptr;
  std::int64_t padded_stride = 0;        ///< From row to row, in elements.
  const std::int16_t* filter = nullptr;  ///< [kernel_h, kernel_w].
  std::int32_t* acc = nullptr;           ///< [out_h, out_w], contiguous.
};

/// Runs on the calling thread. The same bits on every instruction set.
void int_depthwise(const IntDepthwise& args);

}  // namespace halfstep::kernels
