// gemm.hpp: float matrix product, the loop most models spend their time in.
#pragma once

#include <cstdint>
#include <limits>

namespace halfstep::kernels {

/// How a matrix lies in memory.
enum class Order {
  kRows,     ///< Element (i, j) at i * stride + j.
  kColumns,  ///< Element (i, j) at i + j * stride: the transposed of a kRows matrix.
};

/// What the product is added to.
enum class Start {
  kBias,  ///< The biases, or 0 without any.
  kKeep,  ///< What `c` holds already. The biases must be absent.
};

/// c[m, n] = clamp(alpha * a[m, k] * b[k, n] + bias). `c` is in kRows order and
/// overlaps nothing else. Any of m, n, k may be 0.
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  Order a_order = Order::kRows;
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  Order b_order = Order::kRows;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  Start start = Start::kBias;
  const float* row_bias = nullptr;     ///< [m], added to every column; or absent.
  const float* column_bias = nullptr;  ///< [n], added to every row; or absent.
  float alpha = 1.0F;
  float clamp_min = -std::numeric_limits<float>::infinity();  ///< NaN passes the clamp unchanged.
  float clamp_max = std::numeric_limits<float>::infinity();
};

/// A product may be computed in parts without changing a bit: of rows if `b` is in kRows order, of columns if each part
/// but the last has a multiple of this many.
inline constexpr std::int64_t kColumnGranule = 48;

/// Runs on the calling thread. The result depends on the operands and the
/// instruction set only.
void gemm(const Gemm& args);

}  // namespace halfstep::kernels
