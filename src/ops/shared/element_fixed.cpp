// element_fixed.cpp: operands of element-wise operators, sorted into codes and real constants.
#include "ops/shared/element_fixed.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/errors.hpp"

namespace halfstep::ops {
namespace {

bool fits_16_bits(const Encoding& encoding) { return storage_bits(encoding.grid()) <= 16; }

/// Takes the channel axis of `encoding`, on a tensor of rank `rank`, into account.
Result<void> join_axis(const Encoding& encoding, int rank, const Shape& result, std::optional<int>& axis) {
  if (!encoding.axis() || encoding.params().size() == 1) return {};
  const int own = *encoding.axis() + result.rank() - rank;
  if (axis && *axis != own) return unsupported("encodings are per channel along different axes");
  if (own < 0 || own >= result.rank() || result[own] != static_cast<std::int64_t>(encoding.params().size())) {
    return unsupported("an encoding has another number of channels than the result");
  }
  axis = own;
  return {};
}

/// Repeats the elements of a real constant along the channel axis, and notes the channel of each.
void spread_over_channels(ElementOperand& operand, const Shape& result, std::optional<int> axis) {
  if (!axis || operand.reals.empty()) {
    operand.channel.assign(operand.reals.size(), 0);
    return;
  }
  std::vector<std::int64_t> ones(static_cast<std::size_t>(result.rank() - *axis), 1);
  ones.front() = result[*axis];
  const Shape spread = broadcast(operand.shape, Shape(std::move(ones))).value();
  const ElementRows rows = plan_rows(spread, std::span(&operand.shape, 1), *axis - (result.rank() - spread.rank()));
  std::vector<std::byte> scratch(rows.scratch_bytes());
  std::vector<double> reals(static_cast<std::size_t>(spread.num_elements()));
  operand.channel.resize(reals.size());
  rows.for_each_row(scratch, [&](std::int64_t at, const std::int64_t* from, std::size_t channel) {
    for (std::int64_t i = 0; i < rows.inner; ++i) {
      const auto to = static_cast<std::size_t>(at + i);
      reals[to] = operand.reals[static_cast<std::size_t>(from[0] + i * rows.inner_strides[0])];
      operand.channel[to] = static_cast<std::uint32_t>(channel);
    }
  });
  operand.reals = std::move(reals);
  operand.shape = spread;
}

Result<ElementOperand> read_operand(const FixedArgs& args, std::size_t i, bool constant_is_real) {
  const std::string name = "operand " + std::to_string(i);
  if (!args.has(i)) return unsupported(name + " is absent");
  ElementOperand operand{.encoding = args.input_encoding(i), .shape = args.shape(i), .reals = {}, .channel = {}};
  const bool constant = args.value(i) != nullptr || args.code(i) != nullptr;
  if (!constant) {
    if (operand.encoding == nullptr) return unsupported(name + " has no encoding");
    if (!fits_16_bits(*operand.encoding)) return unsupported(name + " is on a grid of more than 16 bits");
    return operand;
  }
  const bool is_codes = operand.encoding != nullptr && args.code(i) != nullptr && fits_16_bits(*operand.encoding);
  if (is_codes && !constant_is_real) return operand;
  operand.encoding = nullptr;
  operand.reals = constant_reals(args, i);
  if (operand.reals.empty() && operand.shape.num_elements() != 0) {
    return unsupported(name + " is no constant of real numbers");
  }
  for (const double real : operand.reals) {
    if (std::isnan(real)) return unsupported(name + " holds a NaN");
  }
  return operand;
}

}  // namespace

std::vector<Shape> ElementOperands::shapes() const {
  std::vector<Shape> all;
  for (const ElementOperand& operand : operands) all.push_back(operand.shape);
  return all;
}

CodeRange stored_range(const Encoding& encoding, std::size_t channel) {
  const std::int64_t values = size_in_bytes(storage_dtype(encoding.grid())) == 1 ? 256 : 65536;
  const std::int64_t lowest = is_signed(encoding.grid()) ? -values / 2 : 0;
  const std::int64_t z = params_of(encoding, channel).zero_point;
  return {lowest - z, lowest + values - 1 - z};
}

std::vector<double> constant_reals(const FixedArgs& args, std::size_t i) {
  std::vector<double> reals;
  const Encoding* encoding = args.input_encoding(i);
  if (const Tensor* codes = args.code(i); codes != nullptr && encoding != nullptr) {
    const std::vector<std::int32_t> q = widened(*codes);
    const int axis = encoding->axis().value_or(0);
    const auto channels = static_cast<std::int64_t>(encoding->params().size());
    const std::int64_t inside = channels == 1 ? 1 : codes->shape().num_elements(axis + 1, codes->shape().rank());
    for (std::size_t at = 0; at < q.size(); ++at) {
      const auto channel = static_cast<std::size_t>(static_cast<std::int64_t>(at) / inside % channels);
      const QuantParams& p = params_of(*encoding, channel);
      reals.push_back((static_cast<double>(q[at]) - p.zero_point) * p.scale);
    }
  } else if (const Tensor* value = args.value(i); value != nullptr && value->dtype() != DType::kBool) {
    visit_dtype(value->dtype(), [&]<class T>() {
      for (const T element : value->values<T>()) reals.push_back(static_cast<double>(element));
    });
  }
  return reals;
}

Result<ElementOperands> read_operands(const FixedArgs& args, std::size_t count, const ReadOptions& options) {
  ElementOperands all;
  const Shape& result = args.outputs[0].shape;
  all.output = args.output_encoding();
  if (all.output == nullptr) return unsupported("the output has no encoding");
  if (!fits_16_bits(*all.output)) return unsupported("the output is on a grid of more than 16 bits");
  all.channel_axis = options.channel_axis;
  for (std::size_t i = 0; i < count; ++i) {
    Result<ElementOperand> operand = read_operand(args, i, options.real_operand == i);
    if (!operand.ok()) return operand.error();
    if (operand->is_codes()) {
      const auto joined = join_axis(*operand->encoding, operand->shape.rank(), result, all.channel_axis);
      if (!joined.ok()) return joined.error();
    }
    all.operands.push_back(*std::move(operand));
  }
  if (const auto ok = join_axis(*all.output, result.rank(), result, all.channel_axis); !ok.ok()) return ok.error();
  if (all.channel_axis) all.num_channels = static_cast<std::size_t>(result[*all.channel_axis]);
  for (std::size_t i = 0; i < count; ++i) {
    if (all.operands[i].reals.size() > kMaxReals / std::max<std::size_t>(1, all.num_channels)) {
      return unsupported("operand " + std::to_string(i) + " is too large a constant without codes");
    }
  }
  if (result.num_elements() == 0) {
    // Elements of a constant meet no channel.
    const auto is_real = [](const ElementOperand& operand) { return !operand.reals.empty(); };
    if (std::ranges::any_of(all.operands, is_real)) return unsupported("a constant meets a tensor without elements");
    return all;
  }
  for (ElementOperand& operand : all.operands) spread_over_channels(operand, result, all.channel_axis);
  return all;
}

}  // namespace halfstep::ops
