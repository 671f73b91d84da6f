// vision_grid_sample.cpp: GridSample and AffineGrid.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {
namespace {

constexpr int kMaxAxes = 3;
constexpr std::size_t kMaxTapsPerAxis = 4;
constexpr std::int64_t kOutside = -1;

enum class Sampling { kNearest, kLinear, kCubic };
enum class Padding { kZeros, kBorder, kReflection };

struct SamplePlan {
  Sampling sampling = Sampling::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t points = 0;  ///< Output positions of one picture.
  Shape extents;            ///< Spatial extents of the input, outermost first.
};

/// The input positions one coordinate reads along one axis; kOutside reads 0.
struct AxisTaps {
  std::size_t count = 0;
  std::array<std::int64_t, kMaxTapsPerAxis> positions{};
  std::array<float, kMaxTapsPerAxis> weights{};
};

/// The same for all axes together, as offsets into a plane.
struct PointTaps {
  std::size_t count = 0;
  std::array<std::int64_t, 64> offsets{};  // 4 taps on each of 3 axes.
  std::array<float, 64> weights{};
};

double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0.0) return low;
  if (x >= low && x <= high) return x;
  const double beyond = x < low ? low - x : x - high;
  const double laps = std::floor(beyond / range);
  const double rest = beyond - laps * range;
  // Each lap turns the direction.
  const bool from_low = (x < low) == (std::fmod(laps, 2.0) == 0.0);
  return from_low ? low + rest : high - rest;
}

struct Borders {
  double low;
  double high;
};

Borders borders_of(const SamplePlan& plan, std::int64_t extent) {
  const double last = static_cast<double>(extent) - 1.0;
  return plan.align_corners ? Borders{0.0, last} : Borders{-0.5, last + 0.5};
}

/// The input coordinate of a normalized one, moved inside as the padding asks.
float coordinate_of(const SamplePlan& plan, float normalized, std::int64_t extent) {
  const float length = static_cast<float>(extent);
  float x =
      plan.align_corners ? (normalized + 1.0F) / 2.0F * (length - 1.0F) : ((normalized + 1.0F) * length - 1.0F) / 2.0F;
  // Not a place: read it as one outside, as infinity is.
  if (!std::isfinite(x)) x = x > 0.0F ? 2.0F * length + 8.0F : -8.0F;
  if (plan.sampling == Sampling::kNearest) x = std::nearbyint(x);
  const Borders borders = borders_of(plan, extent);
  if (x >= borders.low && x <= borders.high) return x;
  switch (plan.padding) {
    case Padding::kBorder:
      // Cubic taps are clamped one by one, as PyTorch and ONNX Runtime do.
      if (plan.sampling == Sampling::kCubic) break;
      return std::clamp(x, 0.0F, length - 1.0F);
    case Padding::kReflection:
      return static_cast<float>(reflected(x, borders.low, borders.high));
    case Padding::kZeros:
      break;
  }
  // Far outside all taps read 0, or the border, wherever it is; this keeps the conversion to integers defined.
  return std::clamp(x, -8.0F, length + 8.0F);
}

std::int64_t position_of(const SamplePlan& plan, std::int64_t i, std::int64_t extent) {
  if (i >= 0 && i < extent) return i;
  switch (plan.padding) {
    case Padding::kZeros:
      return kOutside;
    case Padding::kBorder:
      break;
    case Padding::kReflection: {
      const Borders borders = borders_of(plan, extent);
      i = static_cast<std::int64_t>(reflected(static_cast<double>(i), borders.low, borders.high));
      break;
    }
  }
  return std::clamp<std::int64_t>(i, 0, extent - 1);
}

/// Keys' cubic convolution with a = -0.75 at distance d in [0, 2].
float cubic_weight(float d) {
  constexpr float kA = -0.75F;
  if (d <= 1.0F) return ((kA + 2.0F) * d - (kA + 3.0F)) * d * d + 1.0F;
  return ((kA * d - 5.0F * kA) * d + 8.0F * kA) * d - 4.0F * kA;
}

