// pool_window.hpp: where the windows of pooling and convolution lie on their input.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/attributes.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// One spatial axis of a sliding window. Tap k of window o reads input
/// position o * stride - pad_begin + k * dilation.
struct WindowAxis {
  std::int64_t in = 1;  ///< Extent of the input, without padding.
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;
  std::int64_t out = 1;  ///< Number of windows, >= 1.

  /// Input positions from the first tap to the last, both included.
  std::int64_t span() const { return (kernel - 1) * dilation + 1; }

  /// Input position of tap 0 of window `o`; negative inside the padding.
  std::int64_t start(std::int64_t o) const { return o * stride - pad_begin; }
};

/// Taps [first, last) of a window.
struct TapRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t count() const { return last - first; }
};

/// The taps of window `o` that fall on positions [low, high). low = 0 and
/// high = axis.in leaves the padding out.
TapRange taps_between(const WindowAxis& axis, std::int64_t o, std::int64_t low, std::int64_t high);

/// Reads strides, dilations, pads, auto_pad and ceil_mode (ONNX, opset 22
/// meaning: under ceil_mode no window starts in the padding behind the input)
/// for windows of `kernel` over spatial extents `in`. Convolution has no
/// ceil_mode attribute and so rounds down.
/// Errors: kInvalidInput if counts differ, a value is out of range or a
/// window is larger than its padded input.
Result<std::vector<WindowAxis>> window_axes(const graph::Attributes& attributes, std::span<const std::int64_t> in,
                                            std::span<const std::int64_t> kernel);

}  // namespace halfstep::ops
