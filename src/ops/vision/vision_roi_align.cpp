// vision_roi_align.cpp: RoiAlign.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {
namespace {

// More samples in a bin, on one axis, than any real picture needs: bounds the time one bad region costs.
constexpr float kMaxSamples = 4096.0F;
constexpr std::int64_t kMaxPooledExtent = 1 << 16;

enum class Reduction { kAverage, kMax };

struct RoiPlan {
  Reduction reduction = Reduction::kAverage;
  float offset = 0.5F;  ///< Subtracted from scaled coordinates: half a pixel, or 0.
  float spatial_scale = 1.0F;
  std::int64_t sampling_ratio = 0;
  std::int64_t regions = 0;
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t pooled_height = 1;
  std::int64_t pooled_width = 1;
};

/// A sampling point along one axis: between positions low and high.
struct Sample {
  std::int64_t low = 0;
  std::int64_t high = 0;
  float low_weight = 0.0F;
  float high_weight = 0.0F;
};

/// Sampling points of all bins of a region along one axis, `per_bin` for each bin.
struct AxisSamples {
  std::int64_t per_bin = 0;
  std::vector<Sample> samples;
};

/// A point more than one pixel outside the picture keeps both weights 0.
Sample sample_at(float x, std::int64_t extent) {
  Sample sample;
  if (x < -1.0F || x > static_cast<float>(extent)) return sample;
  x = std::max(x, 0.0F);
  sample.low = static_cast<std::int64_t>(x);
  if (sample.low >= extent - 1) {
    sample.low = sample.high = extent - 1;
    sample.low_weight = 1.0F;
    return sample;
  }
  sample.high = sample.low + 1;
  sample.high_weight = x - static_cast<float>(sample.low);
  sample.low_weight = 1.0F - sample.high_weight;
  return sample;
}

Result<AxisSamples> axis_samples(const RoiPlan& plan, float begin, float end, std::int64_t bins, std::int64_t extent) {
  const float start = begin * plan.spatial_scale - plan.offset;
  float size = end * plan.spatial_scale - plan.offset - start;
  if (plan.offset == 0.0F) size = std::max(size, 1.0F);
  const float bin_size = size / static_cast<float>(bins);
  const float wanted = plan.sampling_ratio > 0 ? static_cast<float>(plan.sampling_ratio) : std::ceil(bin_size);
  if (!std::isfinite(start) || !std::isfinite(size) || !(wanted <= kMaxSamples)) {
    return invalid("a region from " + std::to_string(begin) + " to " + std::to_string(end) + " is too large");
  }
  AxisSamples all;
  all.per_bin = static_cast<std::int64_t>(std::max(wanted, 0.0F));
  for (std::int64_t bin = 0; bin < bins; ++bin) {
    for (std::int64_t i = 0; i < all.per_bin; ++i) {
      const float inside = (static_cast<float>(i) + 0.5F) * bin_size / static_cast<float>(all.per_bin);
      all.samples.push_back(sample_at(start + static_cast<float>(bin) * bin_size + inside, extent));
    }
  }
  return all;
}

/// The four weighted neighbours of one sampling point.
std::array<float, 4> corners(const float* plane, std::int64_t width, const Sample& y, const Sample& x) {
  return {y.low_weight * x.low_weight * plane[y.low * width + x.low],
          y.low_weight * x.high_weight * plane[y.low * width + x.high],
          y.high_weight * x.low_weight * plane[y.high * width + x.low],
          y.high_weight * x.high_weight * plane[y.high * width + x.high]};
}

float average_bin(const RoiPlan& plan, const float* plane, std::span<const Sample> rows,
                  std::span<const Sample> columns) {
  float sum = 0.0F;
  for (const Sample& y : rows) {
    for (const Sample& x : columns) {
      const auto parts = corners(plane, plan.width, y, x);
      sum += parts[0] + parts[1] + parts[2] + parts[3];
    }
  }
  return sum / static_cast<float>(std::max<std::size_t>(rows.size() * columns.size(), 1));
}

// The largest weighted neighbour, not the largest interpolated value: so the
// ONNX reference and its tests define it.
float largest_in_bin(const RoiPlan& plan, const float* plane, std::span<const Sample> rows,
                     std::span<const Sample> columns) {
  float largest = 0.0F;
  bool first = true;
  for (const Sample& y : rows) {
    for (const Sample& x : columns) {
      const float value = std::ranges::max(corners(plane, plan.width, y, x));
      largest = first ? value : std::max(largest, value);
      first = false;
    }
  }
  return largest;
}

void pool_region(const RoiPlan& plan, const float* picture, const AxisSamples& rows, const AxisSamples& columns,
                 float* out) {
  const auto bin_of = [](const AxisSamples& all, std::int64_t bin) {
    return std::span(all.samples)
        .subspan(static_cast<std::size_t>(bin * all.per_bin), static_cast<std::size_t>(all.per_bin));
  };
  for (std::int64_t c = 0; c < plan.channels; ++c) {
    const float* plane = picture + c * plan.height * plan.width;
    for (std::int64_t h = 0; h < plan.pooled_height; ++h) {
      for (std::int64_t w = 0; w < plan.pooled_width; ++w) {
        *out++ = plan.reduction == Reduction::kAverage
                     ? average_bin(plan, plane, bin_of(rows, h), bin_of(columns, w))
                     : largest_in_bin(plan, plane, bin_of(rows, h), bin_of(columns, w));
      }
    }
  }
}

Result<void> pool_regions(const RoiPlan& plan, const KernelIo& io) {
  const float* pictures = io.inputs[0].data<float>();
  const float* roi = io.inputs[1].data<float>();
  const std::int64_t* batch = io.inputs[2].data<std::int64_t>();
  float* out = io.outputs[0].data<float>();
  for (std::int64_t r = 0; r < plan.regions; ++r, roi += 4) {
    if (batch[r] < 0 || batch[r] >= plan.batch) {
      return invalid("batch index " + std::to_string(batch[r]) + " is outside the input's " +
                     std::to_string(plan.batch) + " pictures");
    }
    const auto rows = axis_samples(plan, roi[1], roi[3], plan.pooled_height, plan.height);
    if (!rows.ok()) return rows.error();
    const auto columns = axis_samples(plan, roi[0], roi[2], plan.pooled_width, plan.width);
    if (!columns.ok()) return columns.error();
    pool_region(plan, pictures + batch[r] * plan.channels * plan.height * plan.width, *rows, *columns,
                out + r * plan.channels * plan.pooled_height * plan.pooled_width);
  }
  return {};
}

Result<RoiPlan> plan_of(const NodeArgs& args) {
  const graph::Attributes& attributes = args.attributes();
  RoiPlan plan;
  const std::string mode = attributes.get_string("mode", "avg");
  if (mode != "avg" && mode != "max") return invalid("mode is " + quoted(mode) + ", expected avg or max");
  plan.reduction = mode == "avg" ? Reduction::kAverage : Reduction::kMax;
  const std::string rule = attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (rule != "half_pixel" && rule != "output_half_pixel") {
    return invalid("coordinate_transformation_mode is " + quoted(rule) + ", expected half_pixel or output_half_pixel");
  }
  plan.offset = rule == "half_pixel" ? 0.5F : 0.0F;
  plan.spatial_scale = attributes.get_float("spatial_scale", 1.0F);
  plan.sampling_ratio = attributes.get_int("sampling_ratio", 0);
  plan.pooled_height = attributes.get_int("output_height", 1);
  plan.pooled_width = attributes.get_int("output_width", 1);
  const bool pools = plan.pooled_height >= 1 && plan.pooled_height <= kMaxPooledExtent && plan.pooled_width >= 1 &&
                     plan.pooled_width <= kMaxPooledExtent;
  if (!pools) return invalid("output_height or output_width is outside 1 to " + std::to_string(kMaxPooledExtent));
  if (plan.sampling_ratio < 0 || static_cast<float>(plan.sampling_ratio) > kMaxSamples) {
    return invalid("sampling_ratio is " + std::to_string(plan.sampling_ratio) + ", expected 0 to 4096");
  }
  const Shape& in = args.shape(0);
  plan.batch = in[0];
  plan.channels = in[1];
  plan.height = in[2];
  plan.width = in[3];
  plan.regions = args.shape(1)[0];
  return plan;
}

}  // namespace

