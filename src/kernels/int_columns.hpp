// int_columns.hpp: codes laid out as the operands of int_gemm(): centred, two neighbours along k side by side.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "kernels/im2col.hpp"

namespace halfstep::kernels {

/// A matrix of codes, int8, uint8, int16 or uint16: element (k, column) lies at
/// k * k_step + column * column_step. q - centre fits int16 for every code on its grid.
struct CodeMatrix {
  const void* codes = nullptr;
  DType dtype = DType::kUint8;
  std::int64_t k_step = 0;
  std::int64_t column_step = 1;
  std::int32_t centre = 0;
};

/// packed[(k + 1) / 2][num_columns][2], contiguous: the columns [first, first + num_columns)
/// of `matrix`, centred; an odd k is filled up with 0.
void pack_columns(const CodeMatrix& matrix, std::int64_t k, std::int64_t first, std::int64_t num_columns,
                  std::int16_t* packed);

/// An image of codes [channels, image_size], and the centred number that stands for
/// positions outside it.
struct CodeImage {
  const void* codes = nullptr;
  DType dtype = DType::kUint8;
  std::int64_t channels = 0;
  std::int32_t centre = 0;
  std::int16_t outside = 0;
};

/// packed[(k + 1) / 2][last - first][2], contiguous, with k = kernel_size * channels counted
/// tap * channels + channel: the window positions [first, last); an odd k is filled up with 0.
void pack_windows(const Windows& windows, const CodeImage& image, std::int64_t first, std::int64_t last,
                  std::int16_t* packed);

/// The reverse, for the sums of a transposed convolution: adds columns[channels * kernel_size, last - first],
/// each row raised by start[row], onto the elements of image [channels, image_size] that the window
/// positions [first, last) cover. Requires: no sum of such numbers leaves the type.
void add_windows(const Windows& windows, const std::int32_t* columns, const std::int64_t* start, std::int64_t channels,
                 std::int64_t first, std::int64_t last, std::int32_t* image);
void add_windows(const Windows& windows, const std::int64_t* columns, const std::int64_t* start, std::int64_t channels,
                 std::int64_t first, std::int64_t last, std::int64_t* image);

}  // namespace halfstep::kernels
