// resize_spec.cpp: reads and checks a Resize node.
#include "ops/window/resize_spec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

// Bounds the tables that are made for each resized axis.
constexpr std::int64_t kMaxResizedExtent = std::int64_t{1} << 26;

enum class AspectPolicy { kStretch, kNotLarger, kNotSmaller };

template <class T>
struct Choice {
  std::string_view name;
  T value;
};

constexpr Choice<Interpolation> kInterpolations[] = {
    {"nearest", Interpolation::kNearest}, {"linear", Interpolation::kLinear}, {"cubic", Interpolation::kCubic}};
constexpr Choice<NearestRule> kNearestRules[] = {{"round_prefer_floor", NearestRule::kRoundPreferFloor},
                                                 {"round_prefer_ceil", NearestRule::kRoundPreferCeil},
                                                 {"floor", NearestRule::kFloor},
                                                 {"ceil", NearestRule::kCeil}};
constexpr Choice<CoordinateRule> kCoordinateRules[] = {{"half_pixel", CoordinateRule::kHalfPixel},
                                                       {"half_pixel_symmetric", CoordinateRule::kHalfPixelSymmetric},
                                                       {"pytorch_half_pixel", CoordinateRule::kPytorchHalfPixel},
                                                       {"align_corners", CoordinateRule::kAlignCorners},
                                                       {"asymmetric", CoordinateRule::kAsymmetric},
                                                       {"tf_half_pixel_for_nn", CoordinateRule::kTfHalfPixelForNn},
                                                       {"tf_crop_and_resize", CoordinateRule::kTfCropAndResize}};
constexpr Choice<AspectPolicy> kPolicies[] = {{"stretch", AspectPolicy::kStretch},
                                              {"not_larger", AspectPolicy::kNotLarger},
                                              {"not_smaller", AspectPolicy::kNotSmaller}};

/// The choice an attribute names; the first one when it is absent.
template <class T, std::size_t N>
Result<T> choice_of(const NodeArgs& args, const std::string& attribute, const Choice<T> (&choices)[N]) {
  const std::string name = args.attributes().get_string(attribute, std::string(choices[0].name));
  for (const Choice<T>& choice : choices) {
    if (choice.name == name) return choice.value;
  }
  return invalid(attribute + " is " + quoted(name) + ", which is not one of its values");
}

Result<ResizeRules> rules_of(const NodeArgs& args) {
  const auto interpolation = choice_of(args, "mode", kInterpolations);
  if (!interpolation.ok()) return interpolation.error();
  const auto coordinates = choice_of(args, "coordinate_transformation_mode", kCoordinateRules);
  if (!coordinates.ok()) return coordinates.error();
  const auto nearest = choice_of(args, "nearest_mode", kNearestRules);
  if (!nearest.ok()) return nearest.error();
  ResizeRules rules;
  rules.interpolation = *interpolation;
  rules.coordinates = *coordinates;
  rules.nearest = *nearest;
  rules.antialias = args.attributes().get_int("antialias", 0) != 0;
  rules.exclude_outside = args.attributes().get_int("exclude_outside", 0) != 0;
  rules.cubic_a = static_cast<double>(args.attributes().get_float("cubic_coeff_a", -0.75F));
  if (!std::isfinite(rules.cubic_a)) return invalid("cubic_coeff_a is not finite");
  return rules;
}

