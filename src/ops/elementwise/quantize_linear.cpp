// quantize_linear.cpp: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
#include "ops/shared/quantize_linear.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "ops/elementwise/cast.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/broadcast.hpp"

namespace halfstep::ops {
namespace {

constexpr DTypeSet kGridTypes{DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16};
constexpr DTypeSet kStoredTypes{DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16, DType::kInt32};
constexpr DTypeSet kRealTypes{DType::kFloat32, DType::kInt32};

/// Which scale belongs to which element. The tensor is seen as [outer, axis, inner];
/// element (o, a, i) uses scale o * outer_step + (a / block) * block_step + i * inner_step.
struct Granularity {
  std::int64_t outer = 1;
  std::int64_t axis = 1;
  std::int64_t inner = 1;
  std::int64_t block = 1;
  std::int64_t outer_step = 0;
  std::int64_t block_step = 0;
  std::int64_t inner_step = 0;
};

Result<Granularity> granularity_of(const NodeArgs& args) {
  const Shape& shape = args.shape(0);
  const Shape& scale = args.shape(1);
  const std::int64_t block = args.attributes().get_int("block_size", 0);
  if (block < 0) return Error{ErrorCode::kInvalidInput, "attribute 'block_size' is negative"};
  if (scale.num_elements() == 1 && scale.rank() <= 1) {
    return Granularity{.inner = shape.num_elements()};
  }
  const Result<int> normalized = normalize_axis(args.attributes().get_int("axis", 1), shape.rank());
  if (!normalized.ok()) return normalized.error();
  const int axis = *normalized;
  Granularity g{
      .outer = shape.num_elements(0, axis), .axis = shape[axis], .inner = shape.num_elements(axis + 1, shape.rank())};
  Shape expected;
  if (block == 0) {
    g.block_step = 1;
    expected = Shape{shape[axis]};
  } else {
    const std::int64_t num_blocks = shape[axis] / block + (shape[axis] % block != 0 ? 1 : 0);
    g.block = block;
    g.outer_step = num_blocks * g.inner;
    g.block_step = g.inner;
    g.inner_step = 1;
    expected = shape;
    expected[axis] = num_blocks;
  }
  if (scale != expected) {
    return Error{ErrorCode::kInvalidInput, "scale has shape " + to_string(scale) + ", expected " + to_string(expected) +
                                               " for a tensor of shape " + to_string(shape) + " and axis " +
                                               std::to_string(axis)};
  }
  return g;
}

Result<void> check_grid_operands(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 1, kFloatOnly); !ok.ok()) return ok;
  if (args.has(2) && args.shape(2) != args.shape(1) &&
      (args.shape(1).num_elements() != 1 || args.shape(2).num_elements() != 1)) {
    return Error{ErrorCode::kInvalidInput,
                 "zero point has shape " + to_string(args.shape(2)) + " but the scale has " + to_string(args.shape(1))};
  }
  if (const auto g = granularity_of(args); !g.ok()) return g.error();
  return {};
}

/// Calls row(first element, count, first scale, step of the scale) for runs of elements.
template <class F>
void for_each_run(const Granularity& g, const F& row) {
  for (std::int64_t o = 0; o < g.outer; ++o) {
    for (std::int64_t a = 0; a < g.axis; ++a) {
      row((o * g.axis + a) * g.inner, g.inner, o * g.outer_step + (a / g.block) * g.block_step, g.inner_step);
    }
  }
}

/// The output type: attribute, else zero point, else uint8.
Result<DType> quantized_dtype(const NodeArgs& args) {
  const std::int64_t number = args.attributes().get_int("output_dtype", 0);
  DType dtype = args.has(2) ? args.type(2).dtype : DType::kUint8;
  if (number != 0) {
    const std::optional<DType> named = element_type_of(number);
    if (!named.has_value() || !kGridTypes.contains(*named)) {
      return Error{ErrorCode::kUnsupported,
                   "quantizing to element type " + std::string(onnx_type_name(number)) + " is not supported"};
    }
    if (args.has(2) && *named != dtype) {
      return Error{ErrorCode::kInvalidInput, "zero point is " + std::string(name_of(dtype)) +
                                                 " but attribute 'output_dtype' says " + std::string(name_of(*named))};
    }
    dtype = *named;
  }
  if (!kGridTypes.contains(dtype)) {
    return Error{ErrorCode::kInvalidInput,
                 "zero point is " + std::string(name_of(dtype)) + ", expected int8, uint8, int16 or uint16"};
  }
  return dtype;
}

