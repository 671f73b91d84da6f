// depthwise_plan.hpp: how depthwise() lays out its padded copy of a channel; internal to this layer.
#pragma once

#include <cstdint>

#include "kernels/depthwise.hpp"

namespace halfstep::kernels {

/// One axis of the copy. Output x reads input x * stride + tap * dilation - pad.
/// With by_remainder, taps whose offsets differ by a multiple of the stride share
/// a slot; else (stride > kernel) each tap has a slot of its own.
struct DepthwiseAxis {
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t num_slots = 1;
  std::int64_t max_shift = 0;  ///< Largest shift of any tap within its slot.
  bool by_remainder = true;
};

/// Sums are computed in whole vectors: this many floats behind the planes may be
/// read, and behind the sums written.
inline constexpr std::int64_t kDepthwiseSlack = 16;

/// Scratch: num_planes planes of plane_size floats, then band_rows * row_size
/// sums, each followed by the slack, num_floats in all; then one std::int64_t for each tap of the kernel.
struct DepthwisePlan {
  DepthwiseAxis h;
  DepthwiseAxis w;
  std::int64_t row_size = 0;    ///< Floats of one copied row.
  std::int64_t band_rows = 0;   ///< Output rows computed at a time, >= 1.
  std::int64_t plane_size = 0;  ///< Floats of one plane.
  std::int64_t num_planes = 0;
  std::int64_t num_floats = 0;  ///< Rounded up to a multiple of 16.
};

/// Where the plan would exceed 2^50 floats, num_floats is 2^50 and the sizes mean nothing.
DepthwisePlan plan_depthwise(const Depthwise& args);

/// offsets[ky * kernel_w + kx]: where in the planes tap (ky, kx) of output 0 is.
void plan_tap_offsets(const Depthwise& args, const DepthwisePlan& plan, std::int64_t* offsets);

}  // namespace halfstep::kernels
