// binary_fixed.cpp: factors of products, quotients, multiples and extremes.
#include "ops/elementwise/binary_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "numerics/factor.hpp"
#include "ops/elementwise/binary_int.hpp"
#include "ops/elementwise/unary_fixed.hpp"
#include "ops/shared/element_fixed.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

using numerics::FixedPoint;
using numerics::Requantizer;

double scale_of(const ElementOperand& operand, std::size_t channel) {
  return params_of(*operand.encoding, channel).scale;
}

std::int32_t zero_of(const ElementOperand& operand, std::size_t channel) {
  return params_of(*operand.encoding, channel).zero_point;
}

FixedForm form_of(Kernel kernel, const ElementRows& rows, std::string name) {
  FixedForm form;
  form.prepared = {.run = std::move(kernel), .scratch_bytes = rows.scratch_bytes(), .clamps = true};
  form.facts.kernel = std::move(name);
  return form;
}

Result<FixedForm> lower_product(const FixedArgs& args, const ElementOperands& all) {
  const ElementOperand& a = all.operands[0];
  const ElementOperand& b = all.operands[1];
  IntProduct product;
  std::vector<FixedPoint> factors;
  AccumulatorProof proof;
  for (std::size_t c = 0; c < all.num_channels; ++c) {
    const Result<Requantizer> requantizer = output_requantizer(args, scale_of(a, c) * scale_of(b, c), c);
    if (!requantizer.ok()) return requantizer.error();
    product.channels.push_back({zero_of(a, c), zero_of(b, c), *requantizer});
    factors.push_back(requantizer->factor);
    const auto worst = static_cast<std::uint64_t>(stored_range(*a.encoding, c).largest_magnitude() *
                                                  stored_range(*b.encoding, c).largest_magnitude());
    if (worst > proof.worst_case) {
      proof.worst_case = worst;
      if (all.num_channels > 1) proof.worst_channel = static_cast<std::int64_t>(c);
    }
  }
  product.wide = proof.worst_case > std::uint64_t{std::numeric_limits<std::int32_t>::max()};
  proof.bits = product.wide ? 64 : 32;
  product.rows = plan_rows(args.outputs[0].shape, all.shapes(), all.channel_axis);
  const ElementRows rows = product.rows;
  FixedForm form = form_of(product_kernel(std::move(product)), rows, "product");
  form.facts.factors = std::move(factors);
  form.facts.accumulator = proof;
  return form;
}

/// The real factors for (q_x - z_x) >= 0 and < 0 that element c of a constant stands for, without the scales.
struct RealFactors {
  double above = 1.0;
  double below = 1.0;
};

/// q_x times what `factors_of` makes of each element of constant operand `constant`.
Result<FixedForm> lower_multiple(const FixedArgs& args, const ElementOperands& all, std::size_t x_index,
                                 const std::function<RealFactors(double)>& factors_of, std::string name) {
  const ElementOperand& x = all.operands[x_index];
  const ElementOperand& constant = all.operands[1 - x_index];
  const Arithmetic arithmetic = args.options.arithmetic;
  IntMultiple multiple;
  multiple.x = x_index;
  for (std::size_t c = 0; c < all.num_channels; ++c) {
    // Also under the shift rules the scales, of which the constant is none, must be powers of two.
    Result<Requantizer> requantizer = output_requantizer(args, scale_of(x, c), c);
    if (!requantizer.ok()) return requantizer.error();
    multiple.channels.push_back({zero_of(x, c), *requantizer});
  }
  for (std::size_t i = 0; i < constant.reals.size(); ++i) {
    const std::size_t c = constant.channel[i];
    const RealFactors real = factors_of(constant.reals[i]);
    const double ratio = scale_of(x, c) / params_of(*all.output, c).scale;
    const Result<FixedPoint> above = numerics::plain_factor(std::fabs(real.above) * ratio, arithmetic);
    const Result<FixedPoint> below = numerics::plain_factor(std::fabs(real.below) * ratio, arithmetic);
    if (!above.ok()) return above.error();
    if (!below.ok()) return below.error();
    multiple.factors.push_back({*above, *below, real.above < 0.0, real.below < 0.0});
  }
  const Shape shapes[] = {x.shape, constant.shape};
  multiple.rows = plan_rows(args.outputs[0].shape, shapes, all.channel_axis);
  const ElementRows rows = multiple.rows;
  std::vector<FixedPoint> factors;
  if (multiple.factors.size() == 1) {
    factors.push_back(multiple.factors[0].above);
    if (multiple.factors[0].below != multiple.factors[0].above) factors.push_back(multiple.factors[0].below);
  }
  FixedForm form = form_of(multiple_kernel(std::move(multiple)), rows, std::move(name));
  form.facts.factors = std::move(factors);
  return form;
}

