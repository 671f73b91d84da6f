// image_decode.cpp: tells the format, decodes, turns.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

#include "core/errors.hpp"
#include "io/samples/image.hpp"
#include "io/samples/image_exif.hpp"
#include "io/samples/image_jpeg.hpp"
#include "io/samples/png_image.hpp"

namespace halfstep::io {
namespace {

/// Formats that are met under a wrong extension.
struct OtherFormat {
  std::string_view name;
  std::size_t offset;
  std::string_view mark;
};
constexpr std::array kOtherFormats = {OtherFormat{"WebP", 8, "WEBP"},  OtherFormat{"GIF", 0, "GIF8"},
                                      OtherFormat{"BMP", 0, "BM"},     OtherFormat{"HEIF", 4, "ftyp"},
                                      OtherFormat{"TIFF", 0, "II*"},   OtherFormat{"TIFF", 0, "MM"},
                                      OtherFormat{"HTML", 0, "<!DOC"}, OtherFormat{"HTML", 0, "<html"}};

Error not_a_photo(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const OtherFormat& format : kOtherFormats) {
    if (text.size() < format.offset || !text.substr(format.offset).starts_with(format.mark)) continue;
    return invalid("is neither JPEG nor PNG, it looks like " + std::string(format.name) + "; convert it");
  }
  return invalid(file.empty() ? "is empty" : "is neither JPEG nor PNG");
}

}  // namespace

Image blank_image(std::int64_t height, std::int64_t width, int channels) {
  Image image{.height = height, .width = width, .channels = channels, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(height * image.row_size()));
  return image;
}

bool is_photo(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

Result<DecodedImage> decode_image(std::span<const std::byte> file) {
  if (is_png(file)) {
    Result<PngPhoto> png = decode_png_photo(file);
    if (!png.ok()) return png.error();
    return DecodedImage{oriented(std::move(png->image), png->orientation), png->dropped_alpha};
  }
  if (!is_jpeg(file)) return not_a_photo(file);
  Result<JpegImage> jpeg = decode_jpeg(file);
  if (!jpeg.ok()) return jpeg.error();
  return DecodedImage{oriented(std::move(jpeg->image), jpeg->orientation), false};
}

}  // namespace halfstep::io
