// resize_fixed.cpp: integer weights and factors of Resize.
#include "ops/window/resize_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/errors.hpp"
#include "numerics/factor.hpp"
#include "ops/shared/fixed_codes.hpp"
#include "ops/shared/fixed_support.hpp"
#include "ops/window/resize_int.hpp"
#include "ops/window/resize_kernels.hpp"

namespace halfstep::ops {
namespace {

/// The codes may be moved as they are.
bool moves_codes(const FixedArgs& args, const ResizeSpec& spec) {
  const Encoding& x = *args.input_encoding(0);
  if (x != *args.output_encoding() || args.node.clamp) return false;
  if (!x.axis()) return true;
  const auto axis = static_cast<std::size_t>(*x.axis());
  return axis < spec.axes.size() && !spec.axes[axis].resized;
}

bool has_outside(const ResizeSpec& spec) {
  return std::ranges::any_of(tables_of(spec), [](const ResizeTable& table) { return !table.outside.empty(); });
}

/// The code of the extrapolation value; 0 where it is not used. With a grid for each channel there is no such code.
Result<std::int32_t> outside_code_of(const FixedArgs& args, const ResizeSpec& spec) {
  if (!has_outside(spec)) return 0;
  if (auto single = require_per_tensor(*args.output_encoding(), "the output"); !single.ok()) return single.error();
  if (std::isnan(spec.extrapolation_value)) return unsupported("extrapolation_value is not a number");
  return code_of(static_cast<double>(spec.extrapolation_value), *args.output_encoding());
}

Result<FixedForm> lower_nearest(const FixedArgs& args, ResizeSpec spec) {
  const DType x_dtype = storage_dtype(args.input_encoding(0)->grid());
  const DType y_dtype = storage_dtype(args.output_encoding()->grid());
  const Result<std::int32_t> outside_code = outside_code_of(args, spec);
  if (!outside_code.ok()) return outside_code.error();
  // Codes have at most 16 bits, which float32 holds exactly.
  spec.extrapolation_value = static_cast<float>(*outside_code);
  FixedForm form;
  form.facts.kernel = "nearest selection";
  form.prepared = prepare_resize_nearest(spec, y_dtype);
  if (moves_codes(args, spec)) return form;

  if (auto single = require_per_tensor(*args.input_encoding(0), "the input"); !single.ok()) return single.error();
  if (auto single = require_per_tensor(*args.output_encoding(), "the output"); !single.ok()) return single.error();
  const QuantParams& x = args.input_encoding(0)->params()[0];
  const auto requantizer = output_requantizer(args, x.scale);
  if (!requantizer.ok()) return requantizer.error();
  form.facts.factors = {requantizer->factor};
  form.facts.notes.emplace_back("codes change their grid first");
  form.prepared = prepare_requantized({x_dtype, args.shape(0)}, {y_dtype, args.shape(0)}, {x.zero_point, *requantizer},
                                      std::move(form.prepared));
  return form;
}

/// Integer weights of one axis. Errors: kUnsupported if an output position has no neighbour inside the input.
Result<IntPass> pass_of(const ResizeTable& table) {
  IntPass pass;
  pass.indices = table.indices;
  constexpr double kOne = 1 << kResizeWeightBits;
  for (std::size_t i = 0; i + 1 < table.weights.size(); i += 2) {
    if (std::fabs(table.weights[i] + table.weights[i + 1] - 1.0) > 1e-6) {
      return unsupported("an output position lies outside the input, which exclude_outside makes 0");
    }
    const auto second = static_cast<std::int32_t>(std::floor(table.weights[i + 1] * kOne + 0.5));
    pass.weights.push_back((1 << kResizeWeightBits) - second);
    pass.weights.push_back(second);
  }
  return pass;
}

Result<FixedForm> lower_linear(const FixedArgs& args, const ResizeSpec& spec) {
  const Encoding& x = *args.input_encoding(0);
  const Encoding& y = *args.output_encoding();
  if (auto single = require_per_tensor(x, "the input"); !single.ok()) return single.error();
  if (auto single = require_per_tensor(y, "the output"); !single.ok()) return single.error();
  const std::vector<int> order = pass_order(spec);
  if (order.size() > kMaxLinearAxes) return unsupported("more than 3 axes are resized linearly");
  const std::vector<ResizeTable> tables = tables_of(spec);
  Shape shape = input_shape_of(spec);
  const Shape out = spec.output_shape();
  const int first = order.empty() ? 0 : std::ranges::min(order);

  IntLinearPlan plan;
  plan.x_dtype = storage_dtype(x.grid());
  plan.y_dtype = storage_dtype(y.grid());
  plan.slices = shape.num_elements(0, first);
  plan.in_slice = shape.num_elements(first, shape.rank());
  plan.out_slice = out.num_elements(first, out.rank());
  plan.widest_slice = order.empty() ? 0 : plan.out_slice;
  for (const int axis : order) {
    Result<IntPass> pass = pass_of(tables[static_cast<std::size_t>(axis)]);
    if (!pass.ok()) return pass.error();
    pass->outer = shape.num_elements(first, axis);
    pass->in = shape[axis];
    pass->out = out[axis];
    pass->inner = shape.num_elements(axis + 1, shape.rank());
    plan.passes.push_back(*std::move(pass));
    shape[axis] = out[axis];
    plan.widest_slice = std::max(plan.widest_slice, shape.num_elements(first, shape.rank()));
  }
  const int weight_bits = kResizeWeightBits * static_cast<int>(order.size());
  plan.x_zero_point = x.params()[0].zero_point;
  const auto requantizer = output_requantizer(args, std::ldexp(x.params()[0].scale, -weight_bits));
  if (!requantizer.ok()) return requantizer.error();
  plan.requantizer = *requantizer;
  // One rule for all factors, powers of two or not: the exact sum, rounded once.
  plan.requantizer.rounding = numerics::rounding_of(args.options.arithmetic);
  plan.outside = outside_of(out, tables);
  const Result<std::int32_t> outside_code = outside_code_of(args, spec);
  if (!outside_code.ok()) return outside_code.error();
  plan.outside_code = *outside_code;

  FixedForm form;
  form.facts.kernel = "linear interpolation along " + std::to_string(order.size()) + " axes";
  form.facts.factors = {requantizer->factor};
  form.facts.accumulator.bits = 64;
  form.facts.accumulator.worst_case = static_cast<std::uint64_t>(centred_range(x).largest_magnitude()) << weight_bits;
  form.facts.notes.emplace_back("weights have 15 fractional bits");
  form.prepared = prepare_int_linear(std::move(plan));
  return form;
}

}  // namespace

Result<FixedForm> lower_resize_fixed(const FixedArgs& args) {
  if (auto encoded = require_encodings(args, 1); !encoded.ok()) return encoded.error();
  if (auto is_short = require_short_codes(*args.input_encoding(0), "the input"); !is_short.ok()) {
    return is_short.error();
  }
  if (auto is_short = require_short_codes(*args.output_encoding(), "the output"); !is_short.ok()) {
    return is_short.error();
  }
  const auto spec = resize_spec_of(args);
  if (!spec.ok()) return spec.error();
  if (!spec->has_value()) return unsupported("scales, sizes or roi is not known");
  const ResizeRules& rules = (*spec)->rules;
  if (rules.interpolation == Interpolation::kNearest) return lower_nearest(args, **spec);
  if (rules.interpolation == Interpolation::kCubic) return unsupported("cubic interpolation has no integer form");
  if (rules.antialias) return unsupported("interpolation with antialiasing has no integer form");
  return lower_linear(args, **spec);
}

}  // namespace halfstep::ops
