// masks.hpp: the right class of each pixel, one mask file a sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// In masks: a pixel that does not count.
inline constexpr std::uint8_t kIgnoredPixel = 255;

/// Reads a list of mask files, one a line, in the order of the samples. Blank lines are skipped. A relative file is
/// looked for in the list's folder, then in the working directory.
/// Errors: kInvalidInput naming list and line: a file that does not exist; a list without files.
Result<std::vector<std::filesystem::path>> read_mask_list(const std::filesystem::path& path);

/// The classes of a mask of height * width pixels, row by row: a PNG (grayscale or palette of up to 8 bits, whose
/// gray levels or palette indices are the classes), or raw elements, uint8 or int64 by the size of the file.
/// Errors: kInvalidInput with the path: a file of another size, no such PNG, an int64 that is no class from 0 to 255.
Result<std::vector<std::uint8_t>> read_mask(const std::filesystem::path& path, std::int64_t height, std::int64_t width);

}  // namespace halfstep::io
