// photo_files.hpp: JPEG and PNG files made for tests.
#pragma once

#include <cstdio>
// After <cstdio>, whose FILE it needs.
#include <jpeglib.h>
#include <png.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "io/samples/image.hpp"

namespace halfstep::io {

inline std::span<const std::byte> as_file(const std::string& bytes) {
  return std::as_bytes(std::span(bytes.data(), bytes.size()));
}

/// What a JPEG is made of.
struct JpegKind {
  J_COLOR_SPACE space = JCS_RGB;  ///< Of the pixels given; CMYK stays CMYK.
  int components = 3;
  bool progressive = false;
  std::string app1 = {};  ///< Contents of an APP1 segment; empty: none.
};

/// A JPEG of height x width pixels, all of the same `level`.
inline std::string jpeg_of(int height, int width, std::uint8_t level, const JpegKind& kind = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long num_bytes = 0;
  jpeg_mem_dest(&info, &bytes, &num_bytes);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = kind.components;
  info.in_color_space = kind.space;
  jpeg_set_defaults(&info);
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!kind.app1.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(kind.app1.data()),
                      static_cast<unsigned>(kind.app1.size()));
  }
  std::vector<JSAMPLE> row(static_cast<std::size_t>(width * kind.components), level);
  JSAMPROW rows = row.data();
  for (int y = 0; y < height; ++y) jpeg_write_scanlines(&info, &rows, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<const char*>(bytes), num_bytes);
  std::free(bytes);
  return file;
}

/// EXIF data with an orientation, little- or big-endian, as it stands in an APP1 segment.
inline std::string exif_segment(int orientation, bool big_endian = false) {
  const char value = static_cast<char>(orientation);
  if (big_endian) {
    return std::string("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 25) + value +
           std::string("\0\0\0\0\0\0", 6);
  }
  return std::string("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 24) + value +
         std::string("\0\0\0\0\0\0\0", 7);
}

/// A PNG of the given rows, which libpng takes as they are. `colors`: PNG_COLOR_TYPE_*.
inline std::string png_of(int width, int bits, int colors, const std::vector<std::string>& rows,
                          int interlace = PNG_INTERLACE_NONE) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp p, png_bytep data, png_size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<const char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(rows.size()), bits, colors,
               interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  std::vector<std::string> copy = rows;
  std::vector<png_bytep> pointers;
  for (std::string& row : copy) pointers.push_back(reinterpret_cast<png_bytep>(row.data()));
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace halfstep::io
