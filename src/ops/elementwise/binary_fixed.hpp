// binary_fixed.hpp: lower_fixed of products, quotients, multiples and extremes. Sums: weighted_sum_fixed.hpp.
//
// Product:   q_y = clamp(z_y + round((q_a - z_a) * (q_b - z_b) * s_a * s_b / s_y)), requantized as every accumulator:
//            in 32 bits if no product of codes leaves them, else in 64.
// Multiple:  q_y = clamp(z_y + round((q_x - z_x) * c * s_x / s_y)): Mul by a constant without codes, Div by a constant
//            (c its reciprocal), PRelu (c = 1 or the slope). Each |c| * s_x / s_y becomes a 31-bit multiplier as any
//            number that is no scale; where c < 0, (q_x - z_x) is negated before the product is rounded.
// Quotient:  q_y = clamp(z_y + round((q_a - z_a) * m / ((q_b - z_b) * 2^F))), where m * 2^-F is the multiplier of
//            s_a / (s_b * s_y). The division is exact and rounded once, halves by the tie rule; the rule of two
//            roundings counts as halves up. Where q_b = z_b the sign of q_a - z_a picks an end of the grid, and a
//            zero gives z_y.
// Extreme:   each operand is requantized onto the output's grid, and the smallest or largest code taken. Constants
//            without codes are put on that grid per (Q1).
#pragma once

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// Errors of all: kUnsupported, as read_operands(), or if a factor cannot be expressed under the arithmetic.
Result<FixedForm> lower_mul_fixed(const FixedArgs& args);
/// Errors: also kUnsupported if a constant divisor holds 0, or the dividend is a tensor of real numbers without codes.
Result<FixedForm> lower_div_fixed(const FixedArgs& args);
Result<FixedForm> lower_min_fixed(const FixedArgs& args);
Result<FixedForm> lower_max_fixed(const FixedArgs& args);
/// Errors: also kUnsupported if the slope is no constant.
Result<FixedForm> lower_prelu_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
