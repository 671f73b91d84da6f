// shape_make.cpp: Shape, Size, ConstantOfShape and EyeLike, tensors made from extents.
#include <algorithm>
#include <cstring>

#include "core/errors.hpp"
#include "ops/movement/movement_support.hpp"
#include "ops/movement/shape_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

// The output is known as soon as the types are.
Inferred known(Tensor value) {
  Inferred inferred = Inferred::one(value.type());
  inferred.values = {std::move(value)};
  return inferred;
}

Kernel constant_kernel(Tensor value) {
  return [value = std::move(value)](const KernelIo& io) -> Result<void> {
    if (value.num_bytes() > 0) {
      std::memcpy(io.outputs[0].bytes, value.bytes(), static_cast<std::size_t>(value.num_bytes()));
    }
    return {};
  };
}

Tensor shape_value(const NodeArgs& args) {
  const std::int64_t rank = args.shape(0).rank();
  const auto position = [rank](std::int64_t given) {
    return std::clamp<std::int64_t>(given < 0 ? given + rank : given, 0, rank);
  };
  const std::int64_t start = position(args.attributes().get_int("start", 0));
  const std::int64_t end = position(args.attributes().get_int("end", rank));
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(end - start, 0));
  const auto dims = args.shape(0).dims().subspan(static_cast<std::size_t>(start), count);
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(count)}, dims);
}

Result<Inferred> infer_shape(const NodeArgs& args) { return known(shape_value(args)); }

Result<Prepared> lower_shape(const LowerArgs& args) { return Prepared{constant_kernel(shape_value(args))}; }

Result<Inferred> infer_size(const NodeArgs& args) {
  return known(Tensor::of<std::int64_t>({}, {args.shape(0).num_elements()}));
}

Result<Prepared> lower_size(const LowerArgs& args) {
  return Prepared{constant_kernel(Tensor::of<std::int64_t>({}, {args.shape(0).num_elements()}))};
}

Result<Inferred> infer_constant_of_shape(const NodeArgs& args) {
  const auto* value = args.attributes().find<Tensor>("value");
  if (value != nullptr && value->num_elements() != 1) {
    return invalid("value is " + to_string(value->type()) + ", expected one element");
  }
  if (args.value(0) == nullptr) return Inferred::unknown();
  const auto extents = integers_of(args, 0, "shape");
  if (!extents.ok()) return extents.error();
  return infer_one({value == nullptr ? DType::kFloat32 : value->dtype(), Shape(*extents)});
}

Result<Prepared> lower_constant_of_shape(const LowerArgs& args) {
  const auto* attribute = args.attributes().find<Tensor>("value");
  const Tensor value = attribute != nullptr ? *attribute : Tensor::of<float>({}, {0.0F});
  return Prepared{[value](const KernelIo& io) -> Result<void> {
    visit_dtype(value.dtype(), [&]<class T>() { std::ranges::fill(io.outputs[0].values<T>(), *value.data<T>()); });
    return {};
  }};
}

Result<DType> eye_dtype(const NodeArgs& args) {
  if (!args.attributes().has("dtype")) return args.type(0).dtype;
  const std::int64_t number = args.attributes().get_int("dtype", 0);
  if (const std::optional<DType> dtype = dtype_of_onnx(number)) return *dtype;
  return Error{ErrorCode::kUnsupported, "cannot make an identity of element type " + std::to_string(number)};
}

Result<Inferred> infer_eye_like(const NodeArgs& args) {
  if (args.shape(0).rank() != 2) return invalid("input is " + to_string(args.type(0)) + ", expected a matrix");
  const Result<DType> dtype = eye_dtype(args);
  if (!dtype.ok()) return dtype.error();
  return infer_one({*dtype, args.shape(0)});
}

Result<Prepared> lower_eye_like(const LowerArgs& args) {
  const std::int64_t rows = args.shape(0)[0];
  const std::int64_t columns = args.shape(0)[1];
  const std::int64_t k = std::clamp(args.attributes().get_int("k", 0), -rows, columns);
  return Prepared{[=](const KernelIo& io) -> Result<void> {
    visit_dtype(io.outputs[0].dtype(), [&]<class T>() {
      const auto values = io.outputs[0].values<T>();
      std::ranges::fill(values, T{0});
      for (std::int64_t row = std::max<std::int64_t>(0, -k); row < rows && row + k < columns; ++row) {
        values[static_cast<std::size_t>(row * columns + row + k)] = T{1};
      }
    });
    return {};
  }};
}

}  // namespace

OpDef shape_op() { return {.type = "Shape", .since_opset = 1, .infer = &infer_shape, .lower_float = &lower_shape}; }

OpDef size_op() { return {.type = "Size", .since_opset = 1, .infer = &infer_size, .lower_float = &lower_size}; }

OpDef constant_of_shape_op() {
  return {.type = "ConstantOfShape",
          .since_opset = 9,
          .infer = &infer_constant_of_shape,
          .lower_float = &lower_constant_of_shape};
}

OpDef eye_like_op() {
  return {.type = "EyeLike", .since_opset = 9, .infer = &infer_eye_like, .lower_float = &lower_eye_like};
}

}  // namespace halfstep::ops
