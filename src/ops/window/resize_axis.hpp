// resize_axis.hpp: which input positions each output position of a resized axis reads, and with what weights.
#pragma once

#include <cstdint>
#include <vector>

namespace halfstep::ops {

enum class Interpolation { kNearest, kLinear, kCubic };

/// Which neighbour nearest interpolation takes.
enum class NearestRule { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

/// How an output coordinate maps to an input coordinate; named as in ONNX.
enum class CoordinateRule {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};

/// What all axes of one Resize share.
struct ResizeRules {
  Interpolation interpolation = Interpolation::kNearest;
  CoordinateRule coordinates = CoordinateRule::kHalfPixel;
  NearestRule nearest = NearestRule::kRoundPreferFloor;
  bool antialias = false;
  bool exclude_outside = false;
  double cubic_a = -0.75;
};

/// One axis. Unless resized, out == in and nothing else matters.
struct ResizeAxis {
  bool resized = false;
  std::int64_t in = 1;
  std::int64_t out = 1;
  double scale = 1.0;     ///< Output positions per input position.
  double real_out = 1.0;  ///< The output extent before rounding.
  /// Relative error of `scale`. A float32 scale of 0.6 stands for 3/5, and
  /// nearest interpolation must not fall on the other side of a tie for that.
  double scale_error = 1e-14;
  double roi_start = 0.0;
  double roi_end = 1.0;
};

/// Output position o is the sum over t of weights[o * taps + t] * input[indices[o * taps + t]].
/// Nearest interpolation has one tap and no weights.
struct ResizeTable {
  std::int64_t taps = 1;
  std::vector<std::int64_t> indices;  ///< In [0, in).
  std::vector<double> weights;
  std::vector<std::int64_t> outside;  ///< Output positions that take the extrapolation value instead.
};

/// Requires in >= 1 or out == 0, and finite scale > 0 and roi.
ResizeTable resize_table(const ResizeAxis& axis, const ResizeRules& rules);

}  // namespace halfstep::ops