AxisTaps axis_taps(const SamplePlan& plan, float x, std::int64_t extent) {
  AxisTaps taps;
  const float below = std::floor(x);
  const float rest = x - below;
  std::int64_t first = static_cast<std::int64_t>(below);
  switch (plan.sampling) {
    case Sampling::kNearest:
      // Whole already, unless it was reflected off a border between two positions.
      first = static_cast<std::int64_t>(x);
      taps.count = 1;
      taps.weights[0] = 1.0F;
      break;
    case Sampling::kLinear:
      taps.count = 2;
      taps.weights = {1.0F - rest, rest};
      break;
    case Sampling::kCubic:
      first -= 1;
      taps.count = 4;
      taps.weights = {cubic_weight(rest + 1.0F), cubic_weight(rest), cubic_weight(1.0F - rest),
                      cubic_weight(2.0F - rest)};
      break;
  }
  for (std::size_t t = 0; t < taps.count; ++t) {
    taps.positions[t] = position_of(plan, first + static_cast<std::int64_t>(t), extent);
  }
  return taps;
}

PointTaps point_taps(const SamplePlan& plan, const float* normalized) {
  PointTaps all;
  all.count = 1;
  all.weights[0] = 1.0F;
  const int rank = plan.extents.rank();
  for (int axis = 0; axis < rank; ++axis) {
    // The grid names the innermost axis first.
    const std::int64_t extent = plan.extents[axis];
    const AxisTaps taps = axis_taps(plan, coordinate_of(plan, normalized[rank - 1 - axis], extent), extent);
    PointTaps next;
    for (std::size_t i = 0; i < all.count; ++i) {
      for (std::size_t t = 0; t < taps.count; ++t) {
        if (taps.positions[t] == kOutside) continue;
        next.offsets[next.count] = all.offsets[i] * extent + taps.positions[t];
        next.weights[next.count] = all.weights[i] * taps.weights[t];
        ++next.count;
      }
    }
    all = next;
  }
  return all;
}

void sample(const SamplePlan& plan, const float* in, const float* grid, float* out) {
  const std::int64_t plane = plan.extents.num_elements();
  const int rank = plan.extents.rank();
  for (std::int64_t n = 0; n < plan.batch; ++n) {
    for (std::int64_t p = 0; p < plan.points; ++p, grid += rank) {
      const PointTaps taps = point_taps(plan, grid);
      for (std::int64_t c = 0; c < plan.channels; ++c) {
        const float* from = in + (n * plan.channels + c) * plane;
        float sum = 0.0F;
        for (std::size_t t = 0; t < taps.count; ++t) sum += taps.weights[t] * from[taps.offsets[t]];
        out[(n * plan.channels + c) * plan.points + p] = sum;
      }
    }
  }
}

Result<SamplePlan> sample_plan_of(const NodeArgs& args) {
  SamplePlan plan;
  const std::string mode = args.attributes().get_string("mode", "linear");
  if (mode == "nearest") {
    plan.sampling = Sampling::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {  // The longer names are those of opset 16.
    plan.sampling = Sampling::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    return invalid("mode is " + quoted(mode) + ", expected linear, nearest or cubic");
  }
  const std::string padding = args.attributes().get_string("padding_mode", "zeros");
  if (padding == "border") {
    plan.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    plan.padding = Padding::kReflection;
  } else if (padding != "zeros") {
    return invalid("padding_mode is " + quoted(padding) + ", expected zeros, border or reflection");
  }
  plan.align_corners = args.attributes().get_int("align_corners", 0) != 0;
  const Shape& in = args.shape(0);
  const Shape& grid = args.shape(1);
  plan.batch = in[0];
  plan.channels = in[1];
  plan.points = grid.num_elements(1, grid.rank() - 1);
  plan.extents = Shape(in.dims().subspan(2));
  return plan;
}

}  // namespace

