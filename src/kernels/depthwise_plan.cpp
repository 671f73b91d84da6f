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
  const std::int64_t fitting = kBandFloats / (plan.num_planes + 1) / std::max<std::int64_t>(1, plan.row_size);
  plan.band_rows = std::max<std::int64_t>(1, std::min(d.out_h, std::max(fitting, 2 * plan.h.max_shift)));
  constexpr std::int64_t kTooMany = std::int64_t{1} << 50;
  // In double first: the product of four extents may exceed 64 bits.
  const double floats = static_cast<double>(plan.num_planes) *
                            (static_cast<double>(plan.band_rows) + static_cast<double>(plan.h.max_shift) + 1.0) *
                            static_cast<double>(plan.row_size) +
                        static_cast<double>(plan.band_rows) * static_cast<double>(plan.row_size);
  plan.num_floats = kTooMany;
  if (floats < static_cast<double>(kTooMany)) {
    plan.plane_size = (plan.band_rows + plan.h.max_shift + 1) * plan.row_size;
    plan.num_floats =
        (plan.num_planes * plan.plane_size + plan.band_rows * plan.row_size + 2 * kDepthwiseSlack + 15) / 16 * 16;
  }
  return plan;
}

void plan_tap_offsets(const Depthwise& d, const DepthwisePlan& plan, std::int64_t* offsets) {
  const auto slot_of = [](const DepthwiseAxis& axis, std::int64_t tap) {
    return axis.by_remainder ? tap * axis.dilation % axis.stride : tap;
  };
  const auto shift_of = [](const DepthwiseAxis& axis, std::int64_t tap) {
    return axis.by_remainder ? tap * axis.dilation / axis.stride : 0;
  };
  for (std::int64_t ky = 0; ky < d.kernel_h; ++ky) {
    for (std::int64_t kx = 0; kx < d.kernel_w; ++kx) {
      const std::int64_t plane = slot_of(plan.h, ky) * plan.w.num_slots + slot_of(plan.w, kx);
      *offsets++ = plane * plan.plane_size + shift_of(plan.h, ky) * plan.row_size + shift_of(plan.w, kx);
    }
  }
}

std::size_t depthwise_scratch_bytes(const Depthwise& args) {
  return static_cast<std::size_t>(plan_depthwise(args).num_floats) * sizeof(float) +
         static_cast<std::size_t>(args.kernel_h * args.kernel_w) * sizeof(std::int64_t);
}

}  // namespace halfstep::kernels