/// The dimensions that roi, scales and sizes speak of.
Result<std::vector<int>> selected_axes(const NodeArgs& args) {
  const int rank = args.shape(0).rank();
  std::vector<int> axes;
  const auto* given = args.attributes().find<std::vector<std::int64_t>>("axes");
  if (given == nullptr) {
    for (int axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
  }
  for (const std::int64_t value : *given) {
    const auto axis = normalize_axis(value, rank);
    if (!axis.ok()) return axis.error();
    if (std::ranges::find(axes, *axis) != axes.end())
      return invalid("axes names axis " + std::to_string(*axis) + " twice");
    axes.push_back(*axis);
  }
  return axes;
}

/// Operand `i` is given and not the empty tensor that stands for an absent one.
bool is_set(const NodeArgs& args, std::size_t i) { return args.has(i) && args.type(i).shape != Shape{0}; }

Result<void> check_operand(const NodeArgs& args, std::size_t i, DType dtype, std::size_t count,
                           const std::string& name) {
  const TensorType expected{dtype, Shape{static_cast<std::int64_t>(count)}};
  if (args.type(i) != expected) {
    return invalid(name + " is " + to_string(args.type(i)) + ", expected " + to_string(expected));
  }
  return {};
}

Result<void> apply_roi(const NodeArgs& args, const std::vector<int>& axes, ResizeSpec& spec) {
  if (!is_set(args, 1)) return invalid("tf_crop_and_resize needs roi");
  if (auto fits = check_operand(args, 1, DType::kFloat32, 2 * axes.size(), "roi"); !fits.ok()) return fits;
  const auto roi = args.value(1)->values<float>();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = spec.axes[static_cast<std::size_t>(axes[i])];
    axis.roi_start = static_cast<double>(roi[i]);
    axis.roi_end = static_cast<double>(roi[axes.size() + i]);
    if (!std::isfinite(roi[i]) || !std::isfinite(roi[axes.size() + i]))
      return invalid("roi has a value that is not finite");
    axis.resized = axis.roi_start != 0.0 || axis.roi_end != 1.0;
  }
  return {};
}

Result<void> apply_scales(const NodeArgs& args, const std::vector<int>& axes, ResizeSpec& spec) {
  if (auto fits = check_operand(args, 2, DType::kFloat32, axes.size(), "scales"); !fits.ok()) return fits;
  const auto scales = args.value(2)->values<float>();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = spec.axes[static_cast<std::size_t>(axes[i])];
    if (!std::isfinite(scales[i]) || scales[i] <= 0.0F) {
      return invalid("scales has the value " + std::to_string(scales[i]) + ", expected a positive number");
    }
    // In float32, as ONNX shape inference computes it: 10 times 0.7F is 7 there, but just below 7 in double.
    const float extent = std::floor(static_cast<float>(axis.in) * scales[i]);
    if (!(extent <= static_cast<float>(kMaxResizedExtent)) && scales[i] != 1.0F) {
      return unsupported("an axis resized by " + std::to_string(scales[i]) + " is longer than " +
                         std::to_string(kMaxResizedExtent));
    }
    axis.scale = static_cast<double>(scales[i]);
    axis.scale_error = static_cast<double>(std::numeric_limits<float>::epsilon()) / 2.0;
    axis.out = scales[i] == 1.0F ? axis.in : static_cast<std::int64_t>(extent);
    axis.real_out = axis.scale * static_cast<double>(axis.in);
  }
  return {};
}

/// The common scale of all axes that keeps the aspect ratio.
double common_scale(const std::vector<int>& axes, const ResizeSpec& spec, AspectPolicy policy) {
  double scale = spec.axes[static_cast<std::size_t>(axes[0])].scale;
  for (const int i : axes) {
    const double own = spec.axes[static_cast<std::size_t>(i)].scale;
    scale = policy == AspectPolicy::kNotLarger ? std::min(scale, own) : std::max(scale, own);
  }
  return scale;
}

