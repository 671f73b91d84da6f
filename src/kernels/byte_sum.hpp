// byte_sum.hpp: sums of two operands of bytes times integers, rounded once.
#pragma once

#include <cstdint>

#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {

/// y[i] = clamp(offset + round(v / 2^fraction_bits), q_min, q_max) with v = base + sum over the two operands of
/// multiplier * (x[i] ^ flip), modulo 2^64. Bit 62 of v tells a sum >= 0 (kHalfAway), and base / 2^fraction_bits is
/// even (kHalfEven). Source: ops/shared/weighted_sum_int.hpp.
struct ByteSum {
  struct Operand {
    const std::uint8_t* x = nullptr;
    std::uint8_t flip = 0;
    std::uint32_t multiplier = 0;
  };
  Operand operands[2];
  std::uint64_t base = 0;
  std::int64_t offset = 0;
  int fraction_bits = 1;
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;  ///< kHalfUp, kHalfEven or kHalfAway.
  std::int64_t count = 0;
  std::uint8_t* y = nullptr;  ///< May be an operand's storage.
};

/// Requires: |round(v / 2^fraction_bits)| + |offset|, without the bias in base, stays in int32.
void byte_sum(const ByteSum& args);

}  // namespace halfstep::kernels
