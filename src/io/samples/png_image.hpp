// png_image.hpp: PNG files: those whose pixels are numbers, and photos.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/result.hpp"
#include "io/samples/image.hpp"

namespace halfstep::io {

/// True if `file` starts like a PNG.
bool is_png(std::span<const std::byte> file);

/// The gray levels or palette indices of an image of height x width pixels, row by row, as stored: neither scaled nor
/// corrected for gamma.
/// Errors: kInvalidInput for a damaged file, another size, colours, alpha or 16 bits.
Result<std::vector<std::uint8_t>> decode_png_indices(std::span<const std::byte> file, std::int64_t height,
                                                     std::int64_t width);

/// A decoded photo before it is turned.
struct PngPhoto {
  Image image;
  int orientation = 1;  ///< Of its EXIF data, 1 to 8.
  bool dropped_alpha = false;
};

/// The colours or gray levels of an image, of 16 bits the upper 8; what it says of opacity is left out.
/// Errors: as decode_image().
Result<PngPhoto> decode_png_photo(std::span<const std::byte> file);

}  // namespace halfstep::io
