// weighted_sum_fixed.hpp: sums of operands with real weights, rounded once.
//
//   q_y = clamp(z_y + round(2^-F * (sum over i of m_i * (q_i - z_i) + b)), q_min, q_max)
//   m_i = round(f_i * 2^F),    f_i = weight_i * s_i / s_y,    b = round(offset / s_y * 2^F)
//
// with one number F of fractional bits for all operands of a channel: the largest F <= 60 for which every |m_i| < 2^31
// and the largest possible |sum| < 2^62 (a limit that only constants or thousands of operands come near). m_i and b are
// rounded halves away from zero. The one rounding of the sum follows the tie rule of the arithmetic. float_half_even
// rounds f_i to float32 before anything else. The rule of two roundings (q31_double) has no meaning for a sum of
// several products and rounds halves up, once: the addition of gemmlowp's users, which rescales each operand to 32 bits
// first, is another algorithm and not imitated.
//
// With weights of +1 and -1 and power-of-two scales every m_i is exact, or the node has no integer form: a shift rule
// then rounds the exact sum.
//
// A constant that is taken as real numbers adds round(weight_i * c / s_y * 2^F) instead of a product. If there is one
// such operand, its elements are first limited to what, with any values of the other operands, already saturates; so
// that -infinity (a mask) is allowed.
#pragma once

#include <functional>
#include <optional>

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// What is summed.
struct WeightedSum {
  std::size_t operands = 0;  ///< The first ones of the node.
  /// Weight of an operand on a channel of the result. Finite.
  std::function<double(std::size_t operand, std::size_t channel)> weight;
  /// A real number to add on a channel; empty: 0. Not NaN.
  std::function<double(std::size_t channel)> offset = {};
  bool weights_are_signs = true;         ///< All weights are 1 or -1.
  std::optional<int> channel_axis = {};  ///< Of the result, if weights or offsets differ by channel.
  std::string kernel;                    ///< FixedFacts::kernel.
};

/// Errors: those of read_operands(); kUnsupported if no F >= 1 will do, or a shift rule meets factors that are no
/// powers of two or too far apart for exact integers.
Result<FixedForm> lower_weighted_sum(const FixedArgs& args, const WeightedSum& sum);

/// lower_fixed of the operators that are such sums.
Result<FixedForm> lower_add_fixed(const FixedArgs& args);
Result<FixedForm> lower_sub_fixed(const FixedArgs& args);
Result<FixedForm> lower_sum_fixed(const FixedArgs& args);
Result<FixedForm> lower_mean_fixed(const FixedArgs& args);
/// (x - mean) * scale / sqrt(variance + epsilon) + bias, channel by channel.
/// Errors: also kUnsupported if a parameter is no constant, or training_mode is 1.
Result<FixedForm> lower_batch_normalization_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
