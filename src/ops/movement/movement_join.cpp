// movement_join.cpp: Concat and Split, contiguous runs along one axis.
#include <algorithm>

#include "core/errors.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// Which way part_copy() goes.
enum class Direction { kToWhole, kFromWhole };

// Copies between the contiguous storage of a part and its place in the whole,
// which has `whole_extent` along `axis`.
StridedCopy part_copy(const TensorType& part, int axis, std::int64_t whole_extent, Direction direction) {
  const std::int64_t outer = part.shape.num_elements(0, axis);
  const std::int64_t inner_bytes = part.shape.num_elements(axis + 1, part.shape.rank()) * element_bytes(part);
  const std::int64_t run = part.shape[axis];
  const std::int64_t part_stride = run * inner_bytes;
  const std::int64_t whole_stride = whole_extent * inner_bytes;
  const bool to_whole = direction == Direction::kToWhole;
  if (inner_bytes == 0) return {};
  return {{{outer, to_whole ? part_stride : whole_stride, to_whole ? whole_stride : part_stride},
           {run, inner_bytes, inner_bytes}},
          inner_bytes};
}

Result<Inferred> infer_concat(const NodeArgs& args) {
  TensorType type = args.type(0);
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), type.shape.rank());
  if (!axis.ok()) return axis.error();
  for (std::size_t i = 1; i < args.num_inputs(); ++i) {
    const TensorType& other = args.type(i);
    if (other.dtype != type.dtype || !equal_except(other.shape, type.shape, *axis)) {
      return invalid("input " + std::to_string(i) + " is " + to_string(other) + ", which does not join " +
                     to_string(args.type(0)) + " along axis " + std::to_string(*axis));
    }
    if (__builtin_add_overflow(type.shape[*axis], other.shape[*axis], &type.shape[*axis])) {
      return invalid("the inputs are too large together");
    }
  }
  return infer_one(std::move(type));
}

Result<Prepared> lower_concat(const LowerArgs& args) {
  const int axis = *normalize_axis(args.attributes().get_int("axis", 0), args.shape(0).rank());
  const std::int64_t whole_extent = args.outputs[0].shape[axis];
  const std::int64_t inner_bytes =
      args.shape(0).num_elements(axis + 1, args.shape(0).rank()) * element_bytes(args.type(0));
  struct Part {
    StridedCopy copy;
    std::int64_t offset;
  };
  std::vector<Part> parts;
  std::vector<std::int64_t> part_offsets;
  const bool one_run_each = args.shape(0).num_elements(0, axis) == 1;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    parts.push_back({part_copy(args.type(i), axis, whole_extent, Direction::kToWhole), offset});
    if (one_run_each) part_offsets.push_back(offset);
    offset += args.shape(i)[axis] * inner_bytes;
  }
  const auto run = [parts = std::move(parts)](const KernelIo& io) -> Result<void> {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::byte* to = io.outputs[0].bytes + parts[i].offset;
      if (io.inputs[i].bytes != to) parts[i].copy.run(io.inputs[i].bytes, to);
    }
    return {};
  };
  return Prepared{.run = run, .part_offsets = std::move(part_offsets)};
}

// Extents along the axis, one an output.
Result<std::vector<std::int64_t>> split_sizes(const NodeArgs& args, std::int64_t extent) {
  if (args.has(1)) {
    const auto sizes = integers_of(args, 1, "split");
    if (!sizes.ok()) return sizes.error();
    std::int64_t rest = extent;
    for (std::int64_t size : *sizes) {
      if (size < 0 || size > rest) {
        return invalid("the split sizes do not add up to the extent " + std::to_string(extent));
      }
      rest -= size;
    }
    if (rest != 0) return invalid("the split sizes do not add up to the extent " + std::to_string(extent));
    if (sizes->size() < args.node.outputs.size()) {
      return invalid("has " + std::to_string(args.node.outputs.size()) + " outputs but " +
                     std::to_string(sizes->size()) + " split sizes");
    }
    return *sizes;
  }
  const bool counted = args.attributes().has("num_outputs");
  const auto num_outputs = static_cast<std::int64_t>(args.node.outputs.size());
  const std::int64_t count = args.attributes().get_int("num_outputs", num_outputs);
  if (count < 1 || count < num_outputs || count > std::max<std::int64_t>(extent, num_outputs)) {
    return invalid("cannot split an extent of " + std::to_string(extent) + " into " + std::to_string(count) +
                   " parts for " + std::to_string(num_outputs) + " outputs");
  }
  if (!counted && extent % count != 0) {
    return invalid("an extent of " + std::to_string(extent) + " does not split into " + std::to_string(count) +
                   " equal parts");
  }
  const std::int64_t size = extent / count + (extent % count != 0 ? 1 : 0);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), size);
  sizes.back() = extent - size * (count - 1);
  if (sizes.back() < 0) {
    return invalid("an extent of " + std::to_string(extent) + " does not split into " + std::to_string(count) +
                   " parts of " + std::to_string(size));
  }
  return sizes;
}

Result<Inferred> infer_split(const NodeArgs& args) {
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  if (args.has(1) && args.value(1) == nullptr) return Inferred::unknown();
  const auto sizes = split_sizes(args, args.shape(0)[*axis]);
  if (!sizes.ok()) return sizes.error();
  Inferred inferred;
  for (std::int64_t size : *sizes) {
    inferred.outputs.push_back(args.type(0));
    inferred.outputs.back().shape[*axis] = size;
  }
  return inferred;
}

Result<Prepared> lower_split(const LowerArgs& args) {
  const int axis = *normalize_axis(args.attributes().get_int("axis", 0), args.shape(0).rank());
  const std::int64_t whole_extent = args.shape(0)[axis];
  const std::int64_t inner_bytes =
      args.shape(0).num_elements(axis + 1, args.shape(0).rank()) * element_bytes(args.type(0));
  struct Part {
    StridedCopy copy;
    std::int64_t offset;
  };
  std::vector<Part> parts;
  std::int64_t offset = 0;
  for (const TensorType& type : args.outputs.first(std::min(args.outputs.size(), args.node.outputs.size()))) {
    parts.push_back({part_copy(type, axis, whole_extent, Direction::kFromWhole), offset});
    offset += type.shape[axis] * inner_bytes;
  }
  return Prepared{[parts = std::move(parts)](const KernelIo& io) -> Result<void> {
    for (std::size_t i = 0; i < parts.size() && i < io.outputs.size(); ++i) {
      if (io.outputs[i].present()) parts[i].copy.run(io.inputs[0].bytes + parts[i].offset, io.outputs[i].bytes);
    }
    return {};
  }};
}

}  // namespace

OpDef concat_op() {
  return {.type = "Concat",
          .since_opset = 4,
          .operand_count = {1, kManyOperands},
          .output_rule = OutputRule::kSameAsInputs,
          .has_integer_form = true,
          .operands = kAllData,
          .infer = &infer_concat,
          .lower_float = &lower_concat};
}

OpDef split_op() {
  return {.type = "Split",
          .since_opset = 13,
          .operand_count = {1, 2},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_split,
          .lower_float = &lower_split};
}

}  // namespace halfstep::ops
