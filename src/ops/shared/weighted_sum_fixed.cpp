// weighted_sum_fixed.cpp: chooses the fractional bits of sums, and proves that they do not overflow.
#include "ops/shared/weighted_sum_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "numerics/factor.hpp"
#include "numerics/rounding.hpp"
#include "ops/shared/element_fixed.hpp"
#include "ops/shared/fixed_support.hpp"
#include "ops/shared/weighted_sum_int.hpp"

namespace halfstep::ops {
namespace {

using numerics::Int128;
using numerics::round_half_away;

/// What one channel sums, in steps of the output.
struct RealChannel {
  std::vector<double> factors;    ///< By operand: per code, or per real unit of a real constant.
  std::vector<CodeRange> ranges;  ///< By operand: (q - z) of every code its type can store; [0, 0] if real.
  double constant = 0.0;          ///< The offset.
  double largest_constant = 0.0;  ///< Magnitude of the offset plus that of any real constants.
};

/// f_i on `channel`, checked as the arithmetic demands.
Result<double> factor_of(const FixedArgs& args, double weight, double scale_ratio) {
  const Arithmetic arithmetic = args.options.arithmetic;
  const double real = weight * scale_ratio;
  for (const auto& checked :
       {numerics::scale_factor(scale_ratio, arithmetic), numerics::plain_factor(std::fabs(real), arithmetic)}) {
    if (!checked.ok()) return checked.error();
  }
  return arithmetic == Arithmetic::kFloatHalfEven ? numerics::to_float32(real) : real;
}

std::int64_t fixed(double real, int fraction_bits) {
  return static_cast<std::int64_t>(round_half_away(std::ldexp(real, fraction_bits)));
}

/// The largest possible magnitude of the sum of `c` with F fractional bits; empty if F is too large.
std::optional<std::uint64_t> worst_case(const RealChannel& c, int fraction_bits) {
  constexpr Int128 kLimit = static_cast<Int128>(1) << 62;
  const double constant = std::ldexp(c.largest_constant, fraction_bits);
  if (!(constant < 0x1p61)) return std::nullopt;
  // Each of the constants was rounded: half a unit each, and there are fewer than 2^20 of them.
  Int128 worst = static_cast<std::int64_t>(constant) + (c.largest_constant > 0.0 ? std::int64_t{1} << 20 : 0);
  for (std::size_t k = 0; k < c.factors.size(); ++k) {
    if (c.ranges[k].largest_magnitude() == 0) continue;
    const double multiplier = round_half_away(std::ldexp(std::fabs(c.factors[k]), fraction_bits));
    if (!(multiplier < 0x1p31)) return std::nullopt;
    worst += static_cast<Int128>(static_cast<std::int64_t>(multiplier)) * c.ranges[k].largest_magnitude();
    if (worst >= kLimit) return std::nullopt;
  }
  return worst < kLimit ? std::optional(static_cast<std::uint64_t>(worst)) : std::nullopt;
}

/// Operands, real channels and the integers made of them, of one node.
class SumBuilder {
 public:
  SumBuilder(const FixedArgs& args, const WeightedSum& sum, ElementOperands all)
      : args_(args), sum_(sum), all_(std::move(all)) {
    for (const ElementOperand& operand : all_.operands) {
      num_real_ += operand.is_codes() ? 0 : 1;
      std::vector<double>& largest = largest_reals_.emplace_back(all_.num_channels, 0.0);
      for (std::size_t i = 0; i < operand.reals.size(); ++i) {
        largest[operand.channel[i]] = std::max(largest[operand.channel[i]], std::fabs(operand.reals[i]));
      }
    }
  }

  Result<FixedForm> build() {
    form_.facts.kernel = sum_.kernel;
    form_.facts.accumulator.bits = 64;
    form_.replaced_operands.resize(all_.operands.size());
    kernel_.narrow = true;
    for (std::size_t c = 0; c < all_.num_channels; ++c) {
      if (const auto ok = add_channel(c); !ok.ok()) return ok.error();
    }
    for (std::size_t k = 0; k < all_.operands.size(); ++k) {
      if (!all_.operands[k].is_codes()) form_.replaced_operands[k] = addends(k);
    }
    const numerics::Rounding rounding = numerics::rounding_of(args_.options.arithmetic);
    kernel_.rounding = rounding == numerics::Rounding::kDoubling ? numerics::Rounding::kHalfUp : rounding;
    kernel_.rows = plan_rows(args_.outputs[0].shape, all_.shapes(), all_.channel_axis);
    form_.prepared.scratch_bytes = kernel_.rows.scratch_bytes();
    form_.prepared.clamps = true;
    form_.prepared.run = weighted_sum_kernel(std::move(kernel_));
    form_.prepared.splits = true;
    form_.facts.notes.push_back("one rounding of a sum with " + bits_.text() + " fractional bits");
    return std::move(form_);
  }

