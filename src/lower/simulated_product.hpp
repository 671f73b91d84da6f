// simulated_product.hpp: products of encoded operands, imitated in float without losing bits.
//
// A float32 sum of products of real values errs in its last bits, and where it
// lies next to a tie that moves a code by one step, which deep networks
// amplify. So a simulated Program sums the integers (q_x - z_x)(q_w - z_w), held as
// float32: exact as long as sums stay below 2^24. The scale comes last, in double.
#pragma once

#include <optional>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "lower/float_steps.hpp"
#include "numerics/fixed_point.hpp"
#include "ops/node_args.hpp"

namespace halfstep::lower {

/// A kernel with the operands of `node` that writes output 0 on its grid, clamp
/// included, docs/numerics.md (Q3), halves by `rounding`. Empty if the node is no product of an input
/// with one grid and a constant weight with codes, or its output has no grid.
/// Requires: steps.all_typed(node).
/// Errors: those of the operator's lower_float.
Result<std::optional<ops::Prepared>> simulated_product(const ops::OpDef& op, const graph::Node& node, FloatSteps& steps,
                                                       numerics::Rounding rounding);

}  // namespace halfstep::lower
