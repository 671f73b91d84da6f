// resize_int.hpp: linear interpolation of codes.
//
// An output position along a resized axis takes two neighbours with integer weights in units of 2^-15:
//
//   w_1 = floor(fraction * 2^15 + 1/2),    w_0 = 2^15 - w_1
//
// Along K resized axes, one after the other and without rounding in between,
//
//   acc = sum of (product of weights) * (q_x - z_x)                              (exact)
//   q_y = clamp(z_y + round(acc * factor), q_min, q_max),    factor = s_x / (s_y * 2^(15 K))
//
// One rounding, on a 64-bit accumulator, halves by the arithmetic's rule (q31_double as halves up). Weights are >= 0
// and add up to 2^(15 K): |acc| <= max |q - z| * 2^(15 K) < 2^61 for K <= 3. After the first axis sums are below 2^31,
// because 65535 * 2^15 is. Each weight errs by at most 2^-16, so before the rounding a value is off by at most K *
// 2^-16 * (largest
// - smallest neighbour) * s_x / s_y. Equal neighbours on equal grids give their own code.
#pragma once

#include <cstdint>
#include <vector>

#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"
#include "ops/window/resize_plan.hpp"

namespace halfstep::ops {

inline constexpr int kResizeWeightBits = 15;
inline constexpr std::size_t kMaxLinearAxes = 3;

/// One axis: [outer, in, inner] becomes [outer, out, inner].
struct IntPass {
  std::int64_t outer = 1;
  std::int64_t in = 1;
  std::int64_t out = 1;
  std::int64_t inner = 1;
  std::vector<std::int64_t> indices;  ///< Two an output position.
  std::vector<std::int32_t> weights;  ///< Two an output position; each pair adds up to 2^15.
};

struct IntLinearPlan {
  DType x_dtype = DType::kInt8;
  DType y_dtype = DType::kInt8;
  std::int64_t slices = 1;  ///< Product of the dimensions before the first resized one.
  std::int64_t in_slice = 1;
  std::int64_t out_slice = 1;
  std::int64_t widest_slice = 1;  ///< Of the output and everything in between.
  std::vector<IntPass> passes;    ///< At most kMaxLinearAxes.
  std::int32_t x_zero_point = 0;
  numerics::Requantizer requantizer;
  std::vector<OutsideSlices> outside;
  std::int32_t outside_code = 0;
};

Prepared prepare_int_linear(IntLinearPlan plan);

/// What changes the grid of codes before they are selected.
struct RequantizeCodes {
  std::int32_t x_zero_point = 0;
  numerics::Requantizer requantizer;
};

/// Runs `select`, which moves codes of type `y`, on the input's codes after q_y = requantize(q_x - z_x):
/// nearest interpolation between two grids. `x` and `y` are the types of the codes in the input's shape.
Prepared prepare_requantized(TensorType x, TensorType y, const RequantizeCodes& change, Prepared select);

}  // namespace halfstep::ops
