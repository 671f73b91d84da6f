// vision_patches.cpp: CenterCropPad and Col2Im.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/errors.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/shared/pool_window.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {
namespace {

/// Along one axis: `count` elements from in_start to out_start.
struct CenteredAxis {
  std::int64_t in_start = 0;
  std::int64_t out_start = 0;
  std::int64_t count = 0;
};

CenteredAxis centered(std::int64_t in, std::int64_t out) {
  CenteredAxis axis;
  axis.count = std::min(in, out);
  axis.in_start = in > out ? (in - out) / 2 : 0;
  axis.out_start = out > in ? (out - in) / 2 : 0;
  return axis;
}

template <class T>
void copy_centered(const std::vector<CenteredAxis>& axes, const std::vector<std::int64_t>& in_strides,
                   const std::vector<std::int64_t>& out_strides, std::size_t axis, const T* in, T* out) {
  if (axis == axes.size()) {
    *out = *in;
    return;
  }
  in += axes[axis].in_start * in_strides[axis];
  out += axes[axis].out_start * out_strides[axis];
  if (axis + 1 == axes.size()) {
    std::copy_n(in, axes[axis].count, out);
    return;
  }
  for (std::int64_t i = 0; i < axes[axis].count; ++i) {
    copy_centered(axes, in_strides, out_strides, axis + 1, in + i * in_strides[axis], out + i * out_strides[axis]);
  }
}

/// Spatial extents a 1-D int64 operand names.
Result<std::vector<std::int64_t>> extents_of(const Tensor& tensor, const char* name) {
  if (tensor.dtype() != DType::kInt64 && tensor.dtype() != DType::kInt32) {
    return invalid(std::string(name) + " is " + to_string(tensor.type()) + ", expected int64");
  }
  auto extents = to_int64s(tensor);
  for (const std::int64_t extent : extents) {
    if (extent < 0 || extent > std::numeric_limits<std::int32_t>::max()) {
      return invalid(std::string(name) + " has the value " + std::to_string(extent) + ", which is out of range");
    }
  }
  return extents;
}

struct Columns {
  std::vector<WindowAxis> axes;
  std::int64_t planes = 0;  ///< Batch times channels.
  std::int64_t blocks = 1;  ///< Windows in one picture.
  std::int64_t taps = 1;    ///< Elements of one window.
};

/// Requires the values of operands 1 and 2.
Result<Columns> columns_of(const NodeArgs& args) {
  const auto image = extents_of(*args.value(1), "image_shape");
  if (!image.ok()) return image.error();
  const auto block = extents_of(*args.value(2), "block_shape");
  if (!block.ok()) return block.error();
  auto axes = window_axes(args.attributes(), *image, *block);
  if (!axes.ok()) return axes.error();
  const Shape& in = args.shape(0);
  Columns columns;
  columns.axes = *std::move(axes);
  Shape blocks;
  Shape taps;
  for (const WindowAxis& axis : columns.axes) {
    blocks.push_back(axis.out);
    taps.push_back(axis.kernel);
  }
  if (auto fits = check_shape(blocks, DType::kFloat32); !fits.ok()) return fits.error();
  if (auto fits = check_shape(taps, DType::kFloat32); !fits.ok()) return fits.error();
  columns.blocks = blocks.num_elements();
  columns.taps = taps.num_elements();
  if (in[1] % columns.taps != 0 || in[2] != columns.blocks) {
    return invalid("input has shape " + to_string(in) + ", expected [N, C * " + std::to_string(columns.taps) + ", " +
                   std::to_string(columns.blocks) + "]");
  }
  columns.planes = in[0] * (in[1] / columns.taps);
  return columns;
}

/// Position `flat` of a row-major grid whose extents are chosen by `extent`, one index an axis.
template <class Extent>
void unravel(std::int64_t flat, const std::vector<WindowAxis>& axes, Extent extent, std::vector<std::int64_t>& index) {
  for (std::size_t i = axes.size(); i-- > 0;) {
    index[i] = flat % (axes[i].*extent);
    flat /= axes[i].*extent;
  }
}

void add_columns(const Columns& columns, const float* in, float* out) {
  std::int64_t pixels = 1;
  for (const WindowAxis& axis : columns.axes) pixels *= axis.in;
  std::fill_n(out, columns.planes * pixels, 0.0F);
  std::vector<std::int64_t> tap(columns.axes.size());
  std::vector<std::int64_t> block(columns.axes.size());
  for (std::int64_t p = 0; p < columns.planes; ++p, out += pixels) {
    for (std::int64_t t = 0; t < columns.taps; ++t) {
      unravel(t, columns.axes, &WindowAxis::kernel, tap);
      for (std::int64_t b = 0; b < columns.blocks; ++b, ++in) {
        unravel(b, columns.axes, &WindowAxis::out, block);
        std::int64_t offset = 0;
        bool inside = true;
        for (std::size_t i = 0; i < columns.axes.size(); ++i) {
          const WindowAxis& axis = columns.axes[i];
          const std::int64_t position = axis.start(block[i]) + tap[i] * axis.dilation;
          inside = inside && position >= 0 && position < axis.in;
          if (inside) offset = offset * axis.in + position;
        }
        if (inside) out[offset] += *in;
      }
    }
  }
}

}  // namespace

