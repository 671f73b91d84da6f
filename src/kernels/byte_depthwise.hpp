// byte_depthwise.hpp: integer convolution of one channel of bytes with its own filter, finished to codes.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "kernels/packed_gemm.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {

inline constexpr std::int64_t kMaxByteKernelWidth = 8;
/// Bytes that may be read behind the padded image.
inline constexpr std::int64_t kByteDepthwiseSlack = 64;

/// sum[y, x] = sum over the kernel of filter * padded, for one channel: output (y, x) reads
/// padded[(y * stride_h + i * dilation_h) * padded_stride + x * stride_w + j].
struct ByteDepthwise {
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;  ///< kernel_w at most kMaxByteKernelWidth.
  std::int64_t stride_h = 1, stride_w = 1;  ///< stride_w 1 or 2.
  std::int64_t dilation_h = 1;
  const std::uint8_t* padded = nullptr;
  std::int64_t padded_stride = 0;        ///< From row to row, in bytes.
  const std::int32_t* filter = nullptr;  ///< [kernel_h][quads]: the taps of a row as int8, filled up with zeros.

  /// Where the sums, or their codes, go first: line_size of either, rows line_pitch apart; set_line() says how many.
  std::int64_t line_pitch = 0;
  std::int64_t line_size = 0;
  std::int32_t* acc = nullptr;  ///< Without `finish`.
  const RowFinish* finish = nullptr;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;
  DType dtype = DType::kUint8;
  void* codes = nullptr;
};

/// Sets line_pitch and line_size; the fields before them are set. Without strides the padded image is one long row, and
/// sums between the rows of the output are formed too; else rows begin at whole vectors. Filled up to whole blocks.
void set_line(ByteDepthwise& args) noexcept;

/// False: the instruction set in use has no dot products of bytes; int_depthwise() is to be used.
bool has_byte_depthwise() noexcept;

/// Runs on the calling thread; the same bits on every instruction set that has it.
void byte_depthwise(const ByteDepthwise& args);

/// to[row][i] = from[row][i] ^ flip.
void copy_byte_rows(const std::uint8_t* from, std::int64_t rows, std::int64_t columns, std::int64_t from_stride,
                    std::uint8_t flip, std::uint8_t* to, std::int64_t to_stride);

}  // namespace halfstep::kernels