Result<Inferred> infer_quantize(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kRealTypes); !ok.ok()) return ok.error();
  if (const auto ok = check_grid_operands(args); !ok.ok()) return ok.error();
  const Result<DType> dtype = quantized_dtype(args);
  if (!dtype.ok()) return dtype.error();
  return Inferred::one({*dtype, args.shape(0)});
}

template <class X, class Y>
void quantize_all(const Granularity& g, const KernelIo& io) {
  const X* x = io.inputs[0].data<X>();
  const float* scale = io.inputs[1].data<float>();
  const Y* zero_point = io.inputs.size() > 2 && io.inputs[2].present() ? io.inputs[2].data<Y>() : nullptr;
  Y* y = io.outputs[0].data<Y>();
  for_each_run(g, [&](std::int64_t first, std::int64_t count, std::int64_t grid, std::int64_t grid_step) {
    if (grid_step == 0) {
      const float s = scale[grid];
      const std::int32_t z = zero_point == nullptr ? 0 : zero_point[grid];
      for (std::int64_t i = first; i < first + count; ++i) y[i] = quantize_ratio<Y>(static_cast<float>(x[i]) / s, z);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t z = zero_point == nullptr ? 0 : zero_point[grid + i];
      y[first + i] = quantize_ratio<Y>(static_cast<float>(x[first + i]) / scale[grid + i], z);
    }
  });
}

Result<Prepared> lower_quantize(const LowerArgs& args) {
  const Result<Granularity> g = granularity_of(args);
  if (!g.ok()) return g.error();
  return Prepared{.run = [grid = *g](const KernelIo& io) -> Result<void> {
                    if (!has_output(io) || io.outputs[0].num_elements() == 0) return {};
                    visit_dtype(io.outputs[0].dtype(), [&]<class Y>() {
                      if constexpr (std::is_integral_v<Y> && !std::is_same_v<Y, bool> && sizeof(Y) <= 2) {
                        if (io.inputs[0].dtype() == DType::kFloat32) {
                          quantize_all<float, Y>(grid, io);
                        } else {
                          quantize_all<std::int32_t, Y>(grid, io);
                        }
                      }
                    });
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

Result<Inferred> infer_dequantize(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kStoredTypes); !ok.ok()) return ok.error();
  if (const auto ok = check_grid_operands(args); !ok.ok()) return ok.error();
  if (args.has(2)) {
    if (const auto ok = check_same_dtype(args, 0, 2); !ok.ok()) return ok.error();
  }
  const std::int64_t number = args.attributes().get_int("output_dtype", 0);
  if (number != 0 && element_type_of(number) != DType::kFloat32) {
    return Error{ErrorCode::kUnsupported,
                 "dequantizing to element type " + std::string(onnx_type_name(number)) + " is not supported"};
  }
  TensorType type{DType::kFloat32, args.shape(0)};
  if (const auto ok = check_shape(type.shape, type.dtype); !ok.ok()) return ok.error();
  return Inferred::one(std::move(type));
}

/// Wide holds every difference of two X.
template <class X, class Wide>
void dequantize_all(const Granularity& g, const KernelIo& io) {
  const X* x = io.inputs[0].data<X>();
  const float* scale = io.inputs[1].data<float>();
  const X* zero_point = io.inputs.size() > 2 && io.inputs[2].present() ? io.inputs[2].data<X>() : nullptr;
  float* y = io.outputs[0].data<float>();
  for_each_run(g, [&](std::int64_t first, std::int64_t count, std::int64_t grid, std::int64_t grid_step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = grid + i * grid_step;
      const Wide z = zero_point == nullptr ? Wide{0} : Wide{zero_point[at]};
      y[first + i] = static_cast<float>(Wide{x[first + i]} - z) * scale[at];
    }
  });
}

