// product_grid.hpp: where the output channels of a product of input and weight lie, and the grid of its accumulators.
#pragma once

#include <optional>

#include "encoding/encoding.hpp"
#include "lower/float_steps.hpp"
#include "ops/op_def.hpp"

namespace halfstep::lower {

/// The output's axis of channels: 1 for convolutions, whose weights have spatial axes, the last for matrix products.
int output_channel_axis(const ops::OpDef& op, const Shape& weight, const Shape& output);

/// The grid a 32-bit accumulator of `node` counts on: scale s_x * s_w[c], zero point 0. For a product whose
/// output nobody encoded: its accumulators become real numbers without another rounding. `x`: the grid of
/// operand 0, or nullptr. Empty if `node` is no product of codes and constant weights with codes.
/// Requires: steps.all_typed(node).
std::optional<Encoding> accumulator_grid(const ops::OpDef& op, const graph::Node& node, const Encoding* x,
                                         const FloatSteps& steps);

}  // namespace halfstep::lower
