// fixed_moves.hpp: operators that move or select values, applied to codes.
#pragma once

#include <vector>

#include "encoding/encoding.hpp"
#include "lower/float_steps.hpp"
#include "ops/node_args.hpp"

namespace halfstep::lower {

/// True if the operator's outputs hold values of its input (or inputs) on the same grid.
bool moves_codes(const ops::OpDef& op, const graph::Node& node);

/// A node prepared to run on codes of one grid.
struct CodeMove {
  ops::Prepared prepared;
  std::vector<TensorType> outputs;
  /// By operand: a constant to read instead of the node's own (the padding value as a code), or empty.
  std::vector<std::optional<Tensor>> replaced_operands;
};

/// The node's float kernel asked to work on codes: operands in `on_codes` have the
/// storage type of `grid`, everything else keeps its type. Padding is the code of the padding value.
/// Requires: steps.all_typed(node).
/// Errors: kUnsupported if the operator takes no such type, or `grid` is per channel and channels would mix.
Result<CodeMove> prepare_code_move(const ops::OpDef& op, const graph::Node& node, FloatSteps& steps,
                                   const Encoding& grid, const std::vector<bool>& on_codes);

}  // namespace halfstep::lower
