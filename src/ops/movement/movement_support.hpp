// movement_support.hpp: what the operators that move values share: checks of shapes and axes and the strided copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// Tensors of a higher rank are refused where operand values choose the rank.
inline constexpr int kMaxRank = 64;

/// check_shape(), a rank of at most kMaxRank, and no product of extents that
/// overflows even where another extent is 0.
Result<void> check_output(const TensorType& type);

/// Inferred::one(type) if check_output(type) succeeds.
Result<Inferred> infer_one(TensorType type);

/// The integers of operand `i`, a scalar or a vector.
/// Requires args.value(i) != nullptr. Errors: kInvalidInput naming `role`.
Result<std::vector<std::int64_t>> integers_of(const NodeArgs& args, std::size_t i, std::string_view role);

/// The one integer of operand `i` (any rank). Requires and errors: as integers_of().
Result<std::int64_t> integer_of(const NodeArgs& args, std::size_t i, std::string_view role);

/// Each of `axes` mapped to [0, rank). Errors: kInvalidInput if out of range or repeated.
Result<std::vector<int>> distinct_axes(const std::vector<std::int64_t>& axes, int rank);

/// True for the element types operators take indices in: int32 and int64.
inline bool is_index_type(DType dtype) { return dtype == DType::kInt32 || dtype == DType::kInt64; }

/// The DType of an ONNX TensorProto element type number; empty if we hold such
/// tensors in another form, or not at all.
std::optional<DType> dtype_of_onnx(std::int64_t onnx_type);

/// Bytes of one element, signed for arithmetic with extents.
inline std::int64_t element_bytes(const TensorType& type) {
  return static_cast<std::int64_t>(size_in_bytes(type.dtype));
}

/// True if a and b are the same element by element, apart from `axis`.
bool equal_except(const Shape& a, const Shape& b, int axis);

/// Copies one unit. A memcpy of constant size is a plain load and store that
/// makes no demand on alignment.
template <std::size_t kBytes>
struct FixedUnit {
  void operator()(std::byte* target, const std::byte* source) const { std::memcpy(target, source, kBytes); }
};
struct AnyUnit {
  std::size_t num_bytes;
  void operator()(std::byte* target, const std::byte* source) const { std::memcpy(target, source, num_bytes); }
};

/// Calls f with what copies units of `unit_bytes` bytes fastest.
template <class F>
void with_unit(std::int64_t unit_bytes, F&& f) {
  switch (unit_bytes) {
    case 1:
      return f(FixedUnit<1>{});
    case 2:
      return f(FixedUnit<2>{});
    case 4:
      return f(FixedUnit<4>{});
    case 8:
      return f(FixedUnit<8>{});
    case 12:
      return f(FixedUnit<12>{});
    case 16:
      return f(FixedUnit<16>{});
    default:
      return f(AnyUnit{static_cast<std::size_t>(unit_bytes)});
  }
}

/// One loop of a StridedCopy. Strides are in bytes; the source's may be 0 or negative.
struct CopyAxis {
  std::int64_t extent = 1;
  std::int64_t source_stride = 0;
  std::int64_t target_stride = 0;
};

/// Copies elements between two strided layouts: transposition, slicing,
/// repetition. Axes that lie together in both layouts are merged, runs that are
/// contiguous in both are copied whole, and a change of the fastest axis goes by
/// square tiles.
class StridedCopy {
 public:
  StridedCopy() = default;
  /// `axes`: outermost first. No two of them may write to the same byte.
  StridedCopy(const std::vector<CopyAxis>& axes, std::int64_t element_bytes);

  void run(const std::byte* source, std::byte* target) const;

 private:
  std::vector<CopyAxis> outer_;
  std::optional<CopyAxis> inner_;   ///< The innermost loop.
  std::optional<CopyAxis> across_;  ///< Set: contiguous in the source, tiled with inner_.
  std::int64_t unit_bytes_ = 0;     ///< What is copied at once.
  bool empty_ = true;
};

/// A copy of a contiguous `source` shape's elements, whose axes are taken in the order `permutation`.
StridedCopy transposing_copy(const Shape& source, const std::vector<int>& permutation, std::int64_t element_bytes);

/// A kernel that copies operand 0 to output 0 unless both are the same storage.
Kernel copy_kernel();

}  // namespace halfstep::ops
