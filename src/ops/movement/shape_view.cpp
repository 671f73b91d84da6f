// shape_view.cpp: Reshape, Flatten, Squeeze and Unsqueeze, the same bytes under another shape.
#include <algorithm>

#include "core/errors.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/movement/shape_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

Result<Prepared> lower_view(const LowerArgs&) { return Prepared{copy_kernel()}; }

Error does_not_fit(const Shape& source, const std::vector<std::int64_t>& target) {
  return invalid("cannot reshape " + to_string(source) + " to " + to_string(Shape(target)));
}

Result<Inferred> infer_reshape(const NodeArgs& args) {
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto given = integers_of(args, 1, "shape");
  if (!given.ok()) return given.error();
  if (given->size() > static_cast<std::size_t>(kMaxRank)) {
    return invalid("a rank of " + std::to_string(given->size()) + " is above the limit of " + std::to_string(kMaxRank));
  }
  const bool allow_zero = args.attributes().get_int("allowzero", 0) != 0;
  const Shape& source = args.shape(0);
  Shape target(*given);
  int solved_axis = -1;
  std::int64_t known = 1;
  for (int axis = 0; axis < target.rank(); ++axis) {
    if (target[axis] == 0 && !allow_zero) {
      if (axis >= source.rank()) return does_not_fit(source, *given);
      target[axis] = source[axis];
    }
    if (target[axis] == -1 && solved_axis < 0) {
      solved_axis = axis;
    } else if (target[axis] < 0 || __builtin_mul_overflow(known, target[axis], &known)) {
      return does_not_fit(source, *given);
    }
  }
  const std::int64_t count = source.num_elements();
  if (solved_axis >= 0) {
    if (known == 0 || count % known != 0) return does_not_fit(source, *given);
    target[solved_axis] = count / known;
  } else if (known != count) {
    return does_not_fit(source, *given);
  }
  return infer_one({args.type(0).dtype, std::move(target)});
}

Result<Inferred> infer_flatten(const NodeArgs& args) {
  const Shape& source = args.shape(0);
  const std::int64_t given = args.attributes().get_int("axis", 1);
  const int rank = source.rank();
  if (given < -rank || given > rank) {
    return invalid("axis " + std::to_string(given) + " is out of range for rank " + std::to_string(rank));
  }
  const int axis = static_cast<int>(given < 0 ? given + rank : given);
  return Inferred::one({args.type(0).dtype, {source.num_elements(0, axis), source.num_elements(axis, rank)}});
}

Result<Inferred> infer_squeeze(const NodeArgs& args) {
  const Shape& source = args.shape(0);
  std::vector<bool> removed;
  for (std::int64_t extent : source) removed.push_back(!args.has(1) && extent == 1);
  if (args.has(1)) {
    if (args.value(1) == nullptr) return Inferred::unknown();
    const auto given = integers_of(args, 1, "axes");
    if (!given.ok()) return given.error();
    for (std::int64_t given_axis : *given) {
      const auto axis = normalize_axis(given_axis, source.rank());
      if (!axis.ok()) return axis.error();
      if (source[*axis] != 1) {
        return invalid("cannot squeeze axis " + std::to_string(*axis) + " of " + to_string(source) +
                       ", its extent is not 1");
      }
      removed[static_cast<std::size_t>(*axis)] = true;
    }
  }
  Shape target;
  for (int axis = 0; axis < source.rank(); ++axis) {
    if (!removed[static_cast<std::size_t>(axis)]) target.push_back(source[axis]);
  }
  return Inferred::one({args.type(0).dtype, std::move(target)});
}

Result<Inferred> infer_unsqueeze(const NodeArgs& args) {
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto given = integers_of(args, 1, "axes");
  if (!given.ok()) return given.error();
  const Shape& source = args.shape(0);
  const std::size_t rank = static_cast<std::size_t>(source.rank()) + given->size();
  if (rank > static_cast<std::size_t>(kMaxRank)) {
    return invalid("a rank of " + std::to_string(rank) + " is above the limit of " + std::to_string(kMaxRank));
  }
  const auto axes = distinct_axes(*given, static_cast<int>(rank));
  if (!axes.ok()) return axes.error();
  std::vector<std::int64_t> target(rank, -1);
  for (int axis : *axes) target[static_cast<std::size_t>(axis)] = 1;
  int next = 0;
  for (std::int64_t& extent : target) {
    if (extent < 0) extent = source[next++];
  }
  return Inferred::one({args.type(0).dtype, Shape(std::move(target))});
}

OpDef view_op(std::string_view type, int since_opset, OperandCount operand_count,
              Result<Inferred> (*infer)(const NodeArgs&)) {
  return {.type = type,
          .since_opset = since_opset,
          .operand_count = operand_count,
          .output_rule = OutputRule::kSameAsInput,
          .has_integer_form = true,
          .aliases_input = true,
          .infer = infer,
          .lower_float = &lower_view};
}

}  // namespace

OpDef reshape_op() { return view_op("Reshape", 5, {2, 2}, &infer_reshape); }
OpDef flatten_op() { return view_op("Flatten", 1, {1, 1}, &infer_flatten); }
OpDef squeeze_op() { return view_op("Squeeze", 13, {1, 2}, &infer_squeeze); }
OpDef unsqueeze_op() { return view_op("Unsqueeze", 13, {2, 2}, &infer_unsqueeze); }

}  // namespace halfstep::ops
