// depthwise_plan.cpp: how depthwise() lays out its padded copy of a channel.
#include "kernels/depthwise_plan.hpp"

#include <algorithm>

namespace halfstep::kernels {
namespace {

// Half of a usual first-level data cache is too small for wide rows; the
// second-level cache serves sequential reads nearly as fast.
constexpr std::int64_t kBandFloats = 12 * 1024;

DepthwiseAxis plan_axis(std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  DepthwiseAxis axis;
  axis.stride = stride;
  axis.dilation = dilation;
  axis.by_remainder = stride <= kernel;
  axis.num_slots = std::min(stride, kernel);
  axis.max_shift = axis.by_remainder ? (kernel - 1) * dilation / stride : 0;
  return axis;
}

}  // namespace

DepthwisePlan plan_depthwise(const Depthwise& d) {
  DepthwisePlan plan;
  plan.h = plan_axis(d.kernel_h, d.stride_h, d.dilation_h);
  plan.w = plan_axis(d.kernel_w, d.stride_w, d.dilation_w);
  plan.row_size = d.out_w + plan.w.max_shift;
  plan.num_planes = plan.h.num_slots * plan.w.num_slots;
  // Rows shared by neighbouring bands are copied twice: a band is several times as high.
  const std::int64_t fitting = kBandFloats / std::max<std::int64_t>(1, (plan.num_planes + 1) * plan.row_size);
  plan.band_rows = std::max<std::int64_t>(1, std::min(d.out_h, std::max(fitting, 2 * plan.h.max_shift)));
  plan.plane_size = (plan.band_rows + plan.h.max_shift + 1) * plan.row_size;
  return plan;
}

std::size_t depthwise_scratch_bytes(const Depthwise& args) {
  const DepthwisePlan plan = plan_depthwise(args);
  const double floats = static_cast<double>(plan.num_planes) * static_cast<double>(plan.plane_size) +
                        static_cast<double>(plan.band_rows) * static_cast<double>(plan.row_size);
  return floats > 1e15 ? std::size_t{1} << 60 : static_cast<std::size_t>(floats) * sizeof(float);
}

}  // namespace halfstep::kernels
