// index_select.cpp: Compress, NonZero and OneHot.
#include <algorithm>
#include <cmath>

#include "core/errors.hpp"
#include "ops/movement/index_ops.hpp"
#include "ops/movement/index_support.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// The data as [outer, extent, inner] around the axis; flat without one.
struct Blocks {
  std::int64_t outer = 1;
  std::int64_t extent = 0;
  std::int64_t inner = 1;
  std::optional<int> axis;
};

Result<Blocks> compress_blocks(const NodeArgs& args) {
  const Shape& data = args.shape(0);
  if (!args.attributes().has("axis")) return Blocks{1, data.num_elements(), 1, std::nullopt};
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", 0), data.rank());
  if (!axis.ok()) return axis.error();
  return Blocks{data.num_elements(0, *axis), data[*axis], data.num_elements(*axis + 1, data.rank()), *axis};
}

// Positions along the axis to keep. Requires the value of operand 1.
Result<std::vector<std::int64_t>> kept_positions(const NodeArgs& args, const Blocks& blocks) {
  std::vector<std::int64_t> kept;
  const Tensor& condition = *args.value(1);
  for (std::int64_t i = 0; i < condition.num_elements(); ++i) {
    if (condition.bytes()[i] == std::byte{0}) continue;
    if (i >= blocks.extent) return out_of_range(i, blocks.axis.value_or(0), blocks.extent);
    kept.push_back(i);
  }
  return kept;
}

Result<Inferred> infer_compress(const NodeArgs& args) {
  if (args.type(1).dtype != DType::kBool || args.shape(1).rank() != 1) {
    return invalid("condition is " + to_string(args.type(1)) + ", expected a vector of bool");
  }
  const auto blocks = compress_blocks(args);
  if (!blocks.ok()) return blocks.error();
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto kept = kept_positions(args, *blocks);
  if (!kept.ok()) return kept.error();
  const auto count = static_cast<std::int64_t>(kept->size());
  TensorType type{args.type(0).dtype, {count}};
  if (blocks->axis) {
    type.shape = args.shape(0);
    type.shape[*blocks->axis] = count;
  }
  return Inferred::one(std::move(type));
}

Result<Prepared> lower_compress(const LowerArgs& args) {
  const auto blocks = compress_blocks(args);
  if (!blocks.ok()) return blocks.error();
  auto kept = kept_positions(args, *blocks);
  if (!kept.ok()) return kept.error();
  const std::int64_t unit_bytes = blocks->inner * element_bytes(args.type(0));
  return Prepared{[kept = *std::move(kept), blocks = *blocks, unit_bytes](const KernelIo& io) -> Result<void> {
    if (unit_bytes == 0) return {};
    with_unit(unit_bytes, [&](auto unit) {
      std::byte* target = io.outputs[0].bytes;
      for (std::int64_t block = 0; block < blocks.outer; ++block) {
        const std::byte* source = io.inputs[0].bytes + block * blocks.extent * unit_bytes;
        for (std::int64_t position : kept) {
          unit(target, source + position * unit_bytes);
          target += unit_bytes;
        }
      }
    });
    return {};
  }};
}

Result<Inferred> infer_non_zero(const NodeArgs& args) {
  const Tensor* value = args.value(0);
  if (value == nullptr) return Inferred::unknown();
  const std::int64_t count = visit_dtype(value->dtype(), [&]<class T>() -> std::int64_t {
    return std::ranges::count_if(value->values<T>(), [](T x) { return x != T{0}; });
  });
  return infer_one({DType::kInt64, {args.shape(0).rank(), count}});
}

Result<Prepared> lower_non_zero(const LowerArgs&) {
  return Prepared{[](const KernelIo& io) -> Result<void> {
    const ConstView data = io.inputs[0];
    const auto rank = static_cast<std::size_t>(data.shape().rank());
    const std::int64_t count = io.outputs[0].shape()[1];
    std::int64_t* const target = io.outputs[0].data<std::int64_t>();
    std::vector<std::int64_t> at(rank, 0);
    std::int64_t found = 0;
    visit_dtype(data.dtype(), [&]<class T>() {
      for (T x : data.values<T>()) {
        if (x != T{0} && found < count) {
          for (std::size_t i = 0; i < rank; ++i) target[static_cast<std::int64_t>(i) * count + found] = at[i];
          ++found;
        }
        for (std::size_t i = rank; i-- > 0;) {
          if (++at[i] < data.shape()[static_cast<int>(i)]) break;
          at[i] = 0;
        }
      }
    });
    return {};
  }};
}

