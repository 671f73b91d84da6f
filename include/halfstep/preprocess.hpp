// preprocess.hpp: how a photo becomes an input of a model. File format: docs/photos.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace halfstep {

/// How a photo gets the input's height and width.
enum class PhotoResize {
  kStretch,    ///< To the size, whatever that does to its proportions.
  kCrop,       ///< Its shorter side to a length, then the centre is cut out.
  kLetterbox,  ///< As large as fits, the rest filled with a colour.
};

enum class PhotoFilter { kNearest, kBilinear, kBicubic, kArea };

/// Whose arithmetic a filter follows.
enum class Resampling {
  kPillow,  ///< Antialiased: a filter that makes an image smaller grows with the factor. Rounds after each axis.
  kOpenCv,  ///< Plain: bilinear reads four pixels and bicubic sixteen, whatever the factor. Rounds once.
};

/// The channels that are fed, in this order.
enum class PhotoChannels { kRgb, kBgr, kGray };

enum class PhotoLayout { kNchw, kNhwc };

/// A height and a width in pixels.
struct PhotoSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  friend bool operator==(const PhotoSize&, const PhotoSize&) = default;
};

/// From a decoded photo to an input. What is fed is (pixel - mean) / std, or (pixel - mean) * scale, in float32, with
/// pixels from 0 to 255; a uint8 input is fed the pixels.
struct Preprocess {
  std::optional<PhotoSize> size = std::nullopt;  ///< Empty: that of the input.
  PhotoResize resize = PhotoResize::kStretch;
  /// kCrop: length of the shorter side before the cut; empty: the longer side of the input / crop_fraction, rounded
  /// down.
  std::optional<std::int64_t> shorter_side = std::nullopt;
  double crop_fraction = 0.875;                      ///< Above 0, up to 1.
  std::array<std::uint8_t, 3> color{114, 114, 114};  ///< kLetterbox: red, green, blue; of gray the first counts.
  bool centered = true;                              ///< kLetterbox: else the photo lies in the top left corner.
  PhotoFilter filter = PhotoFilter::kBilinear;
  Resampling resampling = Resampling::kPillow;
  PhotoChannels channels = PhotoChannels::kRgb;
  std::array<float, 3> mean{0, 0, 0};                ///< By channel, in the order fed.
  std::array<float, 3> std{1, 1, 1};                 ///< The same; not 0.
  std::optional<float> scale = std::nullopt;         ///< Set: instead of std.
  std::optional<PhotoLayout> layout = std::nullopt;  ///< Empty: the one that the input's shape tells.

  friend bool operator==(const Preprocess&, const Preprocess&) = default;
};

/// 3, or 1 for gray.
constexpr int num_channels(PhotoChannels channels) noexcept { return channels == PhotoChannels::kGray ? 1 : 3; }

}  // namespace halfstep
