// png_image.cpp: PNG by libpng, whose errors arrive by longjmp: functions that call it own nothing.
#include "io/samples/png_image.hpp"

#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/errors.hpp"
#include "io/samples/image_exif.hpp"

namespace halfstep::io {
namespace {

constexpr std::size_t kSignatureBytes = 8;
/// Texts and the like that are kept of a file; each may unpack to 8 MB.
constexpr png_uint_32 kMaxKeptChunks = 8;
/// One byte of deflated data stands for at most 1032: two bits for each run of 258 bytes.
constexpr std::size_t kMostDeflated = 1032;

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
  png_set_chunk_cache_max(decoding.png, kMaxKeptChunks);
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

/// Levels of 8 bits, one or three a pixel.
bool start_photo(Decoding& decoding) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_set_strip_16(decoding.png);
  png_set_expand_gray_1_2_4_to_8(decoding.png);
  png_set_palette_to_rgb(decoding.png);
  png_set_strip_alpha(decoding.png);
  png_set_interlace_handling(decoding.png);
  png_read_update_info(decoding.png, decoding.info);
  return true;
}

bool read_photo_row(Decoding& decoding, png_bytep row) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_read_row(decoding.png, row, nullptr);
  return true;
}

bool read_photo_rows(Decoding& decoding, png_bytep* rows) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_read_image(decoding.png, rows);
  return true;
}

bool end_photo(Decoding& decoding) {
  if (setjmp(png_jmpbuf(decoding.png)) != 0) return false;
  png_read_end(decoding.png, decoding.info);
  return true;
}

struct Destroy {
  Decoding& decoding;
  ~Destroy() { png_destroy_read_struct(&decoding.png, &decoding.info, nullptr); }
};

Error damaged(const Decoding& decoding) {
  return {ErrorCode::kInvalidInput, std::string("cannot be decoded as PNG (") + decoding.message + ")"};
}

/// Every chunk up to the last, IEND, is as long as it says: libpng makes room for some before their bytes come.
bool has_whole_chunks(std::span<const std::byte> file) {
  constexpr std::size_t kFrame = 12;  // Length and type in front, a checksum behind.
  for (auto rest = file.subspan(std::min(file.size(), kSignatureBytes)); rest.size() >= kFrame;) {
    const std::size_t length = png_get_uint_32(reinterpret_cast<png_const_bytep>(rest.data()));
    if (length > rest.size() - kFrame) return false;
    if (std::memcmp(rest.data() + 4, "IEND", 4) == 0) return true;
    rest = rest.subspan(length + kFrame);
  }
  return false;
}

/// Reads the header. Requires a Destroy for it.
Result<void> open_png(Decoding& decoding, std::span<const std::byte> file) {
  if (!has_whole_chunks(file)) return invalid("cannot be decoded as PNG (the file ends early)");
  decoding.bytes = file.data();
  decoding.num_bytes = file.size();
  decoding.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoding, on_error, on_warning);
  if (decoding.png != nullptr) decoding.info = png_create_info_struct(decoding.png);
  if (decoding.info == nullptr) return invalid("libpng cannot be used");
  if (!read_header(decoding)) return damaged(decoding);
  return {};
}

/// Fills image.pixels. Row by row where the file allows it: a short one that claims to be large touches no memory.
bool read_pixels(Decoding& decoding, Image& image) {
  const auto row_size = static_cast<std::size_t>(image.row_size());
  const std::size_t size = row_size * static_cast<std::size_t>(image.height);
  if (png_get_interlace_type(decoding.png, decoding.info) != PNG_INTERLACE_NONE) {
    image.pixels.resize(size);
    std::vector<png_bytep> rows;
    for (std::int64_t y = 0; y < image.height; ++y) rows.push_back(image.row(y));
    return read_photo_rows(decoding, rows.data());
  }
  image.pixels.reserve(size);
  for (std::int64_t y = 0; y < image.height; ++y) {
    image.pixels.resize(image.pixels.size() + row_size);
    if (!read_photo_row(decoding, image.row(y))) return false;
  }
  return true;
}

}  // namespace

bool is_png(std::span<const std::byte> file) {
  return file.size() >= kSignatureBytes &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, kSignatureBytes) == 0;
}

Result<std::vector<std::uint8_t>> decode_png_indices(std::span<const std::byte> file, std::int64_t height,
                                                     std::int64_t width) {
  Decoding decoding;
  const Destroy destroy{decoding};
  if (Result<void> opened = open_png(decoding, file); !opened.ok()) return opened.error();

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

Result<PngPhoto> decode_png_photo(std::span<const std::byte> file) {
  Decoding decoding;
  const Destroy destroy{decoding};
  if (Result<void> opened = open_png(decoding, file); !opened.ok()) return opened.error();
  PngPhoto photo;
  photo.image.height = png_get_image_height(decoding.png, decoding.info);
  photo.image.width = png_get_image_width(decoding.png, decoding.info);
  if (auto small = check_image_size(photo.image.height, photo.image.width); !small.ok()) return small.error();
  const bool has_alpha = (png_get_color_type(decoding.png, decoding.info) & PNG_COLOR_MASK_ALPHA) != 0;
  photo.dropped_alpha = has_alpha || png_get_valid(decoding.png, decoding.info, PNG_INFO_tRNS) != 0;
  const std::size_t stored_bytes =
      png_get_rowbytes(decoding.png, decoding.info) * static_cast<std::size_t>(photo.image.height);
  if (stored_bytes / kMostDeflated > file.size())
    return invalid("cannot be decoded as PNG (the file is too short for its pixels)");
  if (!start_photo(decoding)) return damaged(decoding);
  photo.image.channels = png_get_channels(decoding.png, decoding.info);
  const auto row_size = static_cast<std::int64_t>(png_get_rowbytes(decoding.png, decoding.info));
  if (row_size != photo.image.row_size()) return invalid("is a PNG of a kind that libpng does not reduce to 8 bits");
  if (!read_pixels(decoding, photo.image) || !end_photo(decoding)) return damaged(decoding);
  png_uint_32 num_bytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(decoding.png, decoding.info, &num_bytes, &exif) != 0) {
    photo.orientation = exif_orientation({reinterpret_cast<const std::byte*>(exif), num_bytes});
  }
  return photo;
}

Result<std::string> encode_png(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t num_bytes = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string bytes(num_bytes, '\0');
  if (png_image_write_to_memory(&header, bytes.data(), &num_bytes, 0, image.pixels.data(), 0, nullptr) == 0) {
    return invalid(std::string("an image cannot be written as PNG (") + header.message + ")");
  }
  bytes.resize(num_bytes);
  return bytes;
}

}  // namespace halfstep::io
