// depthwise.hpp: convolution in which every output channel reads one input channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::kernels {

/// One image: input [channels, in_h, in_w], filter [channels * multiplier,
/// kernel_h, kernel_w], output [channels * multiplier, out_h, out_w]. Output
/// channel o reads input channel o / multiplier; positions outside the image are 0.
struct Depthwise {
  std::int64_t channels = 0;
  std::int64_t multiplier = 1;
  std::int64_t in_h = 0, in_w = 0;
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0;
  const float* input = nullptr;
  const float* filter = nullptr;
  const float* bias = nullptr;  ///< [channels * multiplier], or absent.
  float* output = nullptr;
  float clamp_min = -std::numeric_limits<float>::infinity();
  float clamp_max = std::numeric_limits<float>::infinity();
};

/// Bytes of scratch depthwise() needs; the pointers in `args` are not looked at.
std::size_t depthwise_scratch_bytes(const Depthwise& args);

/// Requires: `scratch` has depthwise_scratch_bytes(args) bytes, 64-byte aligned.
void depthwise(const Depthwise& args, float* scratch);

}  // namespace halfstep::kernels
