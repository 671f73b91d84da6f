// photo_input.cpp: geometry, then numbers.
#include "io/samples/photo_input.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/samples/image_resize.hpp"

namespace halfstep::io {
namespace {

/// Sides of photos as networks see them; a photo may be larger.
constexpr std::int64_t kMaxSide = 16'384;

/// Extents of an input; -1 where unknown.
std::vector<std::int64_t> input_extents(const InputSpec& spec) {
  std::vector<std::int64_t> extents;
  if (spec.fixed) return {spec.fixed->begin(), spec.fixed->end()};
  if (!spec.dims) return extents;
  for (const DeclaredDim& dim : *spec.dims) extents.push_back(dim.extent < 0 ? -1 : dim.extent);
  return extents;
}

/// Where the channels are: as asked for, or the one place that has as many as photos have.
Result<PhotoLayout> layout_of(const InputSpec& spec, const Preprocess& preprocess, std::int64_t first,
                              std::int64_t last) {
  const std::int64_t wanted = num_channels(preprocess.channels);
  const auto mismatch = [&] {
    return usage("is " + describe(spec) + ", and the preprocessing makes " + std::to_string(wanted) +
                 (wanted == 1 ? " channel" : " channels") +
                 ": give a file whose \"channels\" are \"RGB\", \"BGR\" or \"gray\"");
  };
  if (preprocess.layout) {
    const std::int64_t found = *preprocess.layout == PhotoLayout::kNchw ? first : last;
    if (found >= 0 && found != wanted) return mismatch();
    return *preprocess.layout;
  }
  if ((first == wanted) != (last == wanted)) return first == wanted ? PhotoLayout::kNchw : PhotoLayout::kNhwc;
  if (first >= 0 && last >= 0 && first != wanted) return mismatch();
  return usage("is " + describe(spec) + ", which does not tell where the channels are: give --preprocess a file with " +
               "\"layout\": \"NCHW\" or \"NHWC\"");
}

Result<PhotoSize> size_of(const InputSpec& spec, const Preprocess& preprocess, PhotoSize found) {
  const std::optional<PhotoSize>& asked = preprocess.size;
  const PhotoSize size{found.height >= 0 || !asked ? found.height : asked->height,
                       found.width >= 0 || !asked ? found.width : asked->width};
  if (size.height < 0 || size.width < 0) {
    return usage("is " + describe(spec) + ", which leaves the size of photos open: give --input_dim " +
                 printable(spec.name) + " with numbers");
  }
  if (asked && size != *asked) {
    return usage("is " + describe(spec) + ", and the preprocessing makes photos of " + std::to_string(asked->height) +
                 " x " + std::to_string(asked->width) + " (height x width)");
  }
  if (size.height < 1 || size.width < 1 || size.height > kMaxSide || size.width > kMaxSide) {
    return usage("is " + describe(spec) + "; photos have 1 to " + std::to_string(kMaxSide) + " rows and columns");
  }
  return size;
}

/// Level of gray, ITU-R 601-2 as Pillow weighs it: 16 fractional bits, rounded half up.
std::uint8_t gray_of(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

Image with_channels(Image image, int channels) {
  if (image.channels == channels) return image;
  Image result = blank_image(image.height, image.width, channels);
  const std::int64_t num_pixels = image.height * image.width;
  for (std::int64_t i = 0; i < num_pixels; ++i) {
    if (channels == 1) {
      result.pixels[static_cast<std::size_t>(i)] = gray_of(image.pixels.data() + 3 * i);
    } else {
      std::fill_n(result.pixels.data() + 3 * i, 3, image.pixels[static_cast<std::size_t>(i)]);
    }
  }
  return result;
}

/// Halves to the even neighbour, as Python rounds; at least 1.
std::int64_t rounded_side(double side) { return std::max<std::int64_t>(1, std::llrint(side)); }

Image cropped(const Image& photo, const PhotoInput& input) {
  const PhotoSize size = input.size;
  // A hair above, so that 224 / 0.875 is 256 whatever the last bit of the quotient.
  const auto by_fraction = static_cast<std::int64_t>(
      std::floor(static_cast<double>(std::max(size.height, size.width)) / input.preprocess.crop_fraction + 1e-6));
  const std::int64_t shorter = input.preprocess.shorter_side.value_or(by_fraction);  // At least either side.
  const double factor = static_cast<double>(shorter) / static_cast<double>(std::min(photo.height, photo.width));
  const PhotoSize whole{std::max(shorter, rounded_side(static_cast<double>(photo.height) * factor)),
                        std::max(shorter, rounded_side(static_cast<double>(photo.width) * factor))};
  const ImageWindow window{(whole.height - size.height) / 2, (whole.width - size.width) / 2, size.height, size.width};
  return resize(photo, whole, window, input.preprocess.filter, input.preprocess.resampling);
}

Image letterboxed(const Image& photo, const PhotoInput& input) {
  const double factor = std::min(static_cast<double>(input.size.height) / static_cast<double>(photo.height),
                                 static_cast<double>(input.size.width) / static_cast<double>(photo.width));
  const PhotoSize inner{std::min(input.size.height, rounded_side(static_cast<double>(photo.height) * factor)),
                        std::min(input.size.width, rounded_side(static_cast<double>(photo.width) * factor))};
  const Image small =
      resize(photo, inner, {0, 0, inner.height, inner.width}, input.preprocess.filter, input.preprocess.resampling);
  Image result = blank_image(input.size.height, input.size.width, photo.channels);
  for (std::size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = input.preprocess.color[i % static_cast<std::size_t>(photo.channels)];
  }
  const bool centered = input.preprocess.centered;
  const std::int64_t top = centered ? (input.size.height - inner.height) / 2 : 0;
  const std::int64_t left = centered ? (input.size.width - inner.width) / 2 : 0;
  for (std::int64_t y = 0; y < inner.height; ++y) {
    std::copy_n(small.row(y), small.row_size(), result.row(top + y) + left * photo.channels);
  }
  return result;
}

/// What each level of a channel becomes.
template <class T>
std::array<T, 256> table_of(const Preprocess& preprocess, std::size_t channel) {
  std::array<T, 256> table;
  for (std::size_t level = 0; level < table.size(); ++level) {
    if constexpr (std::is_same_v<T, float>) {
      const float centered = static_cast<float>(level) - preprocess.mean[channel];
      table[level] = preprocess.scale ? centered * *preprocess.scale : centered / preprocess.std[channel];
    } else {
      table[level] = static_cast<T>(level);
    }
  }
  return table;
}

template <class T>
void feed(const Image& image, const PhotoInput& input, T* to) {
  const int channels = image.channels;
  const std::int64_t num_pixels = image.height * image.width;
  const bool planes = input.layout == PhotoLayout::kNchw;
  for (int c = 0; c < channels; ++c) {
    const std::array<T, 256> table = table_of<T>(input.preprocess, static_cast<std::size_t>(c));
    const bool reversed = input.preprocess.channels == PhotoChannels::kBgr;
    const std::uint8_t* from = image.pixels.data() + (reversed ? channels - 1 - c : c);
    T* target = planes ? to + c * num_pixels : to + c;
    const std::int64_t step = planes ? 1 : channels;
    for (std::int64_t i = 0; i < num_pixels; ++i) target[i * step] = table[from[i * channels]];
  }
}

}  // namespace

Result<PhotoInput> photo_input(const InputSpec& spec, const Preprocess& preprocess) {
  const std::vector<std::int64_t> extents = input_extents(spec);
  const std::size_t rank = extents.size();
  if (spec.dtype != DType::kFloat32 && spec.dtype != DType::kUint8) {
    return usage("is " + describe(spec) + "; photos become float32 or uint8");
  }
  if (rank != 3 && rank != 4) {
    return usage("is " + describe(spec) + "; photos become [1, C, H, W], [1, H, W, C] or these without the 1" +
                 (spec.dims ? "" : ": give --input_dim " + printable(spec.name) + " with numbers"));
  }
  if (rank == 4 && extents[0] >= 0 && extents[0] != 1) {
    return usage("is a batch of " + std::to_string(extents[0]) + ", and a sample is one photo");
  }
  const std::size_t first = rank - 3;
  const Result<PhotoLayout> layout = layout_of(spec, preprocess, extents[first], extents[first + 2]);
  if (!layout.ok()) return layout.error();
  const bool planes = *layout == PhotoLayout::kNchw;
  const Result<PhotoSize> size =
      size_of(spec, preprocess, {extents[planes ? first + 1 : first], extents[planes ? first + 2 : first + 1]});
  if (!size.ok()) return size.error();
  const std::int64_t longer = std::max(size->height, size->width);
  if (preprocess.shorter_side.value_or(longer) < longer) {
    return usage("is " + describe(spec) + ", and the preprocessing cuts it out of photos whose shorter side is " +
                 std::to_string(*preprocess.shorter_side));
  }
  PhotoInput input{.preprocess = preprocess, .size = *size, .layout = *layout, .type = {spec.dtype, Shape{}}};
  const std::int64_t channels = num_channels(preprocess.channels);
  if (rank == 4) input.type.shape.push_back(1);
  const std::array<std::int64_t, 3> nchw{channels, size->height, size->width};
  const std::array<std::int64_t, 3> nhwc{size->height, size->width, channels};
  for (const std::int64_t extent : planes ? nchw : nhwc) input.type.shape.push_back(extent);
  return input;
}

Image fitted(Image photo, const PhotoInput& input) {
  photo = with_channels(std::move(photo), num_channels(input.preprocess.channels));
  switch (input.preprocess.resize) {
    case PhotoResize::kCrop:
      return cropped(photo, input);
    case PhotoResize::kLetterbox:
      return letterboxed(photo, input);
    case PhotoResize::kStretch:
      break;
  }
  return resize(photo, input.size, {0, 0, input.size.height, input.size.width}, input.preprocess.filter,
                input.preprocess.resampling);
}

Tensor tensor_of(const Image& image, const PhotoInput& input) {
  Tensor tensor(input.type);
  if (input.type.dtype == DType::kUint8) {
    feed(image, input, tensor.mutable_data<std::uint8_t>());
  } else {
    feed(image, input, tensor.mutable_data<float>());
  }
  return tensor;
}

}  // namespace halfstep::io
