// im2col.cpp: convolution windows laid out as matrix columns, and back.
#include "kernels/im2col.hpp"

#include <algorithm>

#include "kernels/window_runs.hpp"

namespace halfstep::kernels {

void im2col(const Windows& w, const float* image, std::int64_t channels, std::int64_t first, std::int64_t last,
            float* columns) {
  const std::int64_t stride = w.stride[2];
  float* to = columns;
  for (std::int64_t channel = 0; channel < channels; ++channel, image += w.image_size()) {
    for_each_tap(w, [&](const WindowTap& tap) {
      for_each_run(w, first, last, [&](const WindowRun& run) {
        const InsideRun inside = inside_of(w, tap, run);
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
    for_each_tap(w, [&](const WindowTap& tap) {
      for_each_run(w, first, last, [&](const WindowRun& run) {
        const InsideRun inside = inside_of(w, tap, run);
        const float* in = from + run.column - run.first;
        float* row = image + inside.row;
        for (std::int64_t x = inside.begin; x < inside.end; ++x) row[x * stride + tap.x] += in[x];
      });
      from += last - first;
    });
  }
}

}  // namespace halfstep::kernels
