// resize_kernels.hpp: applies resize tables to data.
#pragma once

#include "ops/node_args.hpp"
#include "ops/window/resize_spec.hpp"

namespace halfstep::ops {

/// Selects elements of any type.
Prepared prepare_resize_nearest(const ResizeSpec& spec, DType dtype);

/// Linear and cubic interpolation, one axis after the other. Integer results
/// are rounded to nearest, ties to even, and saturate. Requires a numeric dtype.
Prepared prepare_resize_weighted(const ResizeSpec& spec, DType dtype);

}  // namespace halfstep::ops