Result<Inferred> infer_grid_sample(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto is_float = vision::require_float(args, 1, "grid"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 3, "input"); !ranked.ok()) return ranked.error();
  const Shape& in = args.shape(0);
  const Shape& grid = args.shape(1);
  const int axes = in.rank() - 2;
  if (axes > kMaxAxes) {
    return unsupported("input has " + std::to_string(axes) + " spatial dimensions, at most 3 are supported");
  }
  if (grid.rank() != in.rank() || grid[0] != in[0] || grid[grid.rank() - 1] != axes) {
    return invalid("grid has shape " + to_string(grid) + ", which does not fit an input of shape " + to_string(in));
  }
  const auto plan = sample_plan_of(args);
  if (!plan.ok()) return plan.error();
  Shape out{in[0], in[1]};
  for (int axis = 1; axis <= axes; ++axis) out.push_back(grid[axis]);
  for (int axis = 2; axis < in.rank(); ++axis) {
    if (in[axis] == 0) return invalid("input has shape " + to_string(in) + ", there is nothing to sample");
  }
  return vision::one_output({DType::kFloat32, std::move(out)});
}

Result<Prepared> lower_grid_sample(const LowerArgs& args) {
  const auto plan = sample_plan_of(args);
  if (!plan.ok()) return plan.error();
  const auto run = [plan = *plan](const KernelIo& io) -> Result<void> {
    sample(plan, io.inputs[0].data<float>(), io.inputs[1].data<float>(), io.outputs[0].data<float>());
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

Result<Inferred> infer_affine_grid(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "theta"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_rank(args, 0, 3, "theta"); !ranked.ok()) return ranked.error();
  const Shape& theta = args.shape(0);
  const std::int64_t axes = theta[1];
  if ((axes != 2 && axes != 3) || theta[2] != axes + 1) {
    return invalid("theta has shape " + to_string(theta) + ", expected [N, 2, 3] or [N, 3, 4]");
  }
  if (args.type(1) != TensorType{DType::kInt64, Shape{axes + 2}}) {
    return invalid("size is " + to_string(args.type(1)) + ", expected int64[" + std::to_string(axes + 2) + "]");
  }
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto size = args.value(1)->values<std::int64_t>();
  if (size[0] != theta[0]) {
    return invalid("size asks for " + std::to_string(size[0]) + " grids, theta has " + std::to_string(theta[0]));
  }
  Shape shape{theta[0]};
  for (std::size_t i = 2; i < size.size(); ++i) shape.push_back(size[i]);
  shape.push_back(axes);
  return vision::one_output({DType::kFloat32, std::move(shape)});
}

Result<Prepared> lower_affine_grid(const LowerArgs& args) {
  // Two-dimensional grids are three-dimensional ones of depth 1 whose z has no coefficient.
  const Shape& out = args.outputs[0].shape;
  const std::size_t axes = static_cast<std::size_t>(out.rank()) - 2;
  std::array<std::int64_t, kMaxAxes> extents{1, 1, 1};
  for (std::size_t i = 0; i < axes; ++i) extents[kMaxAxes - axes + i] = out[static_cast<int>(i) + 1];
  const bool align_corners = args.attributes().get_int("align_corners", 0) != 0;
  const auto run = [extents, axes, align_corners, batch = out[0]](const KernelIo& io) -> Result<void> {
    const auto at = [align_corners](std::int64_t i, std::int64_t extent) {
      const double position = static_cast<double>(i);
      if (align_corners) return extent > 1 ? 2.0 * position / static_cast<double>(extent - 1) - 1.0 : 0.0;
      return (2.0 * position + 1.0) / static_cast<double>(extent) - 1.0;
    };
    const float* theta = io.inputs[0].data<float>();
    float* to = io.outputs[0].data<float>();
    for (std::int64_t n = 0; n < batch; ++n, theta += axes * (axes + 1)) {
      for (std::int64_t d = 0; d < extents[0]; ++d) {
        for (std::int64_t h = 0; h < extents[1]; ++h) {
          for (std::int64_t w = 0; w < extents[2]; ++w) {
            const std::array<double, kMaxAxes> xyz{at(w, extents[2]), at(h, extents[1]), at(d, extents[0])};
            for (std::size_t row = 0; row < axes; ++row) {
              const float* coefficients = theta + row * (axes + 1);
              double sum = static_cast<double>(coefficients[axes]);
              for (std::size_t i = 0; i < axes; ++i) sum += static_cast<double>(coefficients[i]) * xyz[i];
              *to++ = static_cast<float>(sum);
            }
          }
        }
      }
    }
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace halfstep::ops
