// pool_unpool.cpp: MaxUnpool.
#include "ops/window/pool_unpool.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/shared/node_check.hpp"

namespace halfstep::ops {
namespace {

constexpr std::int64_t kMaxAttribute = std::numeric_limits<std::int32_t>::max();

bool out_of_range(const std::vector<std::int64_t>& values) {
  return std::ranges::any_of(values, [](std::int64_t v) { return v < 0 || v > kMaxAttribute; });
}

/// The shape the indices count in: the input of the MaxPool this undoes.
Result<Shape> unpooled_shape(const NodeArgs& args) {
  const Shape& pooled = args.shape(0);
  const auto rank = static_cast<std::size_t>(pooled.rank() - 2);
  const auto kernel = args.attributes().get_ints("kernel_shape");
  const auto strides = args.attributes().get_ints("strides", std::vector<std::int64_t>(rank, 1));
  const auto pads = args.attributes().get_ints("pads", std::vector<std::int64_t>(2 * rank, 0));
  if (kernel.size() != rank || strides.size() != rank || pads.size() != 2 * rank) {
    return invalid("kernel_shape, strides and pads do not fit an input of shape " + to_string(pooled));
  }
  if (out_of_range(kernel) || out_of_range(strides) || out_of_range(pads)) {
    return invalid("kernel_shape, strides or pads have a value outside 0 to " + std::to_string(kMaxAttribute));
  }
  Shape shape{pooled[0], pooled[1]};
  for (std::size_t i = 0; i < rank; ++i) {
    // An extent is below 2^33 and a stride below 2^31: the product does not overflow once it is bounded.
    const std::int64_t extent = pooled[static_cast<int>(i) + 2];
    if (extent > kMaxAttribute) return invalid("input has shape " + to_string(pooled) + ", which is too large");
    shape.push_back((extent - 1) * strides[i] + kernel[i] - pads[i] - pads[rank + i]);
  }
  if (auto fits = check_shape(shape, DType::kFloat32); !fits.ok()) return fits.error();
  return shape;
}

/// The output's shape: output_shape where it is given, which must hold the unpooled one.
Result<Shape> output_shape_of(const Shape& unpooled, const Tensor& wanted) {
  if (wanted.dtype() != DType::kInt64 || wanted.num_elements() != unpooled.rank()) {
    return invalid("output_shape is " + to_string(wanted.type()) + ", expected int64[" +
                   std::to_string(unpooled.rank()) + "]");
  }
  const Shape shape(wanted.values<std::int64_t>());
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < unpooled[axis]) {
      return invalid("output_shape " + to_string(shape) + " is smaller than the unpooled " + to_string(unpooled));
    }
  }
  return shape;
}

/// Where element `index` of a tensor of shape `inner` lies in the leading corner of one with strides `strides`.
std::int64_t embedded(std::int64_t index, const Shape& inner, const std::vector<std::int64_t>& strides) {
  std::int64_t offset = 0;
  for (int axis = inner.rank() - 1; axis >= 0; --axis) {
    offset += index % inner[axis] * strides[static_cast<std::size_t>(axis)];
    index /= inner[axis];
  }
  return offset;
}

}  // namespace

Result<Inferred> infer_max_unpool(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_min_rank(args, 0, 3, "input"); !ranked.ok()) return ranked.error();
  if (args.type(1) != TensorType{DType::kInt64, args.shape(0)}) {
    return invalid("indices are " + to_string(args.type(1)) + ", expected int64 in the shape of the input, " +
                   to_string(args.shape(0)));
  }
  auto unpooled = unpooled_shape(args);
  if (!unpooled.ok()) return unpooled.error();
  if (!args.has(2)) return vision::one_output({DType::kFloat32, *std::move(unpooled)});
  if (args.value(2) == nullptr) return Inferred::unknown();
  auto shape = output_shape_of(*unpooled, *args.value(2));
  if (!shape.ok()) return shape.error();
  return vision::one_output({DType::kFloat32, *std::move(shape)});
}

Result<Prepared> lower_max_unpool(const LowerArgs& args) {
  const auto unpooled = unpooled_shape(args);
  if (!unpooled.ok()) return unpooled.error();
  const auto strides = strides_of(args.outputs[0].shape);
  const auto run = [inner = *unpooled, strides](const KernelIo& io) -> Result<void> {
    const auto values = io.inputs[0].values<float>();
    const auto indices = io.inputs[1].values<std::int64_t>();
    const auto out = io.outputs[0].values<float>();
    const std::int64_t count = inner.num_elements();
    std::ranges::fill(out, 0.0F);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (indices[i] < 0 || indices[i] >= count) {
        return invalid("index " + std::to_string(indices[i]) + " is outside the unpooled " + to_string(inner));
      }
      out[static_cast<std::size_t>(embedded(indices[i], inner, strides))] = values[i];
    }
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace halfstep::ops
