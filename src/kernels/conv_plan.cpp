// conv_plan.cpp: how conv() lays out its padded copy of the input.
#include "kernels/conv_plan.hpp"

#include <algorithm>

namespace halfstep::kernels {
namespace {

constexpr std::int64_t kConvSlack = 64;  // Vectors of 16 floats from any element of the last row on.

}  // namespace

ConvPlan plan_conv(const Conv& c) {
  ConvPlan plan;
  const std::int64_t span_w = (c.kernel_w - 1) * c.dilation_w;
  plan.phases = std::min(c.stride_w, span_w + 1);
  plan.rows = (c.out_h - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
  plan.row_floats = c.out_w + span_w / c.stride_w;
  constexpr std::int64_t kTooMany = std::int64_t{1} << 50;
  // In double first: the product of four extents may exceed 64 bits.
  const double floats = static_cast<double>(c.in_channels) * static_cast<double>(plan.phases) *
                        static_cast<double>(plan.rows) * static_cast<double>(plan.row_floats);
  plan.num_floats = kTooMany;
  if (floats < static_cast<double>(kTooMany / 2)) {
    plan.plane_floats = plan.rows * plan.row_floats;
    plan.num_floats = (c.in_channels * plan.phases * plan.plane_floats + kConvSlack + 15) / 16 * 16;
  }
  return plan;
}

void plan_conv_taps(const Conv& c, const ConvPlan& plan, std::int64_t* offsets) {
  for (std::int64_t ky = 0; ky < c.kernel_h; ++ky) {
    for (std::int64_t kx = 0; kx < c.kernel_w; ++kx) {
      const std::int64_t x = kx * c.dilation_w;
      *offsets++ = x % c.stride_w * plan.plane_floats + ky * c.dilation_h * plan.row_floats + x / c.stride_w;
    }
  }
}

std::size_t conv_scratch_bytes(const Conv& c) {
  return static_cast<std::size_t>(plan_conv(c).num_floats) * sizeof(float) +
         static_cast<std::size_t>(c.kernel_h * c.kernel_w) * sizeof(std::int64_t);
}

}  // namespace halfstep::kernels
