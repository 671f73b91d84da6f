// movement_support.cpp: what the operators that move values share: operand checks and kernels.
#include "ops/movement/movement_support.hpp"

#include <algorithm>
#include <cstring>

#include "core/errors.hpp"

namespace halfstep::ops {

Result<void> check_output(const TensorType& type) {
  if (type.shape.rank() > kMaxRank) {
    return invalid("a rank of " + std::to_string(type.shape.rank()) + " is above the limit of " +
                   std::to_string(kMaxRank));
  }
  // Bounds the factors around a 0 as well: strides are products of them.
  std::int64_t count = 1;
  for (std::int64_t extent : type.shape) {
    if (extent > kMaxTensorBytes / count) return invalid("shape " + to_string(type.shape) + " is too large");
    if (extent > 0) count *= extent;
  }
  return check_shape(type.shape, type.dtype);
}

Result<Inferred> infer_one(TensorType type) {
  if (auto checked = check_output(type); !checked.ok()) return checked.error();
  return Inferred::one(std::move(type));
}

Result<std::vector<std::int64_t>> integers_of(const NodeArgs& args, std::size_t i, std::string_view role) {
  const Tensor& value = *args.value(i);
  if (!is_index_type(value.dtype()) || value.shape().rank() > 1) {
    return invalid(std::string(role) + " is " + to_string(value.type()) + ", expected a vector of int64");
  }
  return to_int64s(value);
}

Result<std::int64_t> integer_of(const NodeArgs& args, std::size_t i, std::string_view role) {
  const Tensor& value = *args.value(i);
  if (!is_index_type(value.dtype()) || value.num_elements() != 1) {
    return invalid(std::string(role) + " is " + to_string(value.type()) + ", expected one int64");
  }
  return to_int64s(value).front();
}

Result<std::vector<int>> distinct_axes(const std::vector<std::int64_t>& axes, int rank) {
  std::vector<int> result;
  std::vector<bool> seen(static_cast<std::size_t>(rank), false);
  for (std::int64_t given : axes) {
    const Result<int> axis = normalize_axis(given, rank);
    if (!axis.ok()) return axis.error();
    if (seen[static_cast<std::size_t>(*axis)]) return invalid("axis " + std::to_string(given) + " appears twice");
    seen[static_cast<std::size_t>(*axis)] = true;
    result.push_back(*axis);
  }
  return result;
}

std::optional<DType> dtype_of_onnx(std::int64_t onnx_type) {
  switch (onnx_type) {
    case 1:
      return DType::kFloat32;
    case 2:
      return DType::kUint8;
    case 3:
      return DType::kInt8;
    case 4:
      return DType::kUint16;
    case 5:
      return DType::kInt16;
    case 6:
      return DType::kInt32;
    case 7:
      return DType::kInt64;
    case 9:
      return DType::kBool;
    case 12:
      return DType::kUint32;
    case 13:
      return DType::kUint64;
    default:
      return std::nullopt;
  }
}

bool equal_except(const Shape& a, const Shape& b, int axis) {
  if (a.rank() != b.rank()) return false;
  for (int i = 0; i < a.rank(); ++i) {
    if (i != axis && a[i] != b[i]) return false;
  }
  return true;
}

StridedCopy transposing_copy(const Shape& source, const std::vector<int>& permutation, std::int64_t element_bytes) {
  const std::vector<std::int64_t> source_strides = strides_of(source);
  std::vector<CopyAxis> axes(permutation.size());
  std::int64_t target_stride = element_bytes;
  for (std::size_t i = permutation.size(); i-- > 0;) {
    const std::int64_t extent = source[permutation[i]];
    axes[i] = {extent, source_strides[static_cast<std::size_t>(permutation[i])] * element_bytes, target_stride};
    target_stride *= extent;
  }
  return {axes, element_bytes};
}

Kernel copy_kernel() {
  return [](const KernelIo& io) -> Result<void> {
    const auto num_bytes = static_cast<std::size_t>(io.inputs[0].type->num_bytes());
    if (io.outputs[0].present() && io.outputs[0].bytes != io.inputs[0].bytes && num_bytes > 0) {
      std::memcpy(io.outputs[0].bytes, io.inputs[0].bytes, num_bytes);
    }
    return {};
  };
}

}  // namespace halfstep::ops
