// broadcast.hpp: walking several operands over a common shape, and the checks element-wise operators share.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "core/shape.hpp"
#include "halfstep/result.hpp"
#include "ops/node_args.hpp"
#include "ops/shared/vector_math.hpp"

namespace halfstep::ops {

/// A set of element types.
class DTypeSet {
 public:
  constexpr DTypeSet(std::initializer_list<DType> dtypes) {
    for (const DType dtype : dtypes) bits_ |= 1U << static_cast<unsigned>(dtype);
  }
  constexpr bool contains(DType dtype) const { return (bits_ >> static_cast<unsigned>(dtype) & 1U) != 0; }

 private:
  unsigned bits_ = 0;
};

inline constexpr DTypeSet kFloatOnly{DType::kFloat32};
inline constexpr DTypeSet kBoolOnly{DType::kBool};
inline constexpr DTypeSet kIntegers{DType::kInt8,  DType::kInt16,  DType::kInt32,  DType::kInt64,
                                    DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64};
inline constexpr DTypeSet kNumbers{DType::kFloat32, DType::kInt8,   DType::kInt16,  DType::kInt32, DType::kInt64,
                                   DType::kUint8,   DType::kUint16, DType::kUint32, DType::kUint64};
inline constexpr DTypeSet kAnyType{DType::kFloat32, DType::kInt8,   DType::kInt16,  DType::kInt32,  DType::kInt64,
                                   DType::kUint8,   DType::kUint16, DType::kUint32, DType::kUint64, DType::kBool};

/// Errors: kInvalidInput if operand `i` has another type than those of `types`.
Result<void> check_dtype(const NodeArgs& args, std::size_t i, const DTypeSet& types);

/// Errors: kInvalidInput if operands `i` and `j` differ in type.
Result<void> check_same_dtype(const NodeArgs& args, std::size_t i, std::size_t j);

/// Somebody reads output 0: there is something to do.
inline bool has_output(const KernelIo& io) { return !io.outputs.empty() && io.outputs[0].present(); }

/// The elements, of `count`, that are this part's. Few elements all go to part 0: others would only wait for them.
inline Share share_of_elements(const KernelIo& io, std::int64_t count) {
  constexpr std::int64_t kGranule = 1024;
  if (count < 8 * kGranule) return io.part == 0 ? Share{0, count} : Share{};
  return share_of(io, count, kGranule);
}

/// The common shape of all operands, not larger than check_shape() allows for `result`.
/// Requires: all operands are present. Errors: kInvalidInput if they do not broadcast.
Result<Shape> broadcast_operands(const NodeArgs& args, DType result);

/// How up to three operands advance over a result: axes of extent 1 are gone
/// and neighbouring axes that all operands walk alike are merged.
struct BroadcastPlan {
  static constexpr std::size_t kMaxOperands = 3;

  std::vector<std::int64_t> extents;  ///< Outer axes, outermost first; the innermost axis is `inner`.
  std::vector<std::array<std::int64_t, kMaxOperands>> strides;  ///< In elements, one row an outer axis.
  std::int64_t inner = 1;
  std::array<std::int64_t, kMaxOperands> inner_strides = {};  ///< Each 0 or 1.
  std::int64_t count = 0;                                     ///< Elements of the result.

  /// Calls row(result_offset, operand_offsets) for each run of `inner` elements, in order.
  template <class F>
  void for_each_row(const F& row) const {
    if (count == 0) return;
    std::array<std::int64_t, kMaxOperands> at = {};
    std::vector<std::int64_t> index(extents.size(), 0);
    for (std::int64_t result = 0; result < count; result += inner) {
      row(result, at);
      for (std::size_t axis = extents.size(); axis-- > 0;) {
        for (std::size_t k = 0; k < kMaxOperands; ++k) at[k] += strides[axis][k];
        if (++index[axis] < extents[axis]) break;
        for (std::size_t k = 0; k < kMaxOperands; ++k) at[k] -= strides[axis][k] * extents[axis];
        index[axis] = 0;
      }
    }
  }
};

/// Requires: at most kMaxOperands operands, each of which broadcasts to `result`.
BroadcastPlan plan_broadcast(const Shape& result, std::span<const Shape* const> operands);
BroadcastPlan plan_broadcast(const Shape& result, const Shape& a, const Shape& b);

/// y = f(a, b) element by element. y may be a where a has the result's shape.
template <class A, class B, class Y, class F>
void broadcast_apply(const BroadcastPlan& plan, const A* a, const B* b, Y* y, const F& f) {
  const std::int64_t step_a = plan.inner_strides[0];
  const std::int64_t step_b = plan.inner_strides[1];
  plan.for_each_row([&](std::int64_t at, const std::array<std::int64_t, BroadcastPlan::kMaxOperands>& from) {
    const A* row_a = a + from[0];
    const B* row_b = b + from[1];
    Y* row_y = y + at;
    if (step_a == 1 && step_b == 1) {
      for (std::int64_t i = 0; i < plan.inner; ++i) row_y[i] = f(row_a[i], row_b[i]);
    } else if (step_a == 1) {
      const B fixed = *row_b;
      for (std::int64_t i = 0; i < plan.inner; ++i) row_y[i] = f(row_a[i], fixed);
    } else {
      const A fixed = *row_a;
      for (std::int64_t i = 0; i < plan.inner; ++i) row_y[i] = f(fixed, row_b[i * step_b]);
    }
  });
}

/// The same for float32, vectorised. f must be branch-free for that.
template <class F>
void broadcast_apply_float(const BroadcastPlan& plan, const float* a, const float* b, float* y, const F& f) {
  using vector_math::Same;
  using vector_math::Stream;
  const bool moves_a = plan.inner_strides[0] == 1;
  const bool moves_b = plan.inner_strides[1] == 1;
  plan.for_each_row([&](std::int64_t at, const std::array<std::int64_t, BroadcastPlan::kMaxOperands>& from) {
    const float* row_a = a + from[0];
    const float* row_b = b + from[1];
    if (moves_a && moves_b) {
      vector_math::apply2(Stream{row_a}, Stream{row_b}, y + at, plan.inner, f);
    } else if (moves_a) {
      vector_math::apply2(Stream{row_a}, Same{*row_b}, y + at, plan.inner, f);
    } else if (moves_b) {
      vector_math::apply2(Same{*row_a}, Stream{row_b}, y + at, plan.inner, f);
    } else {
      vector_math::apply2(Same{*row_a}, Same{*row_b}, y + at, plan.inner, f);
    }
  });
}

/// A bool tensor as bytes: true is any byte other than 0. A file may hold such bytes; reading them as bool would not
/// do.
inline const std::uint8_t* bool_bytes(const ConstView& view) {
  return reinterpret_cast<const std::uint8_t*>(view.bytes);
}
inline std::uint8_t* bool_bytes(const MutableView& view) { return reinterpret_cast<std::uint8_t*>(view.bytes); }

}  // namespace halfstep::ops
