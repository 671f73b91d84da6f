// normalization_fixed.cpp: integer forms of Layer-, RMS-, Instance- and GroupNormalization.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "encoding/encoding_set.hpp"
#include "numerics/factor.hpp"
#include "numerics/rounding.hpp"
#include "ops/reduce/normalization_int.hpp"
#include "ops/reduce/normalization_ops.hpp"
#include "ops/shared/fixed_codes.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

constexpr std::int64_t kMaxColumns = std::int64_t{1} << 20;

/// The real values of constant operand `i`: on its grid if it is encoded.
Result<std::vector<double>> constant_of(const FixedArgs& args, std::size_t i) {
  if (args.value(i) == nullptr) return unsupported("operand " + std::to_string(i) + " is not constant");
  Tensor values = *args.value(i);
  if (const Encoding* encoding = args.input_encoding(i); encoding != nullptr) {
    values = dequantize(args.code(i) != nullptr ? *args.code(i) : quantize(values, *encoding), *encoding);
  }
  std::vector<double> reals;
  for (const float value : values.values<float>()) {
    if (!std::isfinite(value)) return unsupported("operand " + std::to_string(i) + " is not finite");
    reals.push_back(static_cast<double>(value));
  }
  return reals;
}

/// The elements of an operand that broadcasts to `shape`, one for each position of the axes from `axis` on.
Result<std::vector<double>> by_column(const Shape& shape, int axis, const Shape& operand,
                                      const std::vector<double>& values) {
  const int missing = shape.rank() - operand.rank();
  for (int i = 0; i < operand.rank(); ++i) {
    if (i + missing < axis && operand[i] != 1) return unsupported("scale or bias differs from row to row");
  }
  const auto strides = strides_of(operand);
  std::vector<double> columns;
  const std::int64_t count = shape.num_elements(axis, shape.rank());
  for (std::int64_t c = 0; c < count; ++c) {
    std::int64_t rest = c;
    std::int64_t at = 0;
    for (int i = shape.rank() - 1; i >= axis; --i) {
      const int own = i - missing;
      if (own >= 0 && operand[own] != 1) at += rest % shape[i] * strides[static_cast<std::size_t>(own)];
      rest /= shape[i];
    }
    columns.push_back(values[static_cast<std::size_t>(at)]);
  }
  return columns;
}

/// Grids, bounds and epsilon; `plan` has its rows and columns.
Result<void> set_grids(const FixedArgs& args, IntNormPlan& plan) {
  if (auto encoded = require_encodings(args, 1); !encoded.ok()) return encoded;
  const Encoding& x = *args.input_encoding(0);
  const Encoding& y = *args.output_encoding();
  if (auto single = require_per_tensor(x, "the input"); !single.ok()) return single;
  if (auto single = require_per_tensor(y, "the output"); !single.ok()) return single;
  if (auto is_short = require_short_codes(x, "the input"); !is_short.ok()) return is_short;
  if (auto is_short = require_short_codes(y, "the output"); !is_short.ok()) return is_short;
  if (plan.columns > kMaxColumns) return unsupported("more than 2^20 elements are normalized together");
  const double scale_x = x.params()[0].scale;
  // Refuses scales that the arithmetic cannot express.
  const auto ratio = numerics::scale_factor(scale_x / y.params()[0].scale, args.options.arithmetic);
  if (!ratio.ok()) return ratio.error();

  const double n = static_cast<double>(plan.columns);
  const double epsilon = static_cast<double>(args.attributes().get_float("epsilon", 1e-5F));
  const double weight = epsilon / scale_x / scale_x * n * n * n;
  // V < 2^92 leaves room below the 2^100 that the kernel relies on.
  if (!(weight >= 0.0) || !(weight < 0x1p99)) return unsupported("epsilon is too large for the input's scale");
  plan.epsilon = static_cast<Uint128>(numerics::round_half_away(std::ldexp(weight, kNormEpsilonBits)));
  plan.x_dtype = storage_dtype(x.grid());
  plan.y_dtype = storage_dtype(y.grid());
  const CodeBounds bounds = output_bounds(args);
  plan.zero_point = y.params()[0].zero_point;
  plan.q_min = bounds.q_min;
  plan.q_max = bounds.q_max;
  const numerics::Rounding rounding = numerics::rounding_of(args.options.arithmetic);
  plan.rounding = rounding == numerics::Rounding::kDoubling ? numerics::Rounding::kHalfUp : rounding;
  return {};
}

