// import_matmul_nbits.hpp: ONNX Runtime's product of packed weights, taken apart.
#pragma once

#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::passes {

/// Makes of each MatMulNBits what it stands for, in operators that import_qdq() reads:
///   before:  y = MatMulNBits(x, B, s, z)            B packed, [N, blocks, block_size * bits / 8]
///   after:   y = MatMul(x, DequantizeLinear(w, s, z))    w [K, N] of 4 or 8 bits, block_size along axis 0
/// and an Add behind it for its bias. Exactness: (E1) on the same codes; the order of sums is not said by either.
/// Errors: kInvalidInput, the node named, for operands that do not fit its attributes; kUnsupported for other widths,
/// scales that are not float32, zero points that are not packed integers, g_idx and computed weights.
Result<graph::Graph> import_matmul_nbits(graph::Graph graph);

}  // namespace halfstep::passes
