// weighted_sum_int.hpp: sums of codes times integers, rounded once.
#pragma once

#include <cstdint>
#include <vector>

#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"
#include "ops/shared/element_rows.hpp"

namespace halfstep::ops {

/// One operand on one channel. Its codes are read as unsigned numbers u = bits(q) ^ flip, which makes the multiplier
/// positive: for a weight > 0, u = q - (lowest code of its type), for a weight < 0, u = (highest code) - q.
struct SumTerm {
  std::uint32_t multiplier = 0;  ///< Magnitude, < 2^31.
  std::uint32_t flip = 0;        ///< Within the bits of the type.
};

/// One channel of the result. All sums below are modulo 2^64, and never wrap as a whole:
///   v = base + sum of multiplier * u over operands of codes + sum of int64 operands,    0 < v < 2^63
///   q = clamp(offset + round(v / 2^fraction_bits), q_min, q_max)
struct SumChannel {
  std::uint64_t base = 0;  ///< kSumBias, less what zero points add.
  std::int64_t offset = 0;
  int fraction_bits = 1;  ///< 1 to kMaxFractionBits.
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
};

/// Added to sums, so that they are positive. v >= kSumBias tells the sign of the sum, and v / 2^fraction_bits has the
/// parity of the sum's quotient.
inline constexpr std::uint64_t kSumBias = std::uint64_t{1} << 62;
inline constexpr int kMaxFractionBits = 60;

/// Operands are of type int8, uint8, int16 or uint16 (codes), or int64 (integers to add).
struct IntSum {
  ElementRows rows;
  std::vector<SumTerm> terms;  ///< [channel][operand]; those of int64 operands are unused.
  std::vector<SumChannel> channels;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;  ///< Not kDoubling.
  /// |round(v / 2^fraction_bits)| + |offset| without the bias stays in int32, for all inputs and channels.
  bool narrow = false;
};

/// Splits: see Prepared.
Kernel weighted_sum_kernel(IntSum sum);

}  // namespace halfstep::ops