/// G and B from the real gamma and beta, which have equal sizes.
Result<void> set_affine(const FixedArgs& args, const std::vector<double>& gamma, const std::vector<double>& beta,
                        IntNormPlan& plan) {
  const double scale_y = args.output_encoding()->params()[0].scale;
  double largest = 0.0;
  for (const double value : gamma) largest = std::max(largest, std::fabs(value) / scale_y);
  while (plan.gamma_bits > 0 && !(std::ldexp(largest, plan.gamma_bits) < 0x1p31 - 1.0)) --plan.gamma_bits;
  if (!(std::ldexp(largest, plan.gamma_bits) < 0x1p31 - 1.0)) return unsupported("scale exceeds 2^31 output steps");
  for (const double value : gamma) {
    plan.gamma.push_back(
        static_cast<std::int32_t>(numerics::round_half_away(std::ldexp(value / scale_y, plan.gamma_bits))));
  }
  for (const double value : beta) {
    if (!(std::fabs(value) / scale_y < 0x1p18)) return unsupported("bias exceeds 2^18 output steps");
    plan.beta.push_back(
        static_cast<std::int64_t>(numerics::round_half_away(std::ldexp(value / scale_y, kNormBetaBits))));
  }
  return {};
}

FixedForm finished(IntNormPlan plan, const std::string& kind) {
  FixedForm form;
  form.facts.kernel = kind + " normalization of " + std::to_string(plan.columns) + " elements";
  form.facts.accumulator.bits = 128;
  form.facts.notes.push_back("scale with " + std::to_string(plan.gamma_bits) + ", bias with " +
                             std::to_string(kNormBetaBits) + " fractional bits");
  form.prepared = prepare_int_normalization(std::move(plan));
  return form;
}

/// Rows along the trailing axes, with scale and perhaps bias (operand 2) of these axes.
Result<FixedForm> lower_trailing_axes(const FixedArgs& args, bool takes_mean, const std::string& kind) {
  const Shape& shape = args.shape(0);
  const auto axis = normalize_axis(args.attributes().get_int("axis", -1), shape.rank());
  if (!axis.ok()) return axis.error();
  IntNormPlan plan;
  plan.rows = shape.num_elements(0, *axis);
  plan.columns = shape.num_elements(*axis, shape.rank());
  if (auto set = set_grids(args, plan); !set.ok()) return set.error();
  if (!takes_mean) plan.centre = args.input_encoding(0)->params()[0].zero_point;
  const auto scale = constant_of(args, 1);
  if (!scale.ok()) return scale.error();
  const auto gamma = by_column(shape, *axis, args.shape(1), *scale);
  if (!gamma.ok()) return gamma.error();
  std::vector<double> beta(gamma->size(), 0.0);
  if (args.has(2)) {
    const auto bias = constant_of(args, 2);
    if (!bias.ok()) return bias.error();
    const auto columns = by_column(shape, *axis, args.shape(2), *bias);
    if (!columns.ok()) return columns.error();
    beta = *columns;
  }
  if (auto set = set_affine(args, *gamma, beta, plan); !set.ok()) return set.error();
  return finished(std::move(plan), kind);
}

/// Each of `groups` groups of channels is a row, with a scale and bias for each channel.
Result<FixedForm> lower_groups(const FixedArgs& args, std::int64_t groups, const std::string& kind) {
  const Shape& shape = args.shape(0);
  IntNormPlan plan;
  plan.affine = NormAffine::kByRun;
  plan.rows = shape[0] * groups;
  plan.run = shape.num_elements(2, shape.rank());
  plan.columns = shape[1] / groups * plan.run;
  if (auto set = set_grids(args, plan); !set.ok()) return set.error();
  const auto gamma = constant_of(args, 1);
  if (!gamma.ok()) return gamma.error();
  const auto beta = constant_of(args, 2);
  if (!beta.ok()) return beta.error();
  if (auto set = set_affine(args, *gamma, *beta, plan); !set.ok()) return set.error();
  return finished(std::move(plan), kind);
}

}  // namespace

Result<FixedForm> lower_layer_normalization_fixed(const FixedArgs& args) {
  if (!args.wants_output(0) || args.wants_output(1) || args.wants_output(2)) {
    return unsupported("Mean or InvStdDev is wanted, which have no integer form");
  }
  return lower_trailing_axes(args, true, "layer");
}

Result<FixedForm> lower_rms_normalization_fixed(const FixedArgs& args) {
  return lower_trailing_axes(args, false, "root mean square");
}

Result<FixedForm> lower_instance_normalization_fixed(const FixedArgs& args) {
  return lower_groups(args, args.shape(0)[1], "instance");
}

Result<FixedForm> lower_group_normalization_fixed(const FixedArgs& args) {
  const std::int64_t groups = args.attributes().get_int("num_groups", 1);
  if (args.type(1).shape.num_elements() != args.shape(0)[1]) return unsupported("the scale is not one a channel");
  return lower_groups(args, groups, "group");
}

}  // namespace halfstep::ops
