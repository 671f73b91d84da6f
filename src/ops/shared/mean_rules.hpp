// mean_rules.hpp: the integers that turn sums of codes into codes of their mean.
//
//   acc = sum of (q_x - z_x) over the elements of one output                     (exact)
//   q_y = clamp(z_y + round(acc * factor), q_min, q_max),    factor = s_x / (s_y * divisor)
//
// One rounding, by the arithmetic's rule. divisor is the number of elements of a mean (that of AveragePool may count
// padding, whose terms are 0), and 1 for a sum. 1 / divisor is no scale: the shift rules, which demand that s_x / s_y
// is a power of two, multiply by 31 bits where the divisor is none. |acc| <= count * max |q - z|: the accumulator has
// 32 bits where this and count * max |q| stay below 2^31 (the kernel adds up q and takes count * z_x off at the end),
// else 64.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.hpp"
#include "numerics/fixed_point.hpp"
#include "ops/fixed_form.hpp"

namespace halfstep::ops {

struct MeanRules {
  DType x_dtype = DType::kInt8;
  DType y_dtype = DType::kInt8;
  bool wide = false;          ///< Accumulators have 64 bits.
  std::int64_t channels = 1;  ///< Of encodings that have one grid a channel, else 1.
  std::int64_t num_divisors = 1;
  std::vector<std::int32_t> zero_points;            ///< z_x by channel.
  std::vector<numerics::Requantizer> requantizers;  ///< By channel, then by divisor.

  const numerics::Requantizer& requantizer(std::int64_t channel, std::int64_t divisor) const {
    return requantizers[static_cast<std::size_t>(channel * num_divisors + divisor)];
  }
  std::int32_t zero_point(std::int64_t channel) const { return zero_points[static_cast<std::size_t>(channel)]; }
};

/// Which encodings with a grid for each channel are taken.
enum class ChannelGrids { kRefused, kAlongAxis1 };

/// The rules for sums of up to `largest_count` elements and each of `divisors`, all >= 1.
/// Errors: kUnsupported if an encoding is missing, too wide, per channel where that is refused or along
/// another axis, or if a factor cannot be expressed.
Result<MeanRules> mean_rules_of(const FixedArgs& args, std::int64_t largest_count,
                                const std::vector<std::int64_t>& divisors, ChannelGrids grids);

/// What to print of such a step.
FixedFacts mean_facts(const FixedArgs& args, const MeanRules& rules, std::int64_t largest_count, std::string kernel);

}  // namespace halfstep::ops
