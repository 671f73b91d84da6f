// pool.cpp: MaxPool, AveragePool, LpPool and their global forms.
#include "kernels/pool.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/code_types.hpp"
#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/shared/pool_window.hpp"
#include "ops/window/pool_fixed.hpp"
#include "ops/window/pool_kernels.hpp"
#include "ops/window/pool_unpool.hpp"

namespace halfstep::ops {
namespace {

using vision::one_output;

constexpr int kMaxSpatialAxes = 3;

Result<std::vector<WindowAxis>> axes_of(const NodeArgs& args) {
  if (auto ranked = vision::require_min_rank(args, 0, 3, "input"); !ranked.ok()) return ranked.error();
  const Shape& shape = args.shape(0);
  if (shape.rank() > 2 + kMaxSpatialAxes) {
    return unsupported("input has " + std::to_string(shape.rank() - 2) +
                       " spatial dimensions, at most 3 are supported");
  }
  const auto* kernel = args.attributes().find<std::vector<std::int64_t>>("kernel_shape");
  if (kernel == nullptr) return invalid("attribute kernel_shape is missing");
  return window_axes(args.attributes(), shape.dims().subspan(2), *kernel);
}

std::int64_t planes_of(const NodeArgs& args) { return args.shape(0).num_elements(0, 2); }

Result<Shape> pooled_shape(const NodeArgs& args) {
  const auto axes = axes_of(args);
  if (!axes.ok()) return axes.error();
  Shape shape{args.shape(0)[0], args.shape(0)[1]};
  for (const WindowAxis& axis : *axes) shape.push_back(axis.out);
  return shape;
}

/// ONNX knows 8-bit integers only; 16-bit codes are pooled, too.
bool is_poolable(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kInt8 || dtype == DType::kUint8 || dtype == DType::kInt16 ||
         dtype == DType::kUint16;
}

Error not_poolable(DType dtype) {
  return invalid("input is " + std::string(name_of(dtype)) + ", expected float32 or integers of 8 or 16 bits");
}

Result<Inferred> infer_max_pool(const NodeArgs& args) {
  auto shape = pooled_shape(args);
  if (!shape.ok()) return shape.error();
  const DType dtype = args.type(0).dtype;
  if (!is_poolable(dtype)) return not_poolable(dtype);
  const std::int64_t order = args.attributes().get_int("storage_order", 0);
  if (order != 0 && order != 1) return invalid("storage_order is " + std::to_string(order) + ", expected 0 or 1");
  const DType widest = args.wants_output(1) ? DType::kInt64 : dtype;
  if (auto fits = check_shape(*shape, widest); !fits.ok()) return fits.error();
  Inferred inferred = Inferred::one({dtype, *shape});
  inferred.outputs.push_back({DType::kInt64, *std::move(shape)});
  return inferred;
}

Result<Prepared> lower_max_pool(const LowerArgs& args) {
  if (!args.wants_output(1)) return prepare_max_pool(planes_of(args), pool_axes_of(args), args.type(0).dtype);
  const StorageOrder order =
      args.attributes().get_int("storage_order", 0) == 1 ? StorageOrder::kColumnMajor : StorageOrder::kRowMajor;
  return prepare_max_pool_indices(planes_of(args), pool_axes_of(args), args.type(0).dtype, order);
}

Result<Inferred> infer_float_pool(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  auto shape = pooled_shape(args);
  if (!shape.ok()) return shape.error();
  return one_output({DType::kFloat32, *std::move(shape)});
}

Result<Prepared> lower_average_pool(const LowerArgs& args) {
  return prepare_average_pool(planes_of(args), pool_axes_of(args), pad_counting_of(args));
}

Result<void> check_p(const NodeArgs& args) {
  const std::int64_t p = args.attributes().get_int("p", 2);
  if (p < 1) return invalid("p is " + std::to_string(p) + ", expected at least 1");
  return {};
}

Result<Inferred> infer_lp_pool(const NodeArgs& args) {
  if (auto valid = check_p(args); !valid.ok()) return valid.error();
  return infer_float_pool(args);
}

Result<Prepared> lower_lp_pool(const LowerArgs& args) {
  return prepare_lp_pool(planes_of(args), pool_axes_of(args), args.attributes().get_int("p", 2));
}

Result<Inferred> infer_global(const NodeArgs& args) {
  if (auto ranked = vision::require_min_rank(args, 0, 2, "input"); !ranked.ok()) return ranked.error();
  Shape shape = args.shape(0);
  for (int axis = 2; axis < shape.rank(); ++axis) {
    if (shape[axis] == 0) return invalid("input has shape " + to_string(shape) + ", there is nothing to pool");
    shape[axis] = 1;
  }
  return one_output({args.type(0).dtype, std::move(shape)});
}

Result<Inferred> infer_global_max(const NodeArgs& args) {
  if (!is_poolable(args.type(0).dtype)) return not_poolable(args.type(0).dtype);
  return infer_global(args);
}

Result<Inferred> infer_global_float(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  return infer_global(args);
}

Result<Inferred> infer_global_lp(const NodeArgs& args) {
  if (auto valid = check_p(args); !valid.ok()) return valid.error();
  return infer_global_float(args);
}

/// Applies reduce(values, count) to each plane.
template <class T, class Reduce>
Prepared prepare_global(const LowerArgs& args, Reduce reduce) {
  const std::int64_t planes = planes_of(args);
  const std::int64_t count = args.shape(0).num_elements(2, args.shape(0).rank());
  const auto run = [planes, count, reduce](const KernelIo& io) -> Result<void> {
    const T* in = io.inputs[0].data<T>();
    T* out = io.outputs[0].data<T>();
    for (std::int64_t p = 0; p < planes; ++p) out[p] = reduce(in + p * count, count);
    return {};
  };
  return {.run = run, .scratch_bytes = 0, .clamps = false};
}

template <class T>
T largest_of(const T* values, std::int64_t count) {
  T best = values[0];
  for (std::int64_t i = 1; i < count; ++i) best = values[i] > best ? values[i] : best;
  return best;
}

Result<Prepared> lower_global_max(const LowerArgs& args) {
  if (args.type(0).dtype == DType::kFloat32) return prepare_global<float>(args, largest_of<float>);
  return visit_code_type(args.type(0).dtype, [&]<class T>() { return prepare_global<T>(args, largest_of<T>); });
}

Result<Prepared> lower_global_average(const LowerArgs& args) {
  const std::int64_t planes = planes_of(args);
  const std::int64_t count = args.shape(0).num_elements(2, args.shape(0).rank());
  return Prepared{.run = [planes, count](const KernelIo& io) -> Result<void> {
                    const Share share = share_of(io, planes);
                    kernels::row_means(io.inputs[0].data<float>() + share.begin * count, share.end - share.begin, count,
                                       io.outputs[0].data<float>() + share.begin);
                    return {};
                  },
                  .scratch_bytes = 0,
                  .clamps = false,
                  .splits = true};
}

Result<Prepared> lower_global_lp(const LowerArgs& args) {
  const std::int64_t p = args.attributes().get_int("p", 2);
  if (p == 2) {
    return prepare_global<float>(args, [](const float* values, std::int64_t count) {
      return static_cast<float>(std::sqrt(vision::sum_of_squares(values, count, 0.0)));
    });
  }
  return prepare_global<float>(args, [p = static_cast<double>(p)](const float* values, std::int64_t count) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < count; ++i) sum += std::pow(std::fabs(static_cast<double>(values[i])), p);
    return static_cast<float>(std::pow(sum, 1.0 / p));
  });
}

}  // namespace