 private:
  /// The smallest and the largest F.
  struct BitRange {
    int least = kMaxFractionBits;
    int most = 0;
    std::string text() const {
      return least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most);
    }
  };

  Result<RealChannel> real_channel(std::size_t channel) {
    RealChannel c;
    const double s_y = params_of(*all_.output, channel).scale;
    double reach = 0x1p17;  // What saturates from any sum of the other operands: twice the widest grid beyond them.
    for (std::size_t k = 0; k < all_.operands.size(); ++k) {
      const ElementOperand& operand = all_.operands[k];
      const double weight = sum_.weight(k, channel);
      if (!operand.is_codes()) {
        c.factors.push_back(weight / s_y);
        c.ranges.push_back({});
        continue;
      }
      const QuantParams& p = params_of(*operand.encoding, channel);
      const Result<double> factor = factor_of(args_, weight, p.scale / s_y);
      if (!factor.ok()) return factor.error();
      c.factors.push_back(*factor);
      c.ranges.push_back(stored_range(*operand.encoding, channel));
      reach += std::fabs(*factor) * static_cast<double>(c.ranges.back().largest_magnitude());
      if (channel == 0) form_.facts.factors.push_back(*numerics::fixed_point_from_real(std::fabs(*factor)));
    }
    if (sum_.offset) {
      c.constant = sum_.offset(channel) / s_y;
      if (num_real_ == 0) c.constant = std::clamp(c.constant, -reach, reach);
    }
    c.largest_constant = std::fabs(c.constant);
    limits_.push_back(num_real_ == 1 && !sum_.offset ? reach : std::numeric_limits<double>::infinity());
    for (std::size_t k = 0; k < all_.operands.size(); ++k) {
      if (all_.operands[k].is_codes() || largest_reals_[k][channel] == 0.0) continue;
      c.largest_constant += std::min(largest_reals_[k][channel] * std::fabs(c.factors[k]), limits_.back());
    }
    return c;
  }

  Result<void> add_channel(std::size_t channel) {
    const Result<RealChannel> real = real_channel(channel);
    if (!real.ok()) return real.error();
    int bits = kMaxFractionBits;
    std::optional<std::uint64_t> worst = worst_case(*real, bits);
    while (!worst && bits > 1) worst = worst_case(*real, --bits);
    if (!worst) return unsupported("the operands are too large for the output's scale");
    bits_ = {.least = std::min(bits_.least, bits), .most = std::max(bits_.most, bits)};
    fraction_bits_.push_back(bits);
    AccumulatorProof& proof = form_.facts.accumulator;
    if (channel == 0 || *worst > proof.worst_case) {
      proof.worst_case = *worst;
      proof.worst_channel = all_.num_channels > 1 ? static_cast<std::int64_t>(channel) : -1;
    }
    kernel_.narrow = kernel_.narrow && (*worst >> bits) < (std::uint64_t{1} << 30);

    const std::int32_t zero_point = params_of(*all_.output, channel).zero_point;
    const CodeBounds bounds = output_bounds(args_, channel);
    SumChannel c{.base = kSumBias + static_cast<std::uint64_t>(fixed(real->constant, bits)),
                 .offset = zero_point - static_cast<std::int64_t>(kSumBias >> bits),
                 .fraction_bits = bits,
                 .q_min = bounds.q_min,
                 .q_max = bounds.q_max};
    for (std::size_t k = 0; k < all_.operands.size(); ++k) {
      SumTerm term;
      if (all_.operands[k].is_codes()) {
        const double factor = real->factors[k];
        const std::int64_t multiplier = fixed(factor, bits);
        if (sum_.weights_are_signs && needs_power_of_two(args_.options.arithmetic) &&
            std::ldexp(factor, bits) != static_cast<double>(multiplier)) {
          return unsupported("the scales of the operands are too far apart for exact shifts");
        }
        term = term_of(multiplier, storage_dtype(all_.operands[k].encoding->grid()), real->ranges[k], c.base);
      }
      kernel_.terms.push_back(term);
    }
    kernel_.channels.push_back(c);
    return {};
  }

  /// The term that adds multiplier * (q - z), with the constant part of it added to `base`.
  static SumTerm term_of(std::int64_t multiplier, DType dtype, CodeRange range, std::uint64_t& base) {
    const std::uint32_t all_bits = size_in_bytes(dtype) == 1 ? 0xFF : 0xFFFF;
    const std::uint32_t sign_bit = dtype == DType::kInt8 || dtype == DType::kInt16 ? (all_bits >> 1) + 1 : 0;
    const bool negative = multiplier < 0;
    // q - z = u + range.min, or, counted down from the highest code, z - q = u - range.max.
    base += static_cast<std::uint64_t>(multiplier) * static_cast<std::uint64_t>(negative ? range.max : range.min);
    return {.multiplier = static_cast<std::uint32_t>(negative ? -multiplier : multiplier),
            .flip = negative ? all_bits ^ sign_bit : sign_bit};
  }

