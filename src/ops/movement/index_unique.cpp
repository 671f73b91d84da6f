// index_unique.cpp: Unique.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/errors.hpp"
#include "ops/movement/index_ops.hpp"
#include "ops/movement/index_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// The distinct slices of a tensor along an axis, in the order of output 0.
struct Groups {
  std::vector<std::int64_t> first;    // Of each group: the slice it first occurs at.
  std::vector<std::int64_t> members;  // Of each group: how many slices are alike.
  std::vector<std::int64_t> group;    // Of each slice: its group.
};

// Negative, zero or positive as a comes before, with or after b; NaNs are alike and come last.
template <class T>
int compare(const T* a, const T* b, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (a[i] < b[i]) return -1;
    if (b[i] < a[i]) return 1;
    if (a[i] != b[i] && (a[i] != a[i]) != (b[i] != b[i])) return a[i] != a[i] ? 1 : -1;
  }
  return 0;
}

template <class T>
Groups group_slices(const T* slices, std::int64_t num_slices, std::int64_t slice_elements, bool sorted) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(num_slices));
  std::iota(order.begin(), order.end(), 0);
  const auto order_of = [&](std::int64_t a, std::int64_t b) {
    return compare(slices + a * slice_elements, slices + b * slice_elements, slice_elements);
  };
  // Stable: the first of its equals is the first occurrence.
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return order_of(a, b) < 0; });

  struct Run {
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Run> runs;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (runs.empty() || order_of(order[runs.back().begin], order[i]) != 0) runs.push_back({i, i});
    runs.back().end = i + 1;
  }
  if (!sorted) std::ranges::sort(runs, {}, [&](const Run& run) { return order[run.begin]; });

  Groups groups;
  groups.group.resize(order.size());
  for (std::size_t g = 0; g < runs.size(); ++g) {
    groups.first.push_back(order[runs[g].begin]);
    groups.members.push_back(static_cast<std::int64_t>(runs[g].end - runs[g].begin));
    for (std::size_t i = runs[g].begin; i < runs[g].end; ++i) {
      groups.group[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(g);
    }
  }
  return groups;
}

// Axis 0 of a view with the wanted axis in front; a flat tensor without one.
Result<std::optional<int>> axis_of(const NodeArgs& args) {
  if (!args.attributes().has("axis")) return std::optional<int>();
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), args.shape(0).rank());
  if (!axis.ok()) return axis.error();
  return std::optional<int>(*axis);
}

// Requires the value of operand 0.
Groups find_groups(const NodeArgs& args, std::optional<int> axis) {
  const Tensor& value = *args.value(0);
  const Shape& shape = value.shape();
  const bool sorted = args.attributes().get_int("sorted", 1) != 0;
  Tensor slices = value;
  std::int64_t num_slices = value.num_elements();
  std::int64_t slice_elements = 1;
  if (axis) {
    std::vector<int> permutation = {*axis};
    num_slices = shape[*axis];
    for (int i = 0; i < shape.rank(); ++i) {
      if (i == *axis) continue;
      permutation.push_back(i);
      slice_elements *= shape[i];
    }
    slices = Tensor(value.type());
    transposing_copy(shape, permutation, element_bytes(value.type())).run(value.bytes(), slices.mutable_bytes());
  }
  return visit_dtype(value.dtype(),
                     [&]<class T>() { return group_slices(slices.data<T>(), num_slices, slice_elements, sorted); });
}

Result<Inferred> infer_unique(const NodeArgs& args) {
  const auto axis = axis_of(args);
  if (!axis.ok()) return axis.error();
  if (args.value(0) == nullptr) return Inferred::unknown();
  if (args.shape(0).num_elements() == 0) return invalid("has no elements to look through");
  const Groups groups = find_groups(args, *axis);
  const auto count = static_cast<std::int64_t>(groups.first.size());
  TensorType unique{args.type(0).dtype, {count}};
  if (*axis) {
    unique.shape = args.shape(0);
    unique.shape[**axis] = count;
  }
  const TensorType per_group{DType::kInt64, {count}};
  const TensorType per_slice{DType::kInt64, {static_cast<std::int64_t>(groups.group.size())}};
  Inferred inferred;
  inferred.outputs = {std::move(unique), per_group, per_slice, per_group};
  return inferred;
}

Result<Prepared> lower_unique(const LowerArgs& args) {
  const auto axis = axis_of(args);
  if (!axis.ok()) return axis.error();
  const Shape& shape = args.shape(0);
  const std::int64_t outer = *axis ? shape.num_elements(0, **axis) : 1;
  const std::int64_t extent = *axis ? shape[**axis] : shape.num_elements();
  const std::int64_t unit_bytes =
      (*axis ? shape.num_elements(**axis + 1, shape.rank()) : 1) * element_bytes(args.type(0));
  return Prepared{[groups = find_groups(args, *axis), outer, extent, unit_bytes](const KernelIo& io) -> Result<void> {
    if (io.outputs[0].present()) {
      std::byte* target = io.outputs[0].bytes;
      for (std::int64_t block = 0; block < outer; ++block) {
        for (std::int64_t first : groups.first) {
          std::memcpy(target, io.inputs[0].bytes + (block * extent + first) * unit_bytes,
                      static_cast<std::size_t>(unit_bytes));
          target += unit_bytes;
        }
      }
    }
    const std::vector<std::int64_t>* const lists[] = {&groups.first, &groups.group, &groups.members};
    for (std::size_t i = 0; i < 3 && i + 1 < io.outputs.size(); ++i) {
      if (io.outputs[i + 1].present()) std::ranges::copy(*lists[i], io.outputs[i + 1].data<std::int64_t>());
    }
    return {};
  }};
}

}  // namespace

OpDef unique_op() {
  return {.type = "Unique",
          .since_opset = 11,
          .output_rule = OutputRule::kSameAsInput,
          .infer = &infer_unique,
          .lower_float = &lower_unique};
}

}  // namespace halfstep::ops
