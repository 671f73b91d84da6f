// fixed_support.hpp: what the fixed forms of operators share: factors, bounds and proofs from encodings.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "encoding/encoding.hpp"
#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// What `encoding` has for `channel`: the one entry of a tensor's grid, or that channel's.
const QuantParams& params_of(const Encoding& encoding, std::size_t channel);

/// Integers [q_min, q_max] minus zero point: the values (q - z) an operand can take.
struct CodeRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t largest_magnitude() const { return std::max(-min, max); }
};
CodeRange centred_range(const Encoding& encoding, std::size_t channel = 0);

/// Errors: kUnsupported unless operands [0, count) and output 0 are encoded, or an
/// operand below `count` is absent. The remedy is not ours to name: the node stays float.
Result<void> require_encodings(const FixedArgs& args, std::size_t count);

/// Errors: kUnsupported if `encoding` is per channel.
Result<void> require_per_tensor(const Encoding& encoding, std::string_view what);

/// Grid bounds of output channel `channel`, tightened by the node's fused clamp: the
/// clamp's bounds are rounded onto the grid as (Q1) rounds any real number.
struct CodeBounds {
  std::int32_t q_min = 0;
  std::int32_t q_max = 0;
};
CodeBounds output_bounds(const FixedArgs& args, std::size_t channel = 0);

/// The code of real number x on channel `channel`, per (Q1) in double: clamp(round_half_even(x / s) + z). Not NaN.
std::int32_t code_of(double x, const Encoding& encoding, std::size_t channel = 0);

/// (R2) for output channel `channel` with acc in units of `acc_scale`: factor = acc_scale / s_y.
/// Errors: kUnsupported if the factor cannot be expressed under the arithmetic.
Result<numerics::Requantizer> output_requantizer(const FixedArgs& args, double acc_scale, std::size_t channel = 0);

/// The same where acc_scale contains a number that is no scale (a divisor, a slope).
Result<numerics::Requantizer> output_requantizer_plain(const FixedArgs& args, double acc_scale,
                                                       std::size_t channel = 0);

/// The codes of `tensor` (any integer type) as int32.
std::vector<std::int32_t> widened(const Tensor& tensor);

}  // namespace halfstep::ops
