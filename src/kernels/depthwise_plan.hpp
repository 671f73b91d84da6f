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

/// Scratch: num_planes planes of plane_size floats, then band_rows * row_size sums.
struct DepthwisePlan {
  DepthwiseAxis h;
  DepthwiseAxis w;
  std::int64_t row_size = 0;    ///< Floats of one copied row.
  std::int64_t band_rows = 0;   ///< Output rows computed at a time, >= 1.
  std::int64_t plane_size = 0;  ///< Floats of one plane.
  std::int64_t num_planes = 0;
};

/// Total for extents, kernels, strides and dilations below 2^31 whose plan fits
/// in memory: the caller bounds depthwise_scratch_bytes().
DepthwisePlan plan_depthwise(const Depthwise& args);

}  // namespace halfstep::kernels
