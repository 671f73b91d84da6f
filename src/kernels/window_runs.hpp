// window_runs.hpp: walks over window positions line by line, and over the taps of a kernel; internal to this layer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/im2col.hpp"

namespace halfstep::kernels {

/// A run of consecutive steps along the last axis: steps [first, last) of the
/// line with step coordinates (z, y), stored from column `column`.
struct WindowRun {
  std::int64_t z;
  std::int64_t y;
  std::int64_t first;
  std::int64_t last;
  std::int64_t column;
};

/// Calls f(run) for the runs that make up window positions [first, last), in order.
template <class F>
void for_each_run(const Windows& w, std::int64_t first, std::int64_t last, F&& f) {
  const std::int64_t width = w.steps[2];
  for (std::int64_t at = first; at < last;) {
    const std::int64_t line = at / width;
    const std::int64_t begin = at % width;
    const std::int64_t end = std::min(width, begin + (last - at));
    f(WindowRun{line / w.steps[1], line % w.steps[1], begin, end, at - first});
    at += end - begin;
  }
}

/// One tap of the kernel: offsets of the image element it reads at step 0.
struct WindowTap {
  std::int64_t z;
  std::int64_t y;
  std::int64_t x;
};

/// Tap `index` of the kernel, counted row-major.
inline WindowTap window_tap(const Windows& w, std::int64_t index) {
  const std::int64_t x = index % w.kernel[2];
  const std::int64_t y = index / w.kernel[2] % w.kernel[1];
  const std::int64_t z = index / w.kernel[2] / w.kernel[1];
  return {z * w.dilation[0] - w.pad[0], y * w.dilation[1] - w.pad[1], x * w.dilation[2] - w.pad[2]};
}

/// Calls f(tap) for every tap, row-major.
template <class F>
void for_each_tap(const Windows& w, F&& f) {
  const std::int64_t num_taps = w.kernel_size();
  for (std::int64_t index = 0; index < num_taps; ++index) f(window_tap(w, index));
}

/// The part [begin, end) of a run whose elements lie inside the image, for one tap. Empty
/// (begin == end == run.last) where the whole line lies outside.
struct InsideRun {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t row;  ///< Offset of the image row.
};

inline InsideRun inside_of(const Windows& w, const WindowTap& tap, const WindowRun& run) {
  const auto ceil_div_nonnegative = [](std::int64_t a, std::int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; };
  const std::int64_t z = run.z * w.stride[0] + tap.z;
  const std::int64_t y = run.y * w.stride[1] + tap.y;
  if (z < 0 || z >= w.image[0] || y < 0 || y >= w.image[1]) return {run.last, run.last, 0};
  const std::int64_t begin = std::clamp(ceil_div_nonnegative(-tap.x, w.stride[2]), run.first, run.last);
  const std::int64_t end = std::clamp(ceil_div_nonnegative(w.image[2] - tap.x, w.stride[2]), begin, run.last);
  return {begin, end, (z * w.image[1] + y) * w.image[2]};
}

}  // namespace halfstep::kernels
