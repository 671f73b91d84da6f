// movement_repeat.cpp: Transpose, Expand and Tile, whole tensors in another order or several times.
#include <algorithm>
#include <numeric>

#include "core/errors.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Kernel kernel_of(StridedCopy copy) {
  return [copy = std::move(copy)](const KernelIo& io) -> Result<void> {
    copy.run(io.inputs[0].bytes, io.outputs[0].bytes);
    return {};
  };
}

Result<std::vector<int>> permutation_of(const NodeArgs& args) {
  const int rank = args.shape(0).rank();
  std::vector<int> permutation(static_cast<std::size_t>(rank));
  std::iota(permutation.rbegin(), permutation.rend(), 0);
  if (!args.attributes().has("perm")) return permutation;
  const auto given = args.attributes().get_ints("perm");
  if (given.size() != permutation.size()) {
    return invalid("perm has " + std::to_string(given.size()) + " axes, the input " + to_string(args.shape(0)));
  }
  return distinct_axes(given, rank);
}

Result<Inferred> infer_transpose(const NodeArgs& args) {
  const auto permutation = permutation_of(args);
  if (!permutation.ok()) return permutation.error();
  TensorType type = args.type(0);
  for (std::size_t i = 0; i < permutation->size(); ++i) {
    type.shape[static_cast<int>(i)] = args.shape(0)[(*permutation)[i]];
  }
  return Inferred::one(std::move(type));
}

Result<Prepared> lower_transpose(const LowerArgs& args) {
  return Prepared{kernel_of(transposing_copy(args.shape(0), *permutation_of(args), element_bytes(args.type(0))))};
}

Result<Inferred> infer_expand(const NodeArgs& args) {
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto extents = integers_of(args, 1, "shape");
  if (!extents.ok()) return extents.error();
  if (auto checked = check_output({args.type(0).dtype, Shape(*extents)}); !checked.ok()) return checked.error();
  Result<Shape> shape = broadcast(args.shape(0), Shape(*extents));
  if (!shape.ok()) return shape.error();
  return infer_one({args.type(0).dtype, *std::move(shape)});
}

Result<Prepared> lower_expand(const LowerArgs& args) {
  const Shape& target = args.outputs[0].shape;
  if (target.num_elements() == 0) return Prepared{kernel_of({})};
  const std::int64_t element = element_bytes(args.type(0));
  const auto source_strides = strides_of(args.shape(0));
  const auto target_strides = strides_of(target);
  const int added = target.rank() - args.shape(0).rank();
  std::vector<CopyAxis> axes;
  for (int axis = 0; axis < target.rank(); ++axis) {
    const bool repeated = axis < added || args.shape(0)[axis - added] == 1;
    axes.push_back({target[axis], repeated ? 0 : source_strides[static_cast<std::size_t>(axis - added)] * element,
                    target_strides[static_cast<std::size_t>(axis)] * element});
  }
  return Prepared{kernel_of(StridedCopy(axes, element))};
}

Result<Inferred> infer_tile(const NodeArgs& args) {
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto repeats = integers_of(args, 1, "repeats");
  if (!repeats.ok()) return repeats.error();
  TensorType type = args.type(0);
  if (repeats->size() != static_cast<std::size_t>(type.shape.rank())) {
    return invalid("repeats has " + std::to_string(repeats->size()) + " elements, the input is " +
                   to_string(type.shape));
  }
  for (int axis = 0; axis < type.shape.rank(); ++axis) {
    const std::int64_t repeat = (*repeats)[static_cast<std::size_t>(axis)];
    if (repeat < 0 || __builtin_mul_overflow(type.shape[axis], repeat, &type.shape[axis])) {
      return invalid("cannot repeat axis " + std::to_string(axis) + " " + std::to_string(repeat) + " times");
    }
  }
  return infer_one(std::move(type));
}

Result<Prepared> lower_tile(const LowerArgs& args) {
  const Shape& target = args.outputs[0].shape;
  if (target.num_elements() == 0) return Prepared{kernel_of({})};
  const std::int64_t element = element_bytes(args.type(0));
  const auto source_strides = strides_of(args.shape(0));
  const auto target_strides = strides_of(target);
  std::vector<CopyAxis> axes;
  for (int axis = 0; axis < target.rank(); ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    const std::int64_t extent = args.shape(0)[axis];
    axes.push_back({target[axis] / extent, 0, extent * target_strides[i] * element});
    axes.push_back({extent, source_strides[i] * element, target_strides[i] * element});
  }
  return Prepared{kernel_of(StridedCopy(axes, element))};
}

}  // namespace

OpDef transpose_op() {
  return {.type = "Transpose",
          .since_opset = 1,
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_transpose,
          .lower_float = &lower_transpose};
}

OpDef expand_op() {
  return {.type = "Expand",
          .since_opset = 8,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_expand,
          .lower_float = &lower_expand};
}

OpDef tile_op() {
  return {.type = "Tile",
          .since_opset = 6,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_tile,
          .lower_float = &lower_tile};
}

}  // namespace halfstep::ops
