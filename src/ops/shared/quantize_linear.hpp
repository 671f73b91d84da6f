// quantize_linear.hpp: what the operators on stored integers share.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// zero_point + round(ratio), halves to even, saturated to T's range. NaN gives
/// the smallest T. T has 8 or 16 bits and zero_point is a T.
template <class T>
T quantize_ratio(float ratio, std::int32_t zero_point) {
  // Clamping first keeps |ratio| below 2^18; adding and subtracting 1.5 * 2^23
  // then rounds it to an integer, halves to even. The bounds are integers, so
  // rounding after clamping is the same as before.
  constexpr float kMagic = 12582912.0F;
  const auto low = static_cast<float>(std::numeric_limits<T>::min() - zero_point);
  const auto high = static_cast<float>(std::numeric_limits<T>::max() - zero_point);
  const float raised = ratio >= low ? ratio : low;
  const float clamped = raised <= high ? raised : high;
  const float rounded = (clamped + kMagic) - kMagic;
  return static_cast<T>(static_cast<std::int32_t>(rounded) + zero_point);
}

/// Element `i` of a zero-point or 8-bit operand of either sign. Absent: 0.
std::int32_t integer_at(const ConstView& view, std::int64_t i);

/// Errors: kInvalidInput if operand `i` is present but has not exactly one element.
Result<void> check_single(const NodeArgs& args, std::size_t i, const char* role);

/// The node as if operands 0 and `weight` were float32: lets the geometry of
/// the float operators speak for the integer ones.
class FloatLikeArgs {
 public:
  FloatLikeArgs(const NodeArgs& args, std::size_t weight);
  FloatLikeArgs(const FloatLikeArgs&) = delete;
  FloatLikeArgs& operator=(const FloatLikeArgs&) = delete;

  NodeArgs args() const { return {node_, types_, values_}; }

 private:
  const graph::Node& node_;
  TensorType first_;
  TensorType second_;
  const TensorType* types_[2] = {&first_, &second_};
  const Tensor* values_[2] = {nullptr, nullptr};
};

/// Definitions of the integer convolutions and matrix products.
std::span<const OpDef> integer_conv_ops();
std::span<const OpDef> integer_matmul_ops();

}  // namespace halfstep::ops
