// png_image.hpp: PNG files whose pixels are numbers, not colours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// True if `file` starts like a PNG.
bool is_png(std::span<const std::byte> file);

/// The gray levels or palette indices of an image of height x width pixels, row by row, as stored: neither scaled nor
/// corrected for gamma.
/// Errors: kInvalidInput for a damaged file, another size, colours, alpha or 16 bits.
Result<std::vector<std::uint8_t>> decode_png_indices(std::span<const std::byte> file, std::int64_t height,
                                                     std::int64_t width);

}  // namespace halfstep::io
