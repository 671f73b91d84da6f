// binary_int.hpp: products, quotients, multiples and extremes of codes.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.hpp"
#include "core/tensor.hpp"
#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"
#include "ops/shared/element_rows.hpp"

namespace halfstep::ops {

/// q_y = requantize((q_a - zero_a) * (q_b - zero_b)) on one channel.
struct ProductChannel {
  std::int32_t zero_a = 0;
  std::int32_t zero_b = 0;
  numerics::Requantizer requantizer;
};
struct IntProduct {
  ElementRows rows;
  std::vector<ProductChannel> channels;
  bool wide = false;  ///< A product may leave int32: requantize_wide().
};
Kernel product_kernel(IntProduct product);

/// A factor for operands >= 0 and one for those below. Operands are negated first where the real factor is negative.
struct SignedFactors {
  numerics::FixedPoint above;
  numerics::FixedPoint below;
  bool negate_above = false;
  bool negate_below = false;

  friend bool operator==(const SignedFactors&, const SignedFactors&) = default;
};

/// q_y = requantize(q_x - zero) by factors[i], where i walks like a second operand.
struct MultipleChannel {
  std::int32_t zero = 0;
  numerics::Requantizer requantizer;  ///< Its factor is replaced.
};
struct IntMultiple {
  ElementRows rows;   ///< Operand 0: x. Operand 1: `factors`.
  std::size_t x = 0;  ///< The node's operand that is x.
  std::vector<MultipleChannel> channels;
  std::vector<SignedFactors> factors;
};
Kernel multiple_kernel(IntMultiple multiple);

/// q_y = clamp(zero_point + round((q_a - zero_a) * multiplier / ((q_b - zero_b) * 2^fraction_bits))), to nearest.
/// Where q_b = zero_b: q_max if q_a > zero_a, q_min if q_a < zero_a, else zero_point within the bounds.
/// Codes are of 16 bits or fewer, multiplier < 2^31 and 0 <= fraction_bits <= 47: numerators stay below 2^47 and
/// denominators below 2^63.
struct QuotientChannel {
  std::int32_t zero_a = 0;
  std::int32_t zero_b = 0;
  std::int32_t multiplier = 0;
  int fraction_bits = 0;
  std::int32_t zero_point = 0;
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
};
struct IntQuotient {
  ElementRows rows;
  std::vector<QuotientChannel> channels;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;
};
Kernel quotient_kernel(IntQuotient quotient);

/// The smallest or largest of operands put on the output's grid.
enum class Extreme { kMin, kMax };
struct IntExtreme {
  ElementRows rows;
  Extreme which = Extreme::kMin;
  std::vector<MultipleChannel> channels;  ///< [channel][operand]; unused for operands in `constants`.
  /// By operand: codes on the output's grid and of its type, already rescaled; empty shape [0]: read the operand.
  std::vector<Tensor> constants;
};
Kernel extreme_kernel(IntExtreme extreme);

}  // namespace halfstep::ops
