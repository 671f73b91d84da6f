// image.hpp: photos as pixels: JPEG and PNG files decoded, PNG written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// Files with more pixels than this are refused before anything is allocated: 16,384 x 8,192.
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 27;

/// Levels from 0 to 255, row by row, the channels of a pixel side by side.
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  int channels = 3;  ///< 3: red, green, blue; 1: gray.
  std::vector<std::uint8_t> pixels;

  std::int64_t row_size() const { return width * channels; }
  const std::uint8_t* row(std::int64_t y) const { return pixels.data() + y * row_size(); }
  std::uint8_t* row(std::int64_t y) { return pixels.data() + y * row_size(); }
};

/// An image of this size, all levels 0.
Image blank_image(std::int64_t height, std::int64_t width, int channels);

struct DecodedImage {
  Image image;
  bool dropped_alpha = false;  ///< The file says how opaque its pixels are; their colours were taken as they are.
};

/// True for names that end in .jpg, .jpeg or .png, in any case.
bool is_photo(const std::filesystem::path& path);

/// The pixels of a JPEG or PNG file, told by its first bytes, turned as its EXIF orientation says. Of 16-bit levels the
/// upper byte is kept; gamma and colour profiles change nothing. Thread-safe.
/// Errors: kInvalidInput continuing a sentence that starts with the file's name: another format, CMYK, damaged or cut
/// short, more than kMaxImagePixels.
Result<DecodedImage> decode_image(std::span<const std::byte> file);

/// The bytes of a PNG file. The same image gives the same bytes.
/// Errors: kInvalidInput with libpng's reason.
Result<std::string> encode_png(const Image& image);

}  // namespace halfstep::io