Result<Inferred> infer_roi_align(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto is_float = vision::require_float(args, 1, "rois"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_rank(args, 0, 4, "input"); !ranked.ok()) return ranked.error();
  if (auto ranked = vision::require_rank(args, 1, 2, "rois"); !ranked.ok()) return ranked.error();
  const Shape& rois = args.shape(1);
  if (rois[1] != 4) return invalid("rois has shape " + to_string(rois) + ", expected [num_rois, 4]");
  if (args.type(2) != TensorType{DType::kInt64, Shape{rois[0]}}) {
    return invalid("batch_indices is " + to_string(args.type(2)) + ", expected int64[" + std::to_string(rois[0]) + "]");
  }
  const auto plan = plan_of(args);
  if (!plan.ok()) return plan.error();
  if (plan->height == 0 || plan->width == 0) {
    return invalid("input has shape " + to_string(args.shape(0)) + ", there is nothing to pool");
  }
  return vision::one_output(
      {DType::kFloat32, {plan->regions, plan->channels, plan->pooled_height, plan->pooled_width}});
}

Result<Prepared> lower_roi_align(const LowerArgs& args) {
  const auto plan = plan_of(args);
  if (!plan.ok()) return plan.error();
  const auto run = [plan = *plan](const KernelIo& io) { return pool_regions(plan, io); };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace halfstep::ops
