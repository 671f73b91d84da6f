// im2col.cpp: convolution windows laid out as matrix columns, and back.
#include "kernels/im2col.hpp"

#include <algorithm>

namespace halfstep::kernels {
namespace {

std::int64_t ceil_div_nonnegative(std::int64_t a, std::int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; }

// A run of consecutive steps along the last axis: steps [first, last) of line
// `line` (all other step coordinates), stored from column `column`.
struct Run {
  std::int64_t z;
  std::int64_t y;
  std::int64_t first;
  std::int64_t last;
  std::int64_t column;
};

template <class F>
void for_each_run(const Windows& w, std::int64_t first, std::int64_t last, F&& f) {
  const std::int64_t width = w.steps[2];
  for (std::int64_t at = first; at < last;) {
    const std::int64_t line = at / width;
    const std::int64_t begin = at % width;
    const std::int64_t end = std::min(width, begin + (last - at));
    f(Run{line / w.steps[1], line % w.steps[1], begin, end, at - first});
    at += end - begin;
  }
}

// One tap of the kernel: offsets of the image element it reads at step 0.
struct Tap {
  std::int64_t z;
  std::int64_t y;
  std::int64_t x;
};

template <class F>
void for_each_tap(const Windows& w, F&& f) {
  for (std::int64_t z = 0; z < w.kernel[0]; ++z) {
    for (std::int64_t y = 0; y < w.kernel[1]; ++y) {
      for (std::int64_t x = 0; x < w.kernel[2]; ++x) {
        f(Tap{z * w.dilation[0] - w.pad[0], y * w.dilation[1] - w.pad[1], x * w.dilation[2] - w.pad[2]});
      }
    }
  }
}

// The part of a run whose elements lie inside the image, for one tap. Empty
// (begin == end == run.last) where the whole line lies outside.
struct Inside {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t row;  // Offset of the image row.
};

Inside inside_of(const Windows& w, const Tap& tap, const Run& run) {
  const std::int64_t z = run.z * w.stride[0] + tap.z;
  const std::int64_t y = run.y * w.stride[1] + tap.y;
  if (z < 0 || z >= w.image[0] || y < 0 || y >= w.image[1]) return {run.last, run.last, 0};
  const std::int64_t begin = std::clamp(ceil_div_nonnegative(-tap.x, w.stride[2]), run.first, run.last);
  const std::int64_t end = std::clamp(ceil_div_nonnegative(w.image[2] - tap.x, w.stride[2]), begin, run.last);
  return {begin, end, (z * w.image[1] + y) * w.image[2]};
}

}  // namespace

void im2col(const Windows& w, const float* image, std::int64_t channels, std::int64_t first, std::int64_t last,
            float* columns) {
  const std::int64_t stride = w.stride[2];
  float* to = columns;
  for (std::int64_t channel = 0; channel < channels; ++channel, image += w.image_size()) {
    for_each_tap(w, [&](const Tap& tap) {
      for_each_run(w, first, last, [&](const Run& run) {
        const Inside inside = inside_of(w, tap, run);
        float* out = to + run.column - run.first;
        std::fill(out + run.first, out + inside.begin, 0.0F);
        if (inside.begin < inside.end) {
          const float* row = image + inside.row;
          if (stride == 1) {
            std::copy(row + inside.begin + tap.x, row + inside.end + tap.x, out + inside.begin);
          } else {
            for (std::int64_t x = inside.begin; x < inside.end; ++x) out[x] = row[x * stride + tap.x];
          }
        }
        std::fill(out + inside.end, out + run.last, 0.0F);
      });
      to += last - first;
    });
  }
}

void col2im_add(const Windows& w, const float* columns, std::int64_t channels, std::int64_t first, std::int64_t last,
                float* image) {
  const std::int64_t stride = w.stride[2];
  const float* from = columns;
  for (std::int64_t channel = 0; channel < channels; ++channel, image += w.image_size()) {
    for_each_tap(w, [&](const Tap& tap) {
      for_each_run(w, first, last, [&](const Run& run) {
        const Inside inside = inside_of(w, tap, run);
        const float* in = from + run.column - run.first;
        float* row = image + inside.row;
        for (std::int64_t x = inside.begin; x < inside.end; ++x) row[x * stride + tap.x] += in[x];
      });
      from += last - first;
    });
  }
}

}  // namespace halfstep::kernels
