// unary_fixed.hpp: functions of one real number as exact tables over all codes.
//
//   table[q] = clamp(z_y + round(f(s_x * (q - z_x)) / s_y), q_min, q_max)
//
// for every code q the storage type of x can hold (256 or 65,536); codes outside the grid of x count as its nearest
// end. [q_min, q_max] is the grid of y, tightened by a fused clamp. The quotient is rounded once, halves by the tie
// rule of the arithmetic; the two-step rule of gemmlowp counts as halves up here, because there is no product to
// round first.
//
// Where f is not finite: +infinity and -infinity give the ends of [q_min, q_max]; NaN (Log of a negative number) gives
// the code of real 0, which is z_y within [q_min, q_max].
//
// Tables are made in plain double arithmetic, without contraction. s_x * (q - z_x) is exact: 24 and 17 bits. For f that
// is piecewise x itself the quotient of that by s_y is correctly rounded, so that a tie is a tie and nothing else is:
// two numbers of 41 and 24 bits cannot be closer to a half than 2^-43 of it without being one. For the others f
// comes from the C library, whose last bit may differ between libraries and processors; an entry follows only where
// the quotient lies within 2^-52 of itself beside a half.
#pragma once

#include <functional>

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// lower_fixed of every unary operator, and of Pow with a constant exponent.
/// Errors: kUnsupported if input or output has no encoding of 16 bits or fewer, the function has operands that are not
/// constant, or the tables of all channels would need more than kMaxTableBytes.
Result<FixedForm> lower_unary_fixed(const FixedArgs& args);

/// The form that maps operand `x_index` by `f`. The output has as many elements.
Result<FixedForm> lower_table(const FixedArgs& args, std::size_t x_index, const std::function<double(double)>& f);

/// The tables of all channels of one node.
inline constexpr std::int64_t kMaxTableBytes = std::int64_t{1} << 26;

}  // namespace halfstep::ops
