// unary_fixed.cpp: fills the tables of unary functions.
#include "ops/elementwise/unary_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "numerics/factor.hpp"
#include "ops/elementwise/unary_int.hpp"
#include "ops/elementwise/unary_real.hpp"
#include "ops/shared/element_fixed.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

/// x to the nearest integer. Requires |x| < 2^31.
std::int64_t rounded(double x, numerics::Rounding rounding) {
  const double below = std::floor(x);
  const double rest = x - below;  // Exact: both are multiples of the last bit of x.
  const auto integer = static_cast<std::int64_t>(below);
  if (rest != 0.5) return rest > 0.5 ? integer + 1 : integer;
  switch (rounding) {
    case numerics::Rounding::kHalfUp:
    case numerics::Rounding::kDoubling:
      return integer + 1;
    case numerics::Rounding::kHalfEven:
    case numerics::Rounding::kFloatEven:
      return integer + (integer & 1);
    case numerics::Rounding::kHalfAway:
      return x > 0.0 ? integer + 1 : integer;
  }
  return integer;  // Unreachable: the switch covers the enum.
}

/// The entry for the real number y.
std::int64_t entry(double y, const QuantParams& p, CodeBounds bounds, numerics::Rounding rounding) {
  if (std::isnan(y)) return std::clamp(p.zero_point, bounds.q_min, bounds.q_max);
  // Two steps beyond every grid; also where the quotient is infinite.
  const double steps = std::clamp(y / p.scale, -0x1p17, 0x1p17);
  return std::clamp<std::int64_t>(p.zero_point + rounded(steps, rounding), bounds.q_min, bounds.q_max);
}

/// The same node with operands that are encoded constants replaced by what their codes mean.
Result<std::function<double(double)>> function_of(const FixedArgs& args) {
  std::vector<Tensor> meant(args.num_inputs());
  std::vector<const Tensor*> values(args.values.begin(), args.values.end());
  values.resize(args.num_inputs(), nullptr);
  for (std::size_t i = 1; i < args.num_inputs(); ++i) {
    if (args.code(i) == nullptr) continue;
    const std::vector<double> reals = constant_reals(args, i);
    const std::vector<float> narrowed(reals.begin(), reals.end());
    if (narrowed.empty()) continue;
    meant[i] = Tensor::of<float>(args.code(i)->shape(), std::span<const float>(narrowed));
    values[i] = &meant[i];
  }
  return real_function(NodeArgs{.node = args.node, .inputs = args.inputs, .values = values});
}

}  // namespace

Result<FixedForm> lower_table(const FixedArgs& args, std::size_t x_index, const std::function<double(double)>& f) {
  // Only operand x_index is read; the operands in front of it are constants taken into f.
  Result<ElementOperands> all = read_operands(args, x_index + 1);
  if (!all.ok()) return all.error();
  const ElementOperand& x = all->operands[x_index];
  if (!x.is_codes()) return Error{ErrorCode::kUnsupported, "the operand is a constant"};
  const IntGrid grid = x.encoding->grid();
  const DType x_dtype = storage_dtype(grid);
  const DType y_dtype = storage_dtype(all->output->grid());
  const std::int64_t entries = size_in_bytes(x_dtype) == 1 ? 256 : 65536;
  const std::int64_t lowest = is_signed(grid) ? -entries / 2 : 0;
  const auto channels = static_cast<std::int64_t>(all->num_channels);
  if (channels > kMaxTableBytes / (entries * static_cast<std::int64_t>(size_in_bytes(y_dtype)))) {
    return Error{ErrorCode::kUnsupported, "tables of " + std::to_string(entries) + " entries for " +
                                              std::to_string(channels) + " channels are too large"};
  }
  Tensor table(TensorType{y_dtype, {channels, entries}});
  const numerics::Rounding rounding = numerics::rounding_of(args.options.arithmetic);
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const QuantParams& p_x = params_of(*x.encoding, channel);
    const QuantParams& p_y = params_of(*all->output, channel);
    const CodeBounds bounds = output_bounds(args, channel);
    visit_dtype(y_dtype, [&]<class T>() {
      T* to = table.mutable_data<T>() + c * entries;
      for (std::int64_t i = 0; i < entries; ++i) {
        const std::int64_t q = std::clamp<std::int64_t>(lowest + i, grid.q_min, grid.q_max);
        to[i] = static_cast<T>(entry(f(p_x.scale * static_cast<double>(q - p_x.zero_point)), p_y, bounds, rounding));
      }
    });
  }
  const Shape& shape = args.outputs[0].shape;  // As many elements as x has, perhaps with more axes.
  const int axis = all->channel_axis.value_or(0);
  const std::int64_t inner = all->channel_axis ? shape.num_elements(axis + 1, shape.rank()) : shape.num_elements();
  FixedForm form;
  form.prepared = {.run = table_kernel({.table = table, .operand = x_index, .channels = channels, .inner = inner}),
                   .scratch_bytes = 0,
                   .clamps = true};
  form.facts.kernel = "table of " + std::to_string(entries) + " entries" + (channels > 1 ? " a channel" : "");
  return form;
}

Result<FixedForm> lower_unary_fixed(const FixedArgs& args) {
  const auto f = function_of(args);
  if (!f.ok()) return f.error();
  return lower_table(args, 0, *f);
}

}  // namespace halfstep::ops
