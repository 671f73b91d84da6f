// softmax_int.hpp: Softmax and LogSoftmax on codes.
//
// With d_i = max(q) - q_i >= 0 along the axis (the zero point cancels) and a table made when the model is prepared,
//
//   e[d] = round(2^30 * exp(-s_x * d)),    S = sum of e[d_i]                     (exact: S < 2^63)
//
// e is 0 behind the end of the table. The largest element has e = 2^30, so S >= 2^30.
//
// Softmax, where 1 / s_y = multiplier * 2^-shift, 2^30 <= multiplier < 2^31:
//
//   q_y = clamp(z_y + round(e[d] * multiplier / (S * 2^shift)), q_min, q_max)
//
// The numerator is below 2^61 and the denominator below 2^126; the quotient is rounded once, to nearest, halves by the
// arithmetic's rule (q31_double as halves up). Each e errs by at most 1/2 and 1 / s_y by 2^-31 of it (float_half_even:
// 2^-24), so before the rounding n elements give an error of at most 2^-31 / s_y steps plus (n + 1) * 2^-31 (n * 2^-31
// + 2^-24) of the true quotient.
//
// LogSoftmax, with F fractional bits, a = round(s_x / s_y * 2^F), b = round(ln 2 / s_y * 2^F):
//
//   L = floor(log2(S / 2^30) * 2^32)                                             (one below at most)
//   q_y = clamp(z_y + round((-d * a - round(L * b / 2^32)) / 2^F), q_min, q_max)
//
// F is the largest number up to 30 that keeps both terms below 2^61. Before the last rounding the error is at most
// d * 2^-(F+1) + (n + 1) * 2^-31 / s_y + (log2(n) + 1) * 2^-(F+1) steps, plus 2^-31 (float_half_even: 2^-24) of the
// true d * s_x / s_y. At 8 bits that is far below 0.01 steps; d * 2^-(F+1) is the largest part at 16 bits, below 2^-14
// for F = 30.
#pragma once

#include <cstdint>
#include <vector>

#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// The input as [outer, extent, inner], normalized along the middle, and where results go.
struct IntSoftmaxRows {
  std::int64_t outer = 1;
  std::int64_t extent = 1;
  std::int64_t inner = 1;
  DType x_dtype = DType::kInt8;
  DType y_dtype = DType::kUint8;
  std::vector<std::uint32_t> exponentials;  ///< e[d]; e[0] = 2^30.
  std::int32_t zero_point = 0;
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
  numerics::Rounding rounding = numerics::Rounding::kHalfUp;  ///< Not kDoubling.
};

struct IntSoftmaxPlan {
  IntSoftmaxRows rows;
  std::uint32_t multiplier = 0;
  int shift = 1;  ///< 1 to 62.
};

struct IntLogSoftmaxPlan {
  IntSoftmaxRows rows;
  std::int64_t step = 0;     ///< a
  std::int64_t log_two = 0;  ///< b
  int fraction_bits = 30;    ///< F
};

/// May run in place.
Prepared prepare_int_softmax(IntSoftmaxPlan plan);
Prepared prepare_int_log_softmax(IntLogSoftmaxPlan plan);

/// log2(x) in units of 2^-32, rounded down; may be one unit lower than that. Requires x > 0.
std::int64_t log2_q32(std::uint64_t x);

}  // namespace halfstep::ops