  /// What operand k, a real constant, adds.
  Tensor addends(std::size_t k) const {
    const ElementOperand& operand = all_.operands[k];
    Tensor tensor(TensorType{DType::kInt64, operand.shape});
    std::int64_t* to = tensor.mutable_data<std::int64_t>();
    for (std::size_t i = 0; i < operand.reals.size(); ++i) {
      const std::size_t channel = operand.channel[i];
      const double steps = operand.reals[i] * sum_.weight(k, channel) / params_of(*all_.output, channel).scale;
      to[i] = fixed(std::clamp(steps, -limits_[channel], limits_[channel]), fraction_bits_[channel]);
    }
    return tensor;
  }

  const FixedArgs& args_;
  const WeightedSum& sum_;
  ElementOperands all_;
  std::size_t num_real_ = 0;
  std::vector<std::vector<double>> largest_reals_;  ///< [operand][channel]: magnitude, in real units.
  std::vector<double> limits_;                      ///< By channel: real constants are limited to it, in steps.
  std::vector<int> fraction_bits_;                  ///< By channel.
  BitRange bits_;
  IntSum kernel_;
  FixedForm form_;
};

WeightedSum sum_of(const FixedArgs& args, double weight, bool weights_are_signs) {
  return {.operands = args.num_inputs(),
          .weight = [weight](std::size_t, std::size_t) { return weight; },
          .weights_are_signs = weights_are_signs,
          .kernel = "sum of " + std::to_string(args.num_inputs()) + " operands"};
}

}  // namespace

Result<FixedForm> lower_weighted_sum(const FixedArgs& args, const WeightedSum& sum) {
  Result<ElementOperands> all = read_operands(args, sum.operands, {.channel_axis = sum.channel_axis});
  if (!all.ok()) return all.error();
  return SumBuilder(args, sum, *std::move(all)).build();
}

Result<FixedForm> lower_add_fixed(const FixedArgs& args) { return lower_weighted_sum(args, sum_of(args, 1.0, true)); }

Result<FixedForm> lower_sum_fixed(const FixedArgs& args) { return lower_weighted_sum(args, sum_of(args, 1.0, true)); }

Result<FixedForm> lower_sub_fixed(const FixedArgs& args) {
  WeightedSum sum = sum_of(args, 1.0, true);
  sum.weight = [](std::size_t operand, std::size_t) { return operand == 0 ? 1.0 : -1.0; };
  sum.kernel = "difference";
  return lower_weighted_sum(args, sum);
}

Result<FixedForm> lower_mean_fixed(const FixedArgs& args) {
  const std::size_t count = args.num_inputs();
  WeightedSum sum = sum_of(args, 1.0 / static_cast<double>(count), count == 1);
  sum.kernel = "mean of " + std::to_string(count) + " operands";
  return lower_weighted_sum(args, sum);
}

Result<FixedForm> lower_batch_normalization_fixed(const FixedArgs& args) {
  if (args.attributes().get_int("training_mode", 0) != 0) return unsupported("training_mode is 1");
  std::vector<double> parameters[4];  // scale, bias, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    parameters[i] = constant_reals(args, i + 1);
    if (parameters[i].empty()) return unsupported("operand " + std::to_string(i + 1) + " is no constant");
  }
  const double epsilon = static_cast<double>(args.attributes().get_float("epsilon", 1e-5F));
  std::vector<double> weights;
  std::vector<double> offsets;
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    weights.push_back(parameters[0][c] / std::sqrt(parameters[3][c] + epsilon));
    offsets.push_back(parameters[1][c] - parameters[2][c] * weights.back());
    if (!std::isfinite(weights.back()) || std::isnan(offsets.back())) {
      return unsupported("the parameters of channel " + std::to_string(c) + " give no finite factor");
    }
  }
  const bool has_channels = args.shape(0).rank() > 1;  // A vector is a batch of one channel.
  return lower_weighted_sum(args, {.operands = 1,
                                   .weight = [&weights](std::size_t, std::size_t channel) { return weights[channel]; },
                                   .offset = [&offsets](std::size_t channel) { return offsets[channel]; },
                                   .weights_are_signs = false,
                                   .channel_axis = has_channels ? std::optional(1) : std::nullopt,
                                   .kernel = "batch normalization"});
}

}  // namespace halfstep::ops
