// im2col.hpp: convolution windows laid out as matrix columns, and back.
#pragma once

#include <array>
#include <cstdint>

namespace halfstep::kernels {

/// Geometry of a convolution over up to three spatial axes (depth, height,
/// width); unused leading axes have extent, kernel, stride and dilation 1, pad 0.
/// `image` is the side the windows slide over, `steps` counts window positions.
struct Windows {
  std::array<std::int64_t, 3> image = {1, 1, 1};
  std::array<std::int64_t, 3> steps = {1, 1, 1};
  std::array<std::int64_t, 3> kernel = {1, 1, 1};
  std::array<std::int64_t, 3> stride = {1, 1, 1};
  std::array<std::int64_t, 3> dilation = {1, 1, 1};
  std::array<std::int64_t, 3> pad = {0, 0, 0};  ///< Before the first element of each axis.

  std::int64_t image_size() const { return image[0] * image[1] * image[2]; }
  std::int64_t num_steps() const { return steps[0] * steps[1] * steps[2]; }
  std::int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }
};

/// Fills columns[channels * kernel_size, last - first] (row-major, contiguous)
/// with the window positions [first, last) of image [channels, image_size];
/// outside the image is 0.
void im2col(const Windows& windows, const float* image, std::int64_t channels, std::int64_t first, std::int64_t last,
            float* columns);

/// The reverse: adds columns, as im2col lays them out, onto the image elements
/// they came from; what lies outside the image is dropped.
void col2im_add(const Windows& windows, const float* columns, std::int64_t channels, std::int64_t first,
                std::int64_t last, float* image);

}  // namespace halfstep::kernels
