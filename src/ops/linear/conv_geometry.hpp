// conv_geometry.hpp: the attributes Conv and ConvTranspose share, checked and completed.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "kernels/im2col.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// A convolution over one to three spatial axes, held as three: missing leading
/// axes have extent 1.
struct ConvGeometry {
  int num_axes = 0;  ///< Spatial axes of the operands: 1 to 3.
  std::int64_t batch = 0;
  std::int64_t in_channels = 0;   ///< Of all groups together.
  std::int64_t out_channels = 0;  ///< Of all groups together.
  std::int64_t groups = 1;
  std::array<std::int64_t, 3> in = {1, 1, 1};
  std::array<std::int64_t, 3> out = {1, 1, 1};
  std::array<std::int64_t, 3> kernel = {1, 1, 1};
  std::array<std::int64_t, 3> stride = {1, 1, 1};
  std::array<std::int64_t, 3> dilation = {1, 1, 1};
  /// Before the first element: of the input in a Conv, of the output in a ConvTranspose.
  std::array<std::int64_t, 3> pad = {0, 0, 0};

  std::int64_t in_size() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_size() const { return out[0] * out[1] * out[2]; }
  std::int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }

  /// [batch, out_channels, spatial...], as many spatial axes as the operands have.
  Shape output_shape() const;
};

/// Errors: kInvalidInput if operands or attributes do not fit; kUnsupported for
/// more than three spatial axes.
Result<ConvGeometry> conv_geometry(const NodeArgs& args);
Result<ConvGeometry> conv_transpose_geometry(const NodeArgs& args);

/// The node's clamp, or one without bounds.
struct ClampBounds {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();
};
ClampBounds clamp_bounds(const graph::Node& node);

/// How many columns of `column_floats` floats to lay out at a time, of `num_columns`:
/// as many as fit a second-level cache, but enough to make a product worthwhile.
std::int64_t tile_columns(std::int64_t num_columns, std::int64_t column_floats);

/// ConvTranspose, registered by conv_ops().
Result<Inferred> infer_conv_transpose(const NodeArgs& args);
Result<Prepared> lower_conv_transpose(const LowerArgs& args);

}  // namespace halfstep::ops
