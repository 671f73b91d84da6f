// quantize.hpp: rounding real values onto an integer grid and back ("fake quantization").
#pragma once

#include <cstdint>

#include "core/dtype.hpp"

namespace halfstep::kernels {

/// The bounds of an integer grid, both included.
struct GridBounds {
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
};

/// y[i] = (q - zero_point) * scale, where
/// q = clamp(round_half_even(x[i] / scale) + zero_point, q_min, q_max),
/// in float32 with a true division: what ONNX QuantizeLinear followed by
/// DequantizeLinear gives, for every finite and infinite x. NaN stays NaN.
/// Exact for |q - zero_point| up to 2^24; beyond that, bounds are rounded to float32.
/// The same on every instruction set. x == y is allowed, other overlap is not.
void quantize_dequantize(const float* x, float* y, std::int64_t count, float scale, std::int32_t zero_point,
                         GridBounds bounds);

/// The same for data [outer, channels, inner]; scales and zero_points are [channels].
void quantize_dequantize_per_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                                     std::int64_t inner, const float* scales, const std::int32_t* zero_points,
                                     GridBounds bounds);

/// q[i] = clamp(round_half_even(x[i] / scale) + zero_point, q_min, q_max), the codes alone; NaN becomes q_min.
/// Requires: `q_dtype` is int8, uint8, int16 or uint16 and holds the bounds; the zero point lies between them.
void quantize_codes(const float* x, std::int64_t count, float scale, std::int32_t zero_point, GridBounds bounds,
                    DType q_dtype, void* q);

/// y[i] = (q[i] - zero_point) * scale, rounded to float32 once. Requires: `q_dtype` as in quantize_codes(); 17 bits
/// hold the difference.
void dequantize_codes(const void* q, DType q_dtype, std::int64_t count, float scale, std::int32_t zero_point, float* y);

}  // namespace halfstep::kernels
