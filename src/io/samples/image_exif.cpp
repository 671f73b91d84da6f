// image_exif.cpp: reads one tag, and turns.
#include "io/samples/image_exif.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "core/errors.hpp"

namespace halfstep::io {
namespace {

constexpr std::string_view kExifMark("Exif\0\0", 6);
constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShortType = 3;
constexpr std::size_t kEntryBytes = 12;

/// Numbers of a TIFF file; those beyond its end are 0.
struct TiffNumbers {
  std::span<const std::byte> bytes;
  bool big_endian = false;

  std::uint32_t at(std::size_t offset, std::size_t count) const {
    if (offset > bytes.size() || bytes.size() - offset < count) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = big_endian ? i : count - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[offset + place]);
    }
    return value;
  }
};

}  // namespace

Result<void> check_image_size(std::int64_t height, std::int64_t width) {
  if (height > 0 && width > 0 && height <= kMaxImagePixels / width) return {};
  return invalid("says that it is " + std::to_string(width) + " x " + std::to_string(height) +
                 " pixels large; photos have 1 to " + std::to_string(kMaxImagePixels));
}

std::span<const std::byte> exif_of_app1(std::span<const std::byte> segment) {
  if (segment.size() < kExifMark.size() || std::memcmp(segment.data(), kExifMark.data(), kExifMark.size()) != 0) {
    return {};
  }
  return segment.subspan(kExifMark.size());
}

int exif_orientation(std::span<const std::byte> exif) {
  TiffNumbers tiff{exif};
  const std::uint32_t order = tiff.at(0, 2);
  if (order != 0x4949 && order != 0x4D4D) return 1;
  tiff.big_endian = order == 0x4D4D;
  const std::size_t directory = tiff.at(4, 4);
  const std::size_t num_entries = tiff.at(directory, 2);
  for (std::size_t i = 0; i < num_entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (entry >= exif.size()) return 1;
    if (tiff.at(entry, 2) != kOrientationTag || tiff.at(entry + 2, 2) != kShortType) continue;
    const std::uint32_t orientation = tiff.at(entry + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

Image oriented(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swaps_axes = orientation >= 5;
  // Where row 0, column 0 of the result comes from.
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image turned =
      blank_image(swaps_axes ? image.width : image.height, swaps_axes ? image.height : image.width, image.channels);
  for (std::int64_t y = 0; y < turned.height; ++y) {
    std::uint8_t* to = turned.row(y);
    for (std::int64_t x = 0; x < turned.width; ++x, to += image.channels) {
      const std::int64_t down = swaps_axes ? x : y;
      const std::int64_t right = swaps_axes ? y : x;
      const std::int64_t source_y = from_bottom ? image.height - 1 - down : down;
      const std::int64_t source_x = from_right ? image.width - 1 - right : right;
      std::copy_n(image.row(source_y) + source_x * image.channels, image.channels, to);
    }
  }
  return turned;
}

}  // namespace halfstep::io
