// softmax_fixed.cpp: tables and multipliers of Softmax and LogSoftmax.
#include "ops/reduce/softmax_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "numerics/factor.hpp"
#include "numerics/rounding.hpp"
#include "ops/reduce/softmax_int.hpp"
#include "ops/shared/fixed_codes.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

/// Shape, grids and the table of exponentials.
Result<IntSoftmaxRows> rows_of(const FixedArgs& args) {
  if (auto encoded = require_encodings(args, 1); !encoded.ok()) return encoded.error();
  const Encoding& x = *args.input_encoding(0);
  const Encoding& y = *args.output_encoding();
  if (auto single = require_per_tensor(x, "the input"); !single.ok()) return single.error();
  if (auto single = require_per_tensor(y, "the output"); !single.ok()) return single.error();
  if (auto is_short = require_short_codes(x, "the input"); !is_short.ok()) return is_short.error();
  if (auto is_short = require_short_codes(y, "the output"); !is_short.ok()) return is_short.error();
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();

  IntSoftmaxRows rows;
  rows.outer = shape.num_elements(0, *axis);
  rows.extent = shape[*axis];
  rows.inner = shape.num_elements(*axis + 1, shape.rank());
  if (rows.extent >= std::int64_t{1} << 32) return Error{ErrorCode::kUnsupported, "the axis is longer than 2^32"};
  rows.x_dtype = storage_dtype(x.grid());
  rows.y_dtype = storage_dtype(y.grid());
  const std::int64_t steps = std::int64_t{x.grid().q_max} - x.grid().q_min;
  for (std::int64_t d = 0; d <= steps; ++d) {
    const double exact = 0x1p30 * std::exp(-x.params()[0].scale * static_cast<double>(d));
    const auto rounded = static_cast<std::uint32_t>(numerics::round_half_away(exact));
    if (rounded == 0) break;
    rows.exponentials.push_back(rounded);
  }
  const CodeBounds bounds = output_bounds(args);
  rows.zero_point = y.params()[0].zero_point;
  rows.q_min = bounds.q_min;
  rows.q_max = bounds.q_max;
  const numerics::Rounding rounding = numerics::rounding_of(args.options.arithmetic);
  rows.rounding = rounding == numerics::Rounding::kDoubling ? numerics::Rounding::kHalfUp : rounding;
  return rows;
}

FixedFacts facts_of(const IntSoftmaxRows& rows, std::string kernel, numerics::FixedPoint factor) {
  FixedFacts facts;
  facts.kernel = std::move(kernel);
  facts.factors = {factor};
  facts.accumulator.bits = 64;
  facts.accumulator.worst_case = static_cast<std::uint64_t>(rows.extent) << 30U;
  facts.notes.push_back("table of " + std::to_string(rows.exponentials.size()) + " exponentials, 30 fractional bits");
  return facts;
}

}  // namespace

Result<FixedForm> lower_softmax_fixed(const FixedArgs& args) {
  Result<IntSoftmaxRows> rows = rows_of(args);
  if (!rows.ok()) return rows.error();
  const auto factor = numerics::scale_factor(1.0 / args.output_encoding()->params()[0].scale, args.options.arithmetic);
  if (!factor.ok()) return factor.error();
  IntSoftmaxPlan plan;
  plan.rows = *std::move(rows);
  // Beyond a shift of 62 every quotient is below 1/2: the factor 0 says the same.
  plan.shift = std::min(31 + factor->right_shift, 62);
  plan.multiplier = 31 + factor->right_shift > 62 ? 0 : static_cast<std::uint32_t>(factor->multiplier_q31);
  FixedForm form;
  form.facts = facts_of(plan.rows, "softmax of " + std::to_string(plan.rows.extent) + " elements", *factor);
  form.prepared = prepare_int_softmax(std::move(plan));
  return form;
}

Result<FixedForm> lower_log_softmax_fixed(const FixedArgs& args) {
  Result<IntSoftmaxRows> rows = rows_of(args);
  if (!rows.ok()) return rows.error();
  const Encoding& x = *args.input_encoding(0);
  const double inv_scale_y = 1.0 / args.output_encoding()->params()[0].scale;
  const auto factor = numerics::scale_factor(x.params()[0].scale * inv_scale_y, args.options.arithmetic);
  if (!factor.ok()) return factor.error();
  IntLogSoftmaxPlan plan;
  plan.rows = *std::move(rows);
  const double steps = static_cast<double>(x.grid().q_max) - x.grid().q_min;
  const double bits = std::log2(static_cast<double>(std::max<std::int64_t>(plan.rows.extent, 1))) + 1.0;
  const double largest = std::max(steps * numerics::real_of(*factor), bits * std::numbers::ln2 * inv_scale_y);
  while (plan.fraction_bits > 0 && !(std::ldexp(largest, plan.fraction_bits) < 0x1p60)) --plan.fraction_bits;
  if (!(std::ldexp(largest, plan.fraction_bits) < 0x1p60)) {
    return Error{ErrorCode::kUnsupported, "the output's scale is too small beside the input's"};
  }
  const auto scaled = [&](double real) {
    return static_cast<std::int64_t>(numerics::round_half_away(std::ldexp(real, plan.fraction_bits)));
  };
  plan.step = scaled(numerics::real_of(*factor));
  plan.log_two = scaled(std::numbers::ln2 * inv_scale_y);
  FixedForm form;
  form.facts = facts_of(plan.rows, "log-softmax of " + std::to_string(plan.rows.extent) + " elements", *factor);
  form.facts.notes.push_back("terms have " + std::to_string(plan.fraction_bits) + " fractional bits");
  form.prepared = prepare_int_log_softmax(std::move(plan));
  return form;
}

}  // namespace halfstep::ops