Result<Prepared> lower_dequantize(const LowerArgs& args) {
  const Result<Granularity> g = granularity_of(args);
  if (!g.ok()) return g.error();
  return Prepared{.run = [grid = *g](const KernelIo& io) -> Result<void> {
                    if (!has_output(io) || io.outputs[0].num_elements() == 0) return {};
                    switch (io.inputs[0].dtype()) {
                      case DType::kInt8:
                        dequantize_all<std::int8_t, std::int32_t>(grid, io);
                        break;
                      case DType::kUint8:
                        dequantize_all<std::uint8_t, std::int32_t>(grid, io);
                        break;
                      case DType::kInt16:
                        dequantize_all<std::int16_t, std::int32_t>(grid, io);
                        break;
                      case DType::kUint16:
                        dequantize_all<std::uint16_t, std::int32_t>(grid, io);
                        break;
                      default:
                        dequantize_all<std::int32_t, std::int64_t>(grid, io);
                        break;
                    }
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false};
}

Result<Inferred> infer_dynamic_quantize(const NodeArgs& args) {
  if (const auto ok = check_dtype(args, 0, kFloatOnly); !ok.ok()) return ok.error();
  return Inferred{.outputs = {{DType::kUint8, args.shape(0)}, {DType::kFloat32, Shape{}}, {DType::kUint8, Shape{}}},
                  .values = {},
                  .data_dependent = false};
}

Result<void> run_dynamic_quantize(const KernelIo& io) {
  const std::span<const float> x = io.inputs[0].values<float>();
  float min = 0.0F;
  float max = 0.0F;
  for (const float value : x) {
    min = std::min(min, value);
    max = std::max(max, value);
  }
  const float scale = (max == min ? 1.0F : max - min) / 255.0F;
  const auto zero_point = quantize_ratio<std::uint8_t>(-min / scale, 0);
  if (has_output(io)) {
    std::uint8_t* y = io.outputs[0].data<std::uint8_t>();
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = quantize_ratio<std::uint8_t>(x[i] / scale, zero_point);
  }
  if (io.outputs.size() > 1 && io.outputs[1].present()) *io.outputs[1].data<float>() = scale;
  if (io.outputs.size() > 2 && io.outputs[2].present()) *io.outputs[2].data<std::uint8_t>() = zero_point;
  return {};
}

Result<Prepared> lower_dynamic_quantize(const LowerArgs&) {
  return Prepared{.run = run_dynamic_quantize, .scratch_bytes = 0, .clamps = false};
}

}  // namespace

std::int32_t integer_at(const ConstView& view, std::int64_t i) {
  if (!view.present()) return 0;
  return view.dtype() == DType::kInt8 ? std::int32_t{view.data<std::int8_t>()[i]}
                                      : std::int32_t{view.data<std::uint8_t>()[i]};
}

Result<void> check_single(const NodeArgs& args, std::size_t i, const char* role) {
  if (!args.has(i) || args.shape(i).num_elements() == 1) return {};
  return Error{ErrorCode::kInvalidInput,
               std::string(role) + " has shape " + to_string(args.shape(i)) + ", expected a scalar"};
}

FloatLikeArgs::FloatLikeArgs(const NodeArgs& args, std::size_t weight)
    : node_(args.node), first_{DType::kFloat32, args.shape(0)}, second_{DType::kFloat32, args.shape(weight)} {}

std::span<const OpDef> quantize_linear_ops() {
  static const std::vector<OpDef> all = [] {
    std::vector<OpDef> ops = {
        {.type = "QuantizeLinear",
         .since_opset = 13,
         .operand_count = {2, 3},
         .infer = infer_quantize,
         .lower_float = lower_quantize},
        {.type = "DequantizeLinear",
         .since_opset = 13,
         .operand_count = {2, 3},
         .infer = infer_dequantize,
         .lower_float = lower_dequantize},
        {.type = "DynamicQuantizeLinear",
         .since_opset = 11,
         .infer = infer_dynamic_quantize,
         .lower_float = lower_dynamic_quantize},
    };
    for (const auto part : {integer_conv_ops(), integer_matmul_ops()}) ops.insert(ops.end(), part.begin(), part.end());
    return ops;
  }();
  return all;
}

}  // namespace halfstep::ops
