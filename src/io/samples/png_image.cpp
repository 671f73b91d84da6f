// png_image.cpp: PNG by libpng, whose errors arrive by longjmp: functions that call it own nothing.
#include "io/samples/png_image.hpp"

#include <png.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace halfstep::io {
namespace {

constexpr std::size_t kSignatureBytes = 8;

/// A file being decoded; plain data, so that longjmp skips no destructor.
struct Decoding {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* bytes = nullptr;
  std::size_t num_bytes = 0;
  std::size_t at = 0;
  char message[128] = "";
};

void on_error(png_structp png, png_const_charp text) {
  auto* decoding = static_cast<Decoding*>(png_get_error_ptr(png));
  std::snprintf(decoding->message, sizeof(decoding->message), "%s", text);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, png_size_t count) {
  auto* decoding = static_cast<Decoding*>(png_get_io_ptr(png));
  if (count > decoding->num_bytes - decoding->at) png_error(png, "the file ends early");
  std::memcpy(to, decoding->bytes + decoding->at, count);
  decoding->at += count;
}

bool read_header(Decoding& decoding) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_set_read_fn(decoding.png, &decoding, read_bytes);
  png_read_info(decoding.png, decoding.info);
  return true;
}

/// `rows` has one pointer a row, to as many bytes as the image is wide.
bool read_rows(Decoding& decoding, png_bytep* rows) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_set_packing(decoding.png);  // Fewer than 8 bits: one byte a pixel, values as they are.
  png_set_interlace_handling(decoding.png);
  png_read_update_info(decoding.png, decoding.info);
  png_read_image(decoding.png, rows);
  png_read_end(decoding.png, nullptr);
  return true;
}

struct Destroy {
  Decoding& decoding;
  ~Destroy() { png_destroy_read_struct(&decoding.png, &decoding.info, nullptr); }
};

Error damaged(const Decoding& decoding) {
  return {ErrorCode::kInvalidInput, std::string("cannot be decoded as PNG (") + decoding.message + ")"};
}

}  // namespace

bool is_png(std::span<const std::byte> file) {
  return file.size() >= kSignatureBytes &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, kSignatureBytes) == 0;
}

Result<std::vector<std::uint8_t>> decode_png_indices(std::span<const std::byte> file, std::int64_t height,
                                                     std::int64_t width) {
  Decoding decoding;
  decoding.bytes = file.data();
  decoding.num_bytes = file.size();
  decoding.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoding, on_error, on_warning);
  const Destroy destroy{decoding};
  if (decoding.png != nullptr) decoding.info = png_create_info_struct(decoding.png);
  if (decoding.info == nullptr) return Error{ErrorCode::kInvalidInput, "libpng cannot be used"};
  if (!read_header(decoding)) return damaged(decoding);

  const auto found_height = static_cast<std::int64_t>(png_get_image_height(decoding.png, decoding.info));
  const auto found_width = static_cast<std::int64_t>(png_get_image_width(decoding.png, decoding.info));
  const int colours = png_get_color_type(decoding.png, decoding.info);
  const int bits = png_get_bit_depth(decoding.png, decoding.info);
  if ((colours != PNG_COLOR_TYPE_GRAY && colours != PNG_COLOR_TYPE_PALETTE) || bits > 8) {
    return Error{ErrorCode::kInvalidInput,
                 "is a PNG with colours, alpha or 16 bits; a mask is grayscale or palette of "
                 "up to 8 bits"};
  }
  if (found_height != height || found_width != width) {
    return Error{ErrorCode::kInvalidInput, "is " + std::to_string(found_height) + " x " + std::to_string(found_width) +
                                               " pixels (height x width), the model's output " +
                                               std::to_string(height) + " x " + std::to_string(width) +
                                               "; resize the masks without interpolation"};
  }
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width));
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < height; ++y) rows.push_back(pixels.data() + y * width);
  if (!read_rows(decoding, rows.data())) return damaged(decoding);
  return pixels;
}

}  // namespace halfstep::io
