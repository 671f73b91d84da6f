// masks.cpp: lists of masks, and masks as raw files.
#include "io/samples/masks.hpp"

#include <cstring>
#include <string>
#include <system_error>

#include "core/text.hpp"
#include "io/samples/png_image.hpp"
#include "io/samples/text_lines.hpp"

namespace halfstep::io {
namespace {

namespace fs = std::filesystem;

/// Masks may not be larger than this: 16,384 x 16,384 pixels as int64.
constexpr std::uint64_t kMaxMaskBytes = std::uint64_t{1} << 31;

std::string shown_size(std::int64_t height, std::int64_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

bool is_there(const fs::path& path) {
  std::error_code failure;
  return fs::exists(path, failure);
}

}  // namespace

Result<std::vector<fs::path>> read_mask_list(const fs::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text.ok()) return text.error();
  std::vector<fs::path> masks;
  for (const TextLine& line : lines_of(*text)) {
    const fs::path named{std::string(line.text)};
    const fs::path beside = path.parent_path() / named;
    if (!is_there(beside) && !is_there(named)) {
      return Error{ErrorCode::kInvalidInput,
                   path.string() + ":" + std::to_string(line.number) + ": no mask file " + halfstep::quoted(line.text)};
    }
    masks.push_back(is_there(beside) ? beside : named);
  }
  if (masks.empty()) return Error{ErrorCode::kInvalidInput, path.string() + ": names no masks"};
  return masks;
}

Result<std::vector<std::uint8_t>> read_mask(const fs::path& path, std::int64_t height, std::int64_t width) {
  const Result<std::uint64_t> size = regular_file_size(path);
  if (!size.ok()) return size.error();
  if (*size > kMaxMaskBytes) return Error{ErrorCode::kInvalidInput, path.string() + ": too large for a mask"};
  std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
  if (Result<void> read = read_file_into(path, bytes); !read.ok()) return read.error();
  if (is_png(bytes)) {
    Result<std::vector<std::uint8_t>> classes = decode_png_indices(bytes, height, width);
    if (!classes.ok()) return classes.error().at(path.string());
    return classes;
  }
  const auto pixels = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  std::vector<std::uint8_t> classes(static_cast<std::size_t>(pixels));
  if (*size == pixels) {
    if (pixels > 0) std::memcpy(classes.data(), bytes.data(), classes.size());
    return classes;
  }
  if (*size != pixels * sizeof(std::int64_t)) {
    return Error{ErrorCode::kInvalidInput, path.string() + ": has " + std::to_string(*size) + " bytes, a mask of " +
                                               shown_size(height, width) + " pixels has " + std::to_string(pixels) +
                                               " (uint8) or " + std::to_string(pixels * sizeof(std::int64_t)) +
                                               " (int64), or is a PNG"};
  }
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::int64_t value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(value), sizeof(value));
    if (value < 0 || value > kIgnoredPixel) {
      return Error{ErrorCode::kInvalidInput, path.string() + ": pixel " + std::to_string(i) + " is " +
                                                 std::to_string(value) +
                                                 ", not a class from 0 to 254 or 255 (ignored)"};
    }
    classes[i] = static_cast<std::uint8_t>(value);
  }
  return classes;
}

}  // namespace halfstep::io
