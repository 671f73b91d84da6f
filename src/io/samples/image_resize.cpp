// image_resize.cpp: two passes over the pixels that the window needs.
#include "io/samples/image_resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "io/samples/resize_taps.hpp"

namespace halfstep::io {
namespace {

/// Fractional bits of Pillow's weights: 32 less 8 of a level, less 2 for sums of overshooting filters.
constexpr int kWeightBits = 22;

/// Taps of all pixels of an axis, one after the other.
template <class Weight>
struct FlatTaps {
  std::vector<std::int64_t> first;
  std::vector<std::size_t> begin;  ///< Of each pixel's weights; one more at the end.
  std::vector<Weight> weights;

  std::int64_t size() const { return static_cast<std::int64_t>(first.size()); }
};

std::int32_t fixed_weight(double weight) {
  return static_cast<std::int32_t>(std::trunc(weight * (1 << kWeightBits) + (weight < 0.0 ? -0.5 : 0.5)));
}

template <class Weight>
FlatTaps<Weight> flattened(const std::vector<Taps>& all) {
  FlatTaps<Weight> flat;
  for (const Taps& taps : all) {
    flat.first.push_back(taps.first);
    flat.begin.push_back(flat.weights.size());
    for (const double weight : taps.weights) {
      if constexpr (std::is_same_v<Weight, std::int32_t>) {
        flat.weights.push_back(fixed_weight(weight));
      } else {
        flat.weights.push_back(static_cast<Weight>(weight));
      }
    }
  }
  flat.begin.push_back(flat.weights.size());
  return flat;
}

/// Rows or columns that some taps read: [first, last).
struct Span {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

template <class Weight>
Span read_by(const FlatTaps<Weight>& taps) {
  Span span{taps.first.front(), taps.first.front()};
  for (std::size_t i = 0; i < taps.first.size(); ++i) {
    span.first = std::min(span.first, taps.first[i]);
    span.last = std::max(span.last, taps.first[i] + static_cast<std::int64_t>(taps.begin[i + 1] - taps.begin[i]));
  }
  return span;
}

/// A sum with 22 fractional bits as a level. |sum| < 2^31: the weights of a cubic filter add up to less than 2 in
/// magnitude, levels to less than 2^8.
std::uint8_t level_of(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
}

std::uint8_t level_of(float sum) { return static_cast<std::uint8_t>(std::clamp(std::lrintf(sum), 0L, 255L)); }

/// One row along its pixels. `Stored`: what the pass along columns reads.
template <int Channels, class Weight, class Stored>
void resize_row(const std::uint8_t* from, const FlatTaps<Weight>& taps, Stored* to) {
  for (std::int64_t x = 0; x < taps.size(); ++x) {
    const auto i = static_cast<std::size_t>(x);
    const std::uint8_t* pixel = from + taps.first[i] * Channels;
    Weight sums[Channels] = {};
    for (std::size_t k = taps.begin[i]; k < taps.begin[i + 1]; ++k, pixel += Channels) {
      for (int c = 0; c < Channels; ++c) sums[c] += static_cast<Weight>(pixel[c]) * taps.weights[k];
    }
    for (int c = 0; c < Channels; ++c) {
      if constexpr (std::is_same_v<Stored, std::uint8_t>) {
        *to++ = level_of(sums[c]);
      } else {
        *to++ = sums[c];
      }
    }
  }
}

/// Both passes. Pillow stores levels between them, OpenCV real numbers.
template <class Weight, class Stored>
Image resize_by(const Image& image, const std::vector<Taps>& along_rows, const std::vector<Taps>& along_columns) {
  const auto x_taps = flattened<Weight>(along_rows);
  const auto y_taps = flattened<Weight>(along_columns);
  const Span rows = read_by(y_taps);
  Image result = blank_image(y_taps.size(), x_taps.size(), image.channels);
  const std::int64_t row_size = result.row_size();
  std::vector<Stored> between(static_cast<std::size_t>((rows.last - rows.first) * row_size));
  for (std::int64_t y = rows.first; y < rows.last; ++y) {
    Stored* to = between.data() + (y - rows.first) * row_size;
    if (image.channels == 1) {
      resize_row<1>(image.row(y), x_taps, to);
    } else {
      resize_row<3>(image.row(y), x_taps, to);
    }
  }
  std::vector<Weight> sums(static_cast<std::size_t>(row_size));
  for (std::int64_t y = 0; y < result.height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    std::ranges::fill(sums, Weight{0});
    const Stored* from = between.data() + (y_taps.first[i] - rows.first) * row_size;
    for (std::size_t k = y_taps.begin[i]; k < y_taps.begin[i + 1]; ++k, from += row_size) {
      const Weight weight = y_taps.weights[k];
      for (std::size_t x = 0; x < sums.size(); ++x) sums[x] += static_cast<Weight>(from[x]) * weight;
    }
    std::ranges::transform(sums, result.row(y), [](Weight sum) { return level_of(sum); });
  }
  return result;
}

Image copy_nearest(const Image& image, const ResizedAxis& x_axis, const ResizedAxis& y_axis, Resampling resampling) {
  const std::vector<std::int64_t> columns = nearest_pixels(x_axis, resampling);
  const std::vector<std::int64_t> rows = nearest_pixels(y_axis, resampling);
  Image result = blank_image(y_axis.count, x_axis.count, image.channels);
  std::uint8_t* to = result.pixels.data();
  for (const std::int64_t row : rows) {
    for (const std::int64_t column : columns) {
      to = std::copy_n(image.row(row) + column * image.channels, image.channels, to);
    }
  }
  return result;
}

}  // namespace

Image resize(const Image& image, PhotoSize size, const ImageWindow& window, PhotoFilter filter, Resampling resampling) {
  const ResizedAxis x_axis{image.width, size.width, window.left, window.width};
  const ResizedAxis y_axis{image.height, size.height, window.top, window.height};
  // Also where nothing changes: as both libraries, every level stays as it is.
  const bool is_copy = size.width == image.width && size.height == image.height;
  if (filter == PhotoFilter::kNearest || is_copy) return copy_nearest(image, x_axis, y_axis, resampling);
  if (resampling == Resampling::kPillow) {
    return resize_by<std::int32_t, std::uint8_t>(image, pillow_taps(x_axis, filter), pillow_taps(y_axis, filter));
  }
  const bool shrinks = size.width <= image.width && size.height <= image.height;
  return resize_by<float, float>(image, opencv_taps(x_axis, filter, shrinks), opencv_taps(y_axis, filter, shrinks));
}

}  // namespace halfstep::io