Result<FixedForm> lower_quotient(const FixedArgs& args, const ElementOperands& all) {
  const ElementOperand& a = all.operands[0];
  const ElementOperand& b = all.operands[1];
  IntQuotient quotient;
  std::vector<FixedPoint> factors;
  for (std::size_t c = 0; c < all.num_channels; ++c) {
    const Result<Requantizer> requantizer = output_requantizer(args, scale_of(a, c) / scale_of(b, c), c);
    if (!requantizer.ok()) return requantizer.error();
    // Beyond 47 bits every quotient is below 2^47 / 2^48, that is less than a half.
    const int fraction_bits = 31 + requantizer->factor.right_shift;
    const bool vanishes = fraction_bits > 47;
    quotient.channels.push_back({.zero_a = zero_of(a, c),
                                 .zero_b = zero_of(b, c),
                                 .multiplier = vanishes ? 0 : requantizer->factor.multiplier_q31,
                                 .fraction_bits = vanishes ? 0 : fraction_bits,
                                 .zero_point = requantizer->zero_point,
                                 .q_min = requantizer->q_min,
                                 .q_max = requantizer->q_max});
    factors.push_back(requantizer->factor);
  }
  quotient.rounding = numerics::rounding_of(args.options.arithmetic);
  quotient.rows = plan_rows(args.outputs[0].shape, all.shapes(), all.channel_axis);
  const ElementRows rows = quotient.rows;
  FixedForm form = form_of(quotient_kernel(std::move(quotient)), rows, "quotient");
  form.facts.factors = std::move(factors);
  return form;
}

/// A constant of real numbers as codes of the output.
Tensor output_codes(const FixedArgs& args, const ElementOperand& constant) {
  const Encoding& output = *args.output_encoding();
  Tensor codes(TensorType{storage_dtype(output.grid()), constant.shape});
  visit_dtype(codes.dtype(), [&]<class T>() {
    T* to = codes.mutable_data<T>();
    for (std::size_t i = 0; i < constant.reals.size(); ++i) {
      const CodeBounds bounds = output_bounds(args, constant.channel[i]);
      const std::int32_t q = code_of(constant.reals[i], output, constant.channel[i]);
      to[i] = static_cast<T>(std::clamp(q, bounds.q_min, bounds.q_max));
    }
  });
  return codes;
}

Result<FixedForm> lower_extreme(const FixedArgs& args, Extreme which) {
  const Result<ElementOperands> all = read_operands(args, args.num_inputs());
  if (!all.ok()) return all.error();
  IntExtreme extreme;
  extreme.which = which;
  std::vector<FixedPoint> factors;
  for (std::size_t c = 0; c < all->num_channels; ++c) {
    for (const ElementOperand& operand : all->operands) {
      if (!operand.is_codes()) {
        extreme.channels.emplace_back();
        continue;
      }
      const Result<Requantizer> requantizer = output_requantizer(args, scale_of(operand, c), c);
      if (!requantizer.ok()) return requantizer.error();
      extreme.channels.push_back({zero_of(operand, c), *requantizer});
      if (c == 0) factors.push_back(requantizer->factor);
    }
  }
  for (const ElementOperand& operand : all->operands) {
    extreme.constants.push_back(operand.is_codes() ? Tensor() : output_codes(args, operand));
  }
  extreme.rows = plan_rows(args.outputs[0].shape, all->shapes(), all->channel_axis);
  const ElementRows rows = extreme.rows;
  FixedForm form = form_of(
      extreme_kernel(std::move(extreme)), rows,
      (which == Extreme::kMin ? "minimum of " : "maximum of ") + std::to_string(all->operands.size()) + " operands");
  form.facts.factors = std::move(factors);
  return form;
}

}  // namespace

Result<FixedForm> lower_mul_fixed(const FixedArgs& args) {
  const Result<ElementOperands> all = read_operands(args, 2);
  if (!all.ok()) return all.error();
  const bool codes[] = {all->operands[0].is_codes(), all->operands[1].is_codes()};
  if (codes[0] && codes[1]) return lower_product(args, *all);
  if (!codes[0] && !codes[1]) return unsupported("both operands are constants");
  return lower_multiple(
      args, *all, codes[0] ? 0 : 1,
      [](double c) {
        return RealFactors{c, c};
      },
      "product with a constant");
}

Result<FixedForm> lower_div_fixed(const FixedArgs& args) {
  const Result<ElementOperands> all = read_operands(args, 2, {.channel_axis = {}, .real_operand = 1});
  if (!all.ok()) return all.error();
  const ElementOperand& dividend = all->operands[0];
  const ElementOperand& divisor = all->operands[1];
  if (dividend.is_codes() && divisor.is_codes()) return lower_quotient(args, *all);
  if (dividend.is_codes()) {
    if (std::ranges::find(divisor.reals, 0.0) != divisor.reals.end()) return unsupported("the divisor holds a 0");
    return lower_multiple(
        args, *all, 0,
        [](double c) {
          return RealFactors{1.0 / c, 1.0 / c};
        },
        "quotient by a constant");
  }
  if (!divisor.is_codes()) return unsupported("both operands are constants");
  if (args.shape(0).num_elements() != 1) return unsupported("the dividend is a tensor of constants without codes");
  return lower_table(args, 1, [c = dividend.reals.at(0)](double x) { return c / x; });
}

Result<FixedForm> lower_min_fixed(const FixedArgs& args) { return lower_extreme(args, Extreme::kMin); }

Result<FixedForm> lower_max_fixed(const FixedArgs& args) { return lower_extreme(args, Extreme::kMax); }

Result<FixedForm> lower_prelu_fixed(const FixedArgs& args) {
  const Result<ElementOperands> all = read_operands(args, 2, {.channel_axis = {}, .real_operand = 1});
  if (!all.ok()) return all.error();
  if (!all->operands[0].is_codes()) return unsupported("the operand is a constant");
  if (all->operands[1].is_codes()) return unsupported("the slope is no constant");
  return lower_multiple(
      args, *all, 0,
      [](double slope) {
        return RealFactors{1.0, slope};
      },
      "two factors by sign");
}

}  // namespace halfstep::ops
