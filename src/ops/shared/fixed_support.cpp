// fixed_support.cpp: from encodings to the integers of a step.
#include "ops/shared/fixed_support.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "numerics/factor.hpp"
#include "numerics/rounding.hpp"

namespace halfstep::ops {
namespace {

Result<numerics::Requantizer> finish(const FixedArgs& args, std::size_t channel, Result<numerics::FixedPoint> factor) {
  if (!factor.ok()) return factor.error();
  const CodeBounds bounds = output_bounds(args, channel);
  return numerics::Requantizer{.factor = *factor,
                               .zero_point = params_of(*args.output_encoding(), channel).zero_point,
                               .q_min = bounds.q_min,
                               .q_max = bounds.q_max,
                               .rounding = args.options.arithmetic == Arithmetic::kFloatHalfEven
                                               ? numerics::Rounding::kFloatEven
                                               : numerics::rounding_of(args.options.arithmetic)};
}

/// acc_scale / s_y; with float_half_even as ONNX computes it, the product of scales rounded to float32 first.
double ratio_of(const FixedArgs& args, double acc_scale, std::size_t channel) {
  const double scale = params_of(*args.output_encoding(), channel).scale;
  return (args.options.arithmetic == Arithmetic::kFloatHalfEven ? numerics::to_float32(acc_scale) : acc_scale) / scale;
}

}  // namespace

const QuantParams& params_of(const Encoding& encoding, std::size_t channel) {
  return encoding.params()[encoding.params().size() == 1 ? 0 : channel];
}

CodeRange centred_range(const Encoding& encoding, std::size_t channel) {
  const std::int64_t z = params_of(encoding, channel).zero_point;
  return {encoding.grid().q_min - z, encoding.grid().q_max - z};
}

Result<void> require_encodings(const FixedArgs& args, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!args.has(i)) return Error{ErrorCode::kUnsupported, "operand " + std::to_string(i) + " is absent"};
    if (args.input_encoding(i) == nullptr) {
      return Error{ErrorCode::kUnsupported, "operand " + std::to_string(i) + " has no encoding"};
    }
  }
  if (args.output_encoding() == nullptr) return Error{ErrorCode::kUnsupported, "the output has no encoding"};
  return {};
}

Result<void> require_per_tensor(const Encoding& encoding, std::string_view what) {
  if (!encoding.axis()) return {};
  return Error{ErrorCode::kUnsupported, std::string(what) + " has an encoding for each channel"};
}

std::int32_t code_of(double x, const Encoding& encoding, std::size_t channel) {
  const QuantParams& p = params_of(encoding, channel);
  const double lowest = static_cast<double>(encoding.grid().q_min) - p.zero_point;
  const double highest = static_cast<double>(encoding.grid().q_max) - p.zero_point;
  const double steps = numerics::round_half_even(std::clamp(x / p.scale, lowest, highest));
  return static_cast<std::int32_t>(static_cast<std::int64_t>(steps) + p.zero_point);
}

CodeBounds output_bounds(const FixedArgs& args, std::size_t channel) {
  const Encoding& encoding = *args.output_encoding();
  CodeBounds bounds{encoding.grid().q_min, encoding.grid().q_max};
  if (args.node.clamp) {
    bounds.q_min = code_of(static_cast<double>(args.node.clamp->min_of(channel)), encoding, channel);
    bounds.q_max =
        std::max(bounds.q_min, code_of(static_cast<double>(args.node.clamp->max_of(channel)), encoding, channel));
  }
  return bounds;
}

Result<numerics::Requantizer> output_requantizer(const FixedArgs& args, double acc_scale, std::size_t channel) {
  const double ratio = ratio_of(args, acc_scale, channel);
  return finish(args, channel, numerics::scale_factor(ratio, args.options.arithmetic));
}

Result<numerics::Requantizer> output_requantizer_plain(const FixedArgs& args, double acc_scale, std::size_t channel) {
  const double ratio = ratio_of(args, acc_scale, channel);
  return finish(args, channel, numerics::plain_factor(ratio, args.options.arithmetic));
}

std::vector<std::int32_t> widened(const Tensor& tensor) {
  std::vector<std::int32_t> codes;
  codes.reserve(static_cast<std::size_t>(tensor.num_elements()));
  visit_dtype(tensor.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      for (const T code : tensor.values<T>()) codes.push_back(static_cast<std::int32_t>(code));
    }
  });
  return codes;
}

}  // namespace halfstep::ops
