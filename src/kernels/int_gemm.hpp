// int_gemm.hpp: integer matrix product of 16-bit operands with 32-bit sums.
//
// Operands are centred codes (q - z) or other 16-bit integers. Two neighbours
// along k lie next to each other, because processors multiply and add such
// pairs in one instruction.
#pragma once

#include <cstdint>

namespace halfstep::kernels {

/// acc[m, n] = sum over k of a[m, k] * b[k, n]. Any extent may be 0.
/// Requires: no partial sum leaves int32 (the caller proves it from the operands), and
/// no pair has all four numbers -32768.
struct IntGemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k_pairs = 0;         ///< Half of k, rounded up; the odd one out is padded with 0.
  const std::int16_t* a = nullptr;  ///< [m][k_pairs][2].
  std::int64_t a_stride = 0;        ///< From row to row, in elements.
  const std::int16_t* b = nullptr;  ///< [k_pairs][n][2].
  std::int64_t b_stride = 0;        ///< From one row of pairs to the next, in elements; >= 2 * n.
  std::int32_t* acc = nullptr;      ///< [m][n]; overwritten.
  std::int64_t acc_stride = 0;      ///< From row to row, in elements.
};

/// Runs on the calling thread. The same bits on every instruction set.
void int_gemm(const IntGemm& args);

}  // namespace halfstep::kernels
