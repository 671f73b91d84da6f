// image_jpeg.hpp: JPEG files decoded by libjpeg-turbo.
#pragma once

#include <cstddef>
#include <span>

#include "halfstep/result.hpp"
#include "io/samples/image.hpp"

namespace halfstep::io {

/// True if `file` starts like a JPEG.
bool is_jpeg(std::span<const std::byte> file);

/// A decoded file before it is turned.
struct JpegImage {
  Image image;
  int orientation = 1;  ///< Of its EXIF data, 1 to 8.
};

/// Decodes with the library's defaults: exact integer DCT, smooth upsampling of colours.
/// Errors: as decode_image().
Result<JpegImage> decode_jpeg(std::span<const std::byte> file);

}  // namespace halfstep::io
