// resize_axis.cpp: coordinates and interpolation weights along one axis.
#include "ops/window/resize_axis.hpp"

#include <algorithm>
#include <cmath>

namespace halfstep::ops {
namespace {

/// Input coordinate of output position `o`.
double source_of(std::int64_t o, const ResizeAxis& axis, CoordinateRule rule) {
  const double x = static_cast<double>(o);
  const double in = static_cast<double>(axis.in);
  switch (rule) {
    case CoordinateRule::kHalfPixel:
      break;
    case CoordinateRule::kHalfPixelSymmetric: {
      const double adjustment = static_cast<double>(axis.out) / axis.real_out;
      return in / 2.0 * (1.0 - adjustment) + (x + 0.5) / axis.scale - 0.5;
    }
    case CoordinateRule::kPytorchHalfPixel:
      return axis.out > 1 ? (x + 0.5) / axis.scale - 0.5 : 0.0;
    case CoordinateRule::kAlignCorners:
      return axis.real_out == 1.0 ? 0.0 : x * (in - 1.0) / (axis.real_out - 1.0);
    case CoordinateRule::kAsymmetric:
      return x / axis.scale;
    case CoordinateRule::kTfHalfPixelForNn:
      return (x + 0.5) / axis.scale;
    case CoordinateRule::kTfCropAndResize: {
      const double width = axis.roi_end - axis.roi_start;
      return axis.roi_start * (in - 1.0) +
             (axis.real_out == 1.0 ? width * (in - 1.0) / 2.0 : x * width * (in - 1.0) / (axis.real_out - 1.0));
    }
  }
  return (x + 0.5) / axis.scale - 0.5;
}

/// The multiple of 1/2 that x stands for, if x is one up to the error of the scale; else x.
double snapped(double x, double relative_error) {
  const double half = std::round(2.0 * x) / 2.0;
  return std::fabs(x - half) <= relative_error * (std::fabs(x) + 1.0) ? half : x;
}

std::int64_t nearest_of(double x, NearestRule rule) {
  const double below = std::floor(x);
  const double rest = x - below;
  bool up = false;
  switch (rule) {
    case NearestRule::kRoundPreferFloor:
      up = rest > 0.5;
      break;
    case NearestRule::kRoundPreferCeil:
      up = rest >= 0.5;
      break;
    case NearestRule::kFloor:
      break;
    case NearestRule::kCeil:
      up = rest > 0.0;
      break;
  }
  return static_cast<std::int64_t>(below) + (up ? 1 : 0);
}

double linear_kernel(double distance) { return std::max(0.0, 1.0 - std::fabs(distance)); }

/// Keys' cubic convolution (Keys 1981, equation 4) with parameter `a`.
double cubic_kernel(double distance, double a) {
  const double d = std::fabs(distance);
  if (d <= 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  if (d < 2.0) return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
  return 0.0;
}

/// The taps of one output position: first index (unclamped) and weights.
class Filter {
 public:
  Filter(const ResizeAxis& axis, const ResizeRules& rules)
      : rules_(rules), shrink_(rules.antialias ? std::min(axis.scale, 1.0) : 1.0) {
    // Half the support on either side of the coordinate, widened when antialiasing.
    const double reach = rules.interpolation == Interpolation::kCubic ? 2.0 : 1.0;
    half_ = -static_cast<std::int64_t>(std::floor(-reach / shrink_));
  }

  std::int64_t taps() const { return 2 * half_; }

  /// The leftmost tap for coordinate `x`. A whole x counts as the right one of
  /// its two middle taps, so that the distances of all taps stay within reach.
  std::int64_t first(double x) const { return static_cast<std::int64_t>(std::ceil(x)) - half_; }

  double weight(double distance) const {
    return rules_.interpolation == Interpolation::kCubic ? cubic_kernel(distance * shrink_, rules_.cubic_a)
                                                         : linear_kernel(distance * shrink_);
  }

 private:
  const ResizeRules& rules_;
  double shrink_;
  std::int64_t half_;
};

void normalize(double* weights, std::int64_t count) {
  double sum = 0.0;
  for (std::int64_t t = 0; t < count; ++t) sum += weights[t];
  if (sum == 0.0) return;
  for (std::int64_t t = 0; t < count; ++t) weights[t] /= sum;
}

void add_taps(double x, const ResizeAxis& axis, const ResizeRules& rules, const Filter& filter, ResizeTable& table) {
  const std::int64_t first = filter.first(x);
  const std::size_t begin = table.weights.size();
  for (std::int64_t t = 0; t < table.taps; ++t) {
    const std::int64_t position = first + t;
    const bool outside = position < 0 || position >= axis.in;
    table.indices.push_back(std::clamp<std::int64_t>(position, 0, axis.in - 1));
    table.weights.push_back(outside && rules.exclude_outside ? 0.0 : filter.weight(static_cast<double>(position) - x));
  }
  if (rules.antialias || rules.exclude_outside) normalize(table.weights.data() + begin, table.taps);
}

}  // namespace

ResizeTable resize_table(const ResizeAxis& axis, const ResizeRules& rules) {
  ResizeTable table;
  if (axis.out == 0) return table;
  const bool nearest = rules.interpolation == Interpolation::kNearest;
  const Filter filter(axis, rules);
  if (!nearest) table.taps = filter.taps();
  const double last = static_cast<double>(axis.in - 1);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    double x = source_of(o, axis, rules.coordinates);
    if (rules.coordinates == CoordinateRule::kTfCropAndResize && !(x >= 0.0 && x <= last)) table.outside.push_back(o);
    // Further out every tap is clamped anyway; and the conversions to integers stay defined.
    const double reach = static_cast<double>(table.taps) + 2.0;
    x = std::isnan(x) ? 0.0 : std::clamp(x, -reach, last + reach);
    if (nearest) {
      table.indices.push_back(
          std::clamp<std::int64_t>(nearest_of(snapped(x, axis.scale_error), rules.nearest), 0, axis.in - 1));
    } else {
      add_taps(x, axis, rules, filter, table);
    }
  }
  return table;
}

}  // namespace halfstep::ops
