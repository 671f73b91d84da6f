// conv_plan.hpp: how conv() lays out its padded copy of the input; internal to this layer.
#pragma once

#include "kernels/conv.hpp"

namespace halfstep::kernels {

/// For each channel there are `phases` planes of `rows` * `row_floats` floats: element (y, x) of phase p is the padded
/// input at (y, x * stride_w + p), so that the inputs of consecutive outputs lie one apart whatever the stride.
struct ConvPlan {
  std::int64_t phases = 1;
  std::int64_t rows = 0;
  std::int64_t row_floats = 0;
  std::int64_t plane_floats = 0;
  /// Of all planes and behind them what the last vectors read too far; a multiple of 16. Then one std::int64_t for each
  /// tap of the kernel. 2^50: too much, and the other sizes mean nothing.
  std::int64_t num_floats = 0;
};

ConvPlan plan_conv(const Conv& args);

/// offsets[ky * kernel_w + kx]: where in the planes of a channel tap (ky, kx) of output 0 is.
void plan_conv_taps(const Conv& args, const ConvPlan& plan, std::int64_t* offsets);

}  // namespace halfstep::kernels
