// resize_taps.hpp: which pixels, with which weights, make a pixel of a resized axis.
#pragma once

#include <cstdint>
#include <vector>

#include "halfstep/preprocess.hpp"

namespace halfstep::io {

/// Part of an axis that is resized.
struct ResizedAxis {
  std::int64_t from = 0;   ///< Extent before; above 0.
  std::int64_t to = 0;     ///< Extent after; above 0.
  std::int64_t first = 0;  ///< Of the pixels after that are wanted.
  std::int64_t count = 0;
};

/// The weights of one pixel after, for neighbours before.
struct Taps {
  std::int64_t first = 0;
  std::vector<double> weights;  ///< Not empty; they add up to 1 but for rounding.
};

/// The taps of each pixel that is wanted, as Pillow chooses them. Not for kNearest.
std::vector<Taps> pillow_taps(const ResizedAxis& axis, PhotoFilter filter);

/// The same for OpenCV. `shrinks`: neither axis of the image grows; says what kArea means.
std::vector<Taps> opencv_taps(const ResizedAxis& axis, PhotoFilter filter, bool shrinks);

/// The pixel before that each pixel is a copy of: kNearest.
std::vector<std::int64_t> nearest_pixels(const ResizedAxis& axis, Resampling resampling);

}  // namespace halfstep::io
