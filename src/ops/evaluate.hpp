// evaluate.hpp: one node on known operands, outside any Program.
#pragma once

#include <vector>

#include "core/tensor.hpp"
#include "halfstep/result.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// op.infer(args) with what it requires and promises checked: operands that are there, as many outputs as the node
/// wants, each of an acceptable size.
Result<Inferred> checked_infer(const OpDef& op, const NodeArgs& args);

/// Lowers and runs a node whose operands are all known; Node::clamp included.
/// `inferred` is what checked_infer() returned for `args`. Unwanted outputs are
/// empty tensors.
Result<std::vector<Tensor>> run_with_known_operands(const OpDef& op, const NodeArgs& args, const Inferred& inferred);

/// infer, lower and run. `operands` as Node::inputs, nullptr for absent ones.
/// Errors do not name the node.
Result<std::vector<Tensor>> evaluate(const graph::Node& node, const std::vector<const Tensor*>& operands);

/// The kernel of Node::clamp, for operators that do not apply it themselves:
/// float32, in place (input 0 and output 0 are the same storage).
Kernel clamp_kernel(const graph::FusedClamp& clamp);

/// op.lower_float(). Float kernels that clamp know one pair of bounds: with bounds for each channel the prepared kernel
/// says that it does not clamp, and clamp_kernel() follows.
Result<Prepared> prepare_float(const OpDef& op, const LowerArgs& args);

}  // namespace halfstep::ops
