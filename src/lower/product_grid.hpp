// product_grid.hpp: the grid of the accumulators of a product of input and weight.
#pragma once

#include <optional>

#include "encoding/encoding.hpp"
#include "lower/float_steps.hpp"
#include "ops/node_args.hpp"

namespace halfstep::lower {

/// The grid a 32-bit accumulator of `node` counts on: scale s_x * s_w[c], zero point 0. For a product whose
/// output nobody encoded: its accumulators become real numbers without another rounding. `x`: the grid of
/// operand 0, or nullptr. Empty if `node` is no product of codes and constant weights with codes.
/// Requires: steps.all_typed(node).
std::optional<Encoding> accumulator_grid(const ops::OpDef& op, const graph::Node& node, const Encoding* x,
                                         const FloatSteps& steps);

}  // namespace halfstep::lower
