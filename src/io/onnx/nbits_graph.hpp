// nbits_graph.hpp: products of 4-bit weights in blocks as one operator of ONNX Runtime.
#pragma once

#include "encoding/encoding_set.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Each MatMul, and each Gemm without alpha, beta and transA, whose weight has codes of 4 bits on a grid for each block
/// of its input axis becomes com.microsoft's MatMulNBits, with an Add behind it for the bias of a Gemm. Its weight and
/// scales are operands of the operator; encodings of weights that nobody else reads no longer apply.
///   B [N, blocks, block_size / 2] uint8, low half first;  scales [N * blocks];  zero points [N * ceil(blocks / 2)]
/// Errors: kUsage if there is no such node.
/// Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.MatMulNBits.
Result<graph::Graph> use_matmul_nbits(graph::Graph graph, const EncodingSet& encodings);

}  // namespace halfstep::io
