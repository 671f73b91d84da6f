// conv.hpp: float convolution over two spatial axes without a matrix of columns in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::kernels {

/// Part of the output of one image and group: input [in_channels, in_h, in_w], weight [out_channels, in_channels,
/// kernel_h, kernel_w], output [out_channels, out_h, out_w], of which the positions [first, last) are computed, counted
/// row by row; first is a multiple of kColumnGranule, last is one or out_h * out_w. Outside the image is 0.
struct Conv {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t in_h = 0, in_w = 0;
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0;
  std::int64_t first = 0, last = 0;
  const float* input = nullptr;
  const float* weight = nullptr;
  const float* bias = nullptr;  ///< [out_channels], or absent.
  float* output = nullptr;
  float clamp_min = -std::numeric_limits<float>::infinity();  ///< NaN passes the clamp unchanged.
  float clamp_max = std::numeric_limits<float>::infinity();
};

/// Bytes of scratch conv() needs, for any part; the pointers in `args` are not looked at. 2^50 and more: too much.
std::size_t conv_scratch_bytes(const Conv& args);

/// Each output is one sum over channels, kernel rows and kernel columns in that order, so that integers are exact as
/// long as they fit a float. The bits depend on neither the part nor the number of output channels. Requires: `scratch`
/// has conv_scratch_bytes(args) bytes, 64-byte aligned.
void conv(const Conv& args, float* scratch);

}  // namespace halfstep::kernels