PoolAxes pool_axes_of(const NodeArgs& args) {
  PoolAxes three;
  const auto axes = axes_of(args);
  std::copy_backward(axes->begin(), axes->end(), three.end());
  return three;
}

PadCounting pad_counting_of(const NodeArgs& args) {
  return args.attributes().get_int("count_include_pad", 0) != 0 ? PadCounting::kInclude : PadCounting::kExclude;
}

std::span<const OpDef> pool_ops() {
  static const std::array kOps = {
      OpDef{.type = "MaxPool",
            .since_opset = 8,
            .output_rule = OutputRule::kSameAsInput,
            .has_integer_form = true,
            .keeps_channels_apart = true,
            .infer = &infer_max_pool,
            .lower_float = &lower_max_pool},
      OpDef{.type = "AveragePool",
            .since_opset = 7,
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .keeps_channels_apart = true,
            .infer = &infer_float_pool,
            .lower_float = &lower_average_pool,
            .lower_fixed = &lower_average_pool_fixed},
      OpDef{.type = "LpPool",
            .since_opset = 2,
            .output_rule = OutputRule::kObserved,
            .keeps_channels_apart = true,
            .infer = &infer_lp_pool,
            .lower_float = &lower_lp_pool},
      OpDef{.type = "GlobalMaxPool",
            .output_rule = OutputRule::kSameAsInput,
            .has_integer_form = true,
            .keeps_channels_apart = true,
            .infer = &infer_global_max,
            .lower_float = &lower_global_max},
      OpDef{.type = "GlobalAveragePool",
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .keeps_channels_apart = true,
            .infer = &infer_global_float,
            .lower_float = &lower_global_average,
            .lower_fixed = &lower_global_average_fixed},
      OpDef{.type = "GlobalLpPool",
            .since_opset = 2,
            .output_rule = OutputRule::kObserved,
            .keeps_channels_apart = true,
            .infer = &infer_global_lp,
            .lower_float = &lower_global_lp},
      OpDef{.type = "MaxUnpool",
            .since_opset = 9,
            .operand_count = {2, 3},
            .output_rule = OutputRule::kSameAsInput,
            .infer = &infer_max_unpool,
            .lower_float = &lower_max_unpool},
  };
  return kOps;
}

}  // namespace halfstep::ops
