// image_jpeg.cpp: JPEG by libjpeg-turbo, whose errors arrive by longjmp: functions that call it own nothing.
#include "io/samples/image_jpeg.hpp"

#include <csetjmp>
#include <cstdio>
// After <cstdio>, whose FILE it needs.
#include <jpeglib.h>
// After that, whose settings it needs.
#include <jerror.h>

#include <algorithm>
#include <array>
#include <string>

#include "core/errors.hpp"
#include "io/samples/image_exif.hpp"

namespace halfstep::io {
namespace {

/// Progressive files have about ten; a file of many empty ones could keep a processor busy for hours.
constexpr int kMaxScans = 200;

/// Warnings after which the library makes pixels up.
constexpr std::array kDamage = {static_cast<int>(JWRN_ARITH_BAD_CODE), static_cast<int>(JWRN_HIT_MARKER),
                                static_cast<int>(JWRN_HUFF_BAD_CODE), static_cast<int>(JWRN_JPEG_EOF),
                                static_cast<int>(JWRN_MUST_RESYNC)};

/// A file being decoded; plain data, so that longjmp skips no destructor.
struct JpegDecoding {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

JpegDecoding& decoding_of(j_common_ptr info) { return *static_cast<JpegDecoding*>(info->client_data); }

[[noreturn]] void jpeg_fails(j_common_ptr info) {
  JpegDecoding& decoding = decoding_of(info);
  info->err->format_message(info, decoding.message);
  std::longjmp(decoding.jump, 1);
}

void on_jpeg_message(j_common_ptr info, int level) {
  if (level < 0 && std::ranges::find(kDamage, info->err->msg_code) != kDamage.end()) jpeg_fails(info);
}

void on_jpeg_progress(j_common_ptr info) {
  JpegDecoding& decoding = decoding_of(info);
  if (decoding.info.input_scan_number <= kMaxScans) return;
  std::snprintf(decoding.message, sizeof(decoding.message), "more than %d scans", kMaxScans);
  std::longjmp(decoding.jump, 1);
}

bool read_jpeg_header(JpegDecoding& decoding, std::span<const std::byte> file) {
  if (setjmp(decoding.jump) != 0) return false;
  jpeg_create_decompress(&decoding.info);
  jpeg_mem_src(&decoding.info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_save_markers(&decoding.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&decoding.info, TRUE);
  return true;
}

bool start_jpeg(JpegDecoding& decoding) {
  if (setjmp(decoding.jump) != 0) return false;
  decoding.progress.progress_monitor = on_jpeg_progress;
  decoding.info.progress = &decoding.progress;
  const bool is_gray = decoding.info.jpeg_color_space == JCS_GRAYSCALE;
  decoding.info.out_color_space = is_gray ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&decoding.info);
  return true;
}

bool read_jpeg_row(JpegDecoding& decoding, std::uint8_t* row) {
  if (setjmp(decoding.jump) != 0) return false;
  jpeg_read_scanlines(&decoding.info, &row, 1);
  return true;
}

bool finish_jpeg(JpegDecoding& decoding) {
  if (setjmp(decoding.jump) != 0) return false;
  jpeg_finish_decompress(&decoding.info);
  return true;
}

struct DestroyJpeg {
  JpegDecoding& decoding;
  ~DestroyJpeg() { jpeg_destroy_decompress(&decoding.info); }
};

Error damaged_jpeg(const JpegDecoding& decoding) {
  return invalid(std::string("cannot be decoded as JPEG (") + decoding.message + ")");
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1) continue;
    const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(marker->data), marker->data_length);
    if (const auto exif = exif_of_app1(data); !exif.empty()) return exif_orientation(exif);
  }
  return 1;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xFF} && file[1] == std::byte{0xD8} && file[2] == std::byte{0xFF};
}

Result<JpegImage> decode_jpeg(std::span<const std::byte> file) {
  JpegDecoding decoding{};
  decoding.info.err = jpeg_std_error(&decoding.errors);
  decoding.errors.error_exit = jpeg_fails;
  decoding.errors.emit_message = on_jpeg_message;
  decoding.info.client_data = &decoding;
  const DestroyJpeg destroy{decoding};
  if (!read_jpeg_header(decoding, file)) return damaged_jpeg(decoding);

  const jpeg_decompress_struct& info = decoding.info;
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    return invalid("is a JPEG in CMYK, the colours of a printing press; convert it to RGB");
  }
  if (Result<void> small = check_image_size(info.image_height, info.image_width); !small.ok()) return small.error();
  JpegImage result;
  result.orientation = orientation_of(info);
  if (!start_jpeg(decoding)) return damaged_jpeg(decoding);
  Image& image = result.image;
  image.height = info.output_height;
  image.width = info.output_width;
  image.channels = info.output_components;
  // Row by row: a short file that claims to be large touches no memory.
  const auto row_size = static_cast<std::size_t>(image.row_size());
  image.pixels.reserve(row_size * static_cast<std::size_t>(image.height));
  for (std::int64_t y = 0; y < image.height; ++y) {
    image.pixels.resize(image.pixels.size() + row_size);
    if (!read_jpeg_row(decoding, image.row(y))) return damaged_jpeg(decoding);
  }
  if (!finish_jpeg(decoding)) return damaged_jpeg(decoding);
  return result;
}

}  // namespace halfstep::io
