// conv_integer.hpp: the sums of ConvInteger as products of packed 16-bit integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "ops/kernel.hpp"
#include "ops/linear/conv_geometry.hpp"

namespace halfstep::ops {

/// Differences of two bytes are in [-255, 255].
inline constexpr std::int64_t kLargestByteProduct = 255 * 255;

/// True if no partial sum of one window leaves int32, whatever the bytes and zero points.
inline bool window_fits_int32(const ConvGeometry& g) {
  return g.in_channels / g.groups * g.kernel_size() <= std::numeric_limits<std::int32_t>::max() / kLargestByteProduct;
}

/// int8 or uint8 operands of a convolution, and their zero points.
struct ByteConv {
  ConstView x;
  ConstView weight;
  std::int32_t x_zero_point = 0;
  ConstView weight_zero_points;  ///< One, one for each output channel, or absent: 0.
};

/// Bytes of scratch convolve_bytes() needs.
std::size_t convolve_bytes_scratch(const ConvGeometry& g);

/// sums[n, m, out] = sum over the window of (x - x_zero_point) * (w - w_zero_point); padding adds nothing.
/// Requires: window_fits_int32(g).
void convolve_bytes(const ConvGeometry& g, const ByteConv& conv, std::byte* scratch, std::int32_t* sums);

}  // namespace halfstep::ops
