// image_exif.hpp: which way up a photo is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "halfstep/result.hpp"
#include "io/samples/image.hpp"

namespace halfstep::io {

/// Errors: kInvalidInput if an image of this size is empty or has more than kMaxImagePixels.
Result<void> check_image_size(std::int64_t height, std::int64_t width);

/// The EXIF data in an APP1 segment of a JPEG; empty if it holds something else.
std::span<const std::byte> exif_of_app1(std::span<const std::byte> segment);

/// Orientation (tag 0x0112) in EXIF data: 1 to 8; 1, which changes nothing, where there is none or it makes no sense.
int exif_orientation(std::span<const std::byte> exif);

/// The image as `orientation` says it is to be seen: 2 mirrored left to right, 3 by half a turn, 4 mirrored top to
/// bottom, 5 along the main diagonal, 6 by a quarter clockwise, 7 along the other diagonal, 8 by a quarter against the
/// clock.
Image oriented(Image image, int orientation);

}  // namespace halfstep::io