Result<Inferred> infer_center_crop_pad(const NodeArgs& args) {
  if (args.value(1) == nullptr) return Inferred::unknown();
  const auto wanted = extents_of(*args.value(1), "shape");
  if (!wanted.ok()) return wanted.error();
  Shape shape = args.shape(0);
  std::vector<std::int64_t> axes = args.attributes().get_ints("axes");
  if (!args.attributes().has("axes")) {
    for (int axis = 0; axis < shape.rank(); ++axis) axes.push_back(axis);
  }
  if (axes.size() != wanted->size()) {
    return invalid("shape has " + std::to_string(wanted->size()) + " values for " + std::to_string(axes.size()) +
                   " axes");
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = normalize_axis(axes[i], shape.rank());
    if (!axis.ok()) return axis.error();
    shape[*axis] = (*wanted)[i];
  }
  return vision::one_output({args.type(0).dtype, std::move(shape)});
}

Result<Prepared> lower_center_crop_pad(const LowerArgs& args) {
  const Shape& in = args.shape(0);
  const Shape& out = args.outputs[0].shape;
  std::vector<CenteredAxis> axes;
  for (int axis = 0; axis < in.rank(); ++axis) axes.push_back(centered(in[axis], out[axis]));
  return visit_dtype(args.type(0).dtype, [&]<class T>() -> Result<Prepared> {
    const auto run = [axes, in_strides = strides_of(in), out_strides = strides_of(out)](const KernelIo& io) {
      const auto all = io.outputs[0].values<T>();
      std::ranges::fill(all, T{});
      const bool empty = all.empty() || io.inputs[0].num_elements() == 0;
      if (!empty) copy_centered(axes, in_strides, out_strides, 0, io.inputs[0].data<T>(), all.data());
      return Result<void>();
    };
    return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
  });
}

Result<Inferred> infer_col2im(const NodeArgs& args) {
  if (auto is_float = vision::require_float(args, 0, "input"); !is_float.ok()) return is_float.error();
  if (auto ranked = vision::require_rank(args, 0, 3, "input"); !ranked.ok()) return ranked.error();
  if (args.value(1) == nullptr || args.value(2) == nullptr) return Inferred::unknown();
  const auto columns = columns_of(args);
  if (!columns.ok()) return columns.error();
  Shape shape{args.shape(0)[0], args.shape(0)[1] / columns->taps};
  for (const WindowAxis& axis : columns->axes) shape.push_back(axis.in);
  return vision::one_output({DType::kFloat32, std::move(shape)});
}

Result<Prepared> lower_col2im(const LowerArgs& args) {
  auto columns = columns_of(args);
  if (!columns.ok()) return columns.error();
  const auto shared = std::make_shared<const Columns>(*std::move(columns));
  const auto run = [shared](const KernelIo& io) -> Result<void> {
    add_columns(*shared, io.inputs[0].data<float>(), io.outputs[0].data<float>());
    return {};
  };
  return Prepared{.run = run, .scratch_bytes = 0, .clamps = false};
}

}  // namespace halfstep::ops
