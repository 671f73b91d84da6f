// image_resize.hpp: photos in other sizes, by the arithmetic of Pillow or of OpenCV.
#pragma once

#include <cstdint>

#include "halfstep/preprocess.hpp"
#include "io/samples/image.hpp"

namespace halfstep::io {

/// A part of an image, in pixels.
struct ImageWindow {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// What lies in `window` of `image` resized to height x width; the rest is not computed. Requires: an image that is not
/// empty, a window within the size, which may itself be far larger than any image.
///
/// kPillow: weights in 22 fractional bits, along rows first, rounded to a level, then along columns, rounded again;
/// equal to Pillow's resize() but for kNearest at ties of the last bit. kArea is its box filter.
/// kOpenCv: real weights, rounded once; within one level of cv2.resize(), which has 11 fractional bits. kArea averages
/// what each pixel covers; where one of the axes grows it is bilinear with OpenCV's positions for that.
Image resize(const Image& image, PhotoSize size, const ImageWindow& window, PhotoFilter filter, Resampling resampling);

}  // namespace halfstep::io
