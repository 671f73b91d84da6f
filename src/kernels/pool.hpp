// pool.hpp: pooling over planes, of floats and of codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.hpp"

namespace halfstep::kernels {

/// The largest value of each window: input [planes, in_h, in_w], output [planes, out_h, out_w]. Window (y, x) begins at
/// (y * stride_h - pad_top, x * stride_w - pad_left); what lies outside the plane counts as -infinity, or the lowest
/// value of its type, and so does NaN.
struct MaxPool {
  std::int64_t planes = 0;
  std::int64_t in_h = 0, in_w = 0;
  std::int64_t out_h = 0, out_w = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;  ///< stride_w is 1 or 2.
  std::int64_t pad_top = 0, pad_left = 0;
  DType dtype = DType::kFloat32;  ///< Or a type of 8- or 16-bit codes.
  const void* input = nullptr;
  void* output = nullptr;
};

/// Bytes of scratch max_pool() needs; the pointers in `args` are not looked at.
std::size_t max_pool_scratch_bytes(const MaxPool& args);

/// Requires: `scratch` has max_pool_scratch_bytes(args) bytes, 64-byte aligned.
void max_pool(const MaxPool& args, void* scratch);

/// y[r] = mean of x[r, count], summed in double; the same bits on every instruction set. Requires count > 0.
void row_means(const float* x, std::int64_t rows, std::int64_t count, float* y);

}  // namespace halfstep::kernels