Result<void> apply_sizes(const NodeArgs& args, const std::vector<int>& axes, ResizeSpec& spec) {
  const auto policy = choice_of(args, "keep_aspect_ratio_policy", kPolicies);
  if (!policy.ok()) return policy.error();
  if (auto fits = check_operand(args, 3, DType::kInt64, axes.size(), "sizes"); !fits.ok()) return fits;
  const auto sizes = args.value(3)->values<std::int64_t>();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = spec.axes[static_cast<std::size_t>(axes[i])];
    if (sizes[i] == axis.in && *policy == AspectPolicy::kStretch) continue;
    if (sizes[i] < 1 || sizes[i] > kMaxResizedExtent) {
      return invalid("sizes has the value " + std::to_string(sizes[i]) + ", expected 1 to " +
                     std::to_string(kMaxResizedExtent));
    }
    if (axis.in == 0) return invalid("an axis of extent 0 cannot be resized to " + std::to_string(sizes[i]));
    axis.out = sizes[i];
    axis.real_out = static_cast<double>(axis.out);
    axis.scale = axis.real_out / static_cast<double>(axis.in);
  }
  if (*policy == AspectPolicy::kStretch || axes.empty()) return {};
  const double scale = common_scale(axes, spec, *policy);
  for (const int i : axes) {
    ResizeAxis& axis = spec.axes[static_cast<std::size_t>(i)];
    axis.scale = scale;
    axis.real_out = scale * static_cast<double>(axis.in);
    if (!(axis.real_out < static_cast<double>(kMaxResizedExtent))) {
      return unsupported("an axis resized by " + std::to_string(scale) + " is longer than " +
                         std::to_string(kMaxResizedExtent));
    }
    axis.out = static_cast<std::int64_t>(std::floor(axis.real_out + 0.5));
  }
  return {};
}

Result<void> mark_resized(ResizeSpec& spec) {
  for (ResizeAxis& axis : spec.axes) {
    axis.resized = axis.resized || axis.out != axis.in || axis.scale != 1.0;
    if (!axis.resized) continue;
    if (axis.in == 0 && axis.out != 0) return invalid("an axis of extent 0 cannot be resized");
    if (axis.in > kMaxResizedExtent || axis.out > kMaxResizedExtent) {
      return unsupported("a resized axis is longer than " + std::to_string(kMaxResizedExtent));
    }
  }
  return {};
}

}  // namespace

Shape ResizeSpec::output_shape() const {
  Shape shape;
  for (const ResizeAxis& axis : axes) shape.push_back(axis.out);
  return shape;
}

Result<std::optional<ResizeSpec>> resize_spec_of(const NodeArgs& args) {
  const auto rules = rules_of(args);
  if (!rules.ok()) return rules.error();
  const auto axes = selected_axes(args);
  if (!axes.ok()) return axes.error();
  const bool scales_set = is_set(args, 2);
  const bool sizes_set = is_set(args, 3);
  if (scales_set == sizes_set && !axes->empty()) {
    return invalid(scales_set ? "scales and sizes are both given, expected one of them"
                              : "neither scales nor sizes is given");
  }
  const bool crops = rules->coordinates == CoordinateRule::kTfCropAndResize;
  const std::size_t decisive = scales_set ? 2 : 3;
  if ((scales_set || sizes_set) && args.value(decisive) == nullptr) return std::optional<ResizeSpec>();
  if (crops && is_set(args, 1) && args.value(1) == nullptr) return std::optional<ResizeSpec>();

  ResizeSpec spec;
  spec.rules = *rules;
  spec.extrapolation_value = args.attributes().get_float("extrapolation_value", 0.0F);
  for (const std::int64_t extent : args.shape(0)) {
    ResizeAxis axis;
    axis.in = axis.out = extent;
    axis.real_out = static_cast<double>(extent);
    spec.axes.push_back(axis);
  }
  if (crops) {
    if (auto applied = apply_roi(args, *axes, spec); !applied.ok()) return applied.error();
  }
  if (scales_set) {
    if (auto applied = apply_scales(args, *axes, spec); !applied.ok()) return applied.error();
  }
  if (sizes_set) {
    if (auto applied = apply_sizes(args, *axes, spec); !applied.ok()) return applied.error();
  }
  if (auto marked = mark_resized(spec); !marked.ok()) return marked.error();
  return std::optional<ResizeSpec>(std::move(spec));
}

}  // namespace halfstep::ops