Result<Inferred> infer_one_hot(const NodeArgs& args) {
  if (args.shape(1).num_elements() != 1)
    return invalid("depth is " + to_string(args.type(1)) + ", expected one number");
  if (args.shape(2) != Shape{2}) return invalid("values is " + to_string(args.type(2)) + ", expected two elements");
  const Result<int> axis = normalize_axis(args.attributes().get_int("axis", -1), args.shape(0).rank() + 1);
  if (!axis.ok()) return axis.error();
  if (args.value(1) == nullptr) return Inferred::unknown();
  std::int64_t depth = 0;
  if (args.value(1)->dtype() == DType::kFloat32) {
    const float real_depth = *args.value(1)->data<float>();
    depth = real_depth >= 0.0F && real_depth < static_cast<float>(kMaxTensorBytes)
                ? static_cast<std::int64_t>(real_depth)
                : -1;
  } else {
    depth = to_int64s(*args.value(1)).front();
  }
  if (depth < 0) return invalid("depth is negative or too large");
  Shape shape;
  for (int i = 0; i < *axis; ++i) shape.push_back(args.shape(0)[i]);
  shape.push_back(depth);
  for (int i = *axis; i < args.shape(0).rank(); ++i) shape.push_back(args.shape(0)[i]);
  return infer_one({args.type(2).dtype, std::move(shape)});
}

// The class of an index, or -1 where no class is hot.
template <class Index>
std::int64_t hot_class(Index index, std::int64_t depth) {
  if constexpr (std::is_same_v<Index, float>) {
    const double real_index = std::trunc(static_cast<double>(index));
    const auto real_depth = static_cast<double>(depth);
    if (!(real_index >= -real_depth && real_index < real_depth)) return -1;
    return wrap_index(static_cast<std::int64_t>(real_index), depth);
  } else if constexpr (std::is_same_v<Index, std::uint64_t>) {
    return index < static_cast<std::uint64_t>(depth) ? static_cast<std::int64_t>(index) : -1;
  } else {
    return wrap_index(index, depth);
  }
}

Result<Prepared> lower_one_hot(const LowerArgs& args) {
  const Shape& indices = args.shape(0);
  const int axis = *normalize_axis(args.attributes().get_int("axis", -1), indices.rank() + 1);
  const std::int64_t outer = indices.num_elements(0, axis);
  const std::int64_t inner = indices.num_elements(axis, indices.rank());
  const std::int64_t depth = args.outputs[0].shape[axis];
  const std::int64_t element = element_bytes(args.type(2));
  return Prepared{[=](const KernelIo& io) -> Result<void> {
    const std::byte* off = io.inputs[2].bytes;
    const std::byte* on = off + element;
    with_unit(element, [&](auto unit) {
      std::byte* const target = io.outputs[0].bytes;
      for (std::int64_t i = 0; i < outer * depth * inner; ++i) unit(target + i * element, off);
      visit_dtype(io.inputs[0].dtype(), [&]<class Index>() {
        const Index* index = io.inputs[0].data<Index>();
        for (std::int64_t block = 0; block < outer; ++block) {
          for (std::int64_t i = 0; i < inner; ++i, ++index) {
            const std::int64_t hot = hot_class(*index, depth);
            if (hot >= 0) unit(target + ((block * depth + hot) * inner + i) * element, on);
          }
        }
      });
    });
    return {};
  }};
}

}  // namespace

OpDef compress_op() {
  return {.type = "Compress",
          .since_opset = 9,
          .operand_count = {2, 2},
          .output_rule = OutputRule::kSameAsInput,
          .infer = &infer_compress,
          .lower_float = &lower_compress};
}

OpDef non_zero_op() {
  return {.type = "NonZero", .since_opset = 9, .infer = &infer_non_zero, .lower_float = &lower_non_zero};
}

OpDef one_hot_op() {
  return {.type = "OneHot",
          .since_opset = 9,
          .operand_count = {3, 3},
          .infer = &infer_one_hot,
          .lower_float = &lower_one_hot};
}

}  // namespace halfstep::ops
