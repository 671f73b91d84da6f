// movement_slice.cpp: Slice, boxes cut out of a tensor.
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/errors.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// Along one axis: count elements from start on, step apart.
struct Cut {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

// The ONNX rules: negative positions count from the end, then positions are
// clamped to what exists. No sum overflows: a negative plus an extent.
Cut cut_axis(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (extent == 0) return {};
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, extent);
    end = std::clamp<std::int64_t>(end, 0, extent);
    return {start, step, start < end ? (end - start - 1) / step + 1 : 0};
  }
  step = std::max(step, -std::numeric_limits<std::int64_t>::max());
  start = std::clamp<std::int64_t>(start, 0, extent - 1);
  end = std::clamp<std::int64_t>(end, -1, extent - 1);
  return {start, step, start > end ? (start - end - 1) / -step + 1 : 0};
}

// One Cut an axis. Requires the values of operands 1 to 4 where present.
Result<std::vector<Cut>> plan_slice(const NodeArgs& args) {
  const Shape& shape = args.shape(0);
  const auto starts = integers_of(args, 1, "starts");
  if (!starts.ok()) return starts.error();
  const auto ends = integers_of(args, 2, "ends");
  if (!ends.ok()) return ends.error();
  const std::size_t count = starts->size();

  std::vector<std::int64_t> given_axes;
  if (args.has(3)) {
    auto axes = integers_of(args, 3, "axes");
    if (!axes.ok()) return axes.error();
    given_axes = *std::move(axes);
  } else if (count <= static_cast<std::size_t>(shape.rank())) {
    for (std::size_t i = 0; i < count; ++i) given_axes.push_back(static_cast<std::int64_t>(i));
  }
  std::vector<std::int64_t> steps(count, 1);
  if (args.has(4)) {
    auto given_steps = integers_of(args, 4, "steps");
    if (!given_steps.ok()) return given_steps.error();
    steps = *std::move(given_steps);
  }
  if (ends->size() != count || given_axes.size() != count || steps.size() != count) {
    return invalid("starts, ends, axes and steps have " + std::to_string(count) + ", " + std::to_string(ends->size()) +
                   ", " + std::to_string(given_axes.size()) + " and " + std::to_string(steps.size()) +
                   " elements, expected the same number and at most the rank " + std::to_string(shape.rank()));
  }
  const auto axes = distinct_axes(given_axes, shape.rank());
  if (!axes.ok()) return axes.error();

  std::vector<Cut> cuts;
  for (std::int64_t extent : shape) cuts.push_back({0, 1, extent});
  for (std::size_t i = 0; i < count; ++i) {
    if (steps[i] == 0) return invalid("step 0 along axis " + std::to_string((*axes)[i]));
    const auto axis = static_cast<std::size_t>((*axes)[i]);
    cuts[axis] = cut_axis(shape[(*axes)[i]], (*starts)[i], (*ends)[i], steps[i]);
  }
  return cuts;
}

Result<Inferred> infer_slice(const NodeArgs& args) {
  for (std::size_t i = 1; i < 5; ++i) {
    if (args.has(i) && args.value(i) == nullptr) return Inferred::unknown();
  }
  const auto cuts = plan_slice(args);
  if (!cuts.ok()) return cuts.error();
  TensorType type = args.type(0);
  for (int axis = 0; axis < type.shape.rank(); ++axis) type.shape[axis] = (*cuts)[static_cast<std::size_t>(axis)].count;
  return infer_one(std::move(type));
}

Result<Prepared> lower_slice(const LowerArgs& args) {
  const auto cuts = plan_slice(args);
  if (!cuts.ok()) return cuts.error();
  if (args.outputs[0].shape.num_elements() == 0) {
    return Prepared{[](const KernelIo&) -> Result<void> { return {}; }};
  }
  const std::int64_t element = element_bytes(args.type(0));
  const auto source_strides = strides_of(args.shape(0));
  const auto target_strides = strides_of(args.outputs[0].shape);
  std::vector<CopyAxis> axes;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < cuts->size(); ++i) {
    const Cut& cut = (*cuts)[i];
    offset += cut.start * source_strides[i] * element;
    // A step may be huge where a single element is taken.
    const std::int64_t stride = cut.count > 1 ? cut.step * source_strides[i] * element : 0;
    axes.push_back({cut.count, stride, target_strides[i] * element});
  }
  return Prepared{[copy = StridedCopy(axes, element), offset](const KernelIo& io) -> Result<void> {
    copy.run(io.inputs[0].bytes + offset, io.outputs[0].bytes);
    return {};
  }};
}

}  // namespace

OpDef slice_op() {
  return {.type = "Slice",
          .since_opset = 10,
          .operand_count = {3, 5},
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .infer = &infer_slice,
          .lower_float = &lower_slice};
}

}  // namespace halfstep::ops
