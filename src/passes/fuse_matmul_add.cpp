// fuse_matmul_add.cpp: a matrix product and its bias become one Gemm.
//
//   before:  z = MatMul(A, B) + c        A: [M, K], B: [K, N], c: constant [N]
//   after:   z = Gemm(A, B, c)
//
// Conditions: both operands are matrices, whatever the sizes of symbolic
// dimensions; the product has no other reader, is no graph output and not
// pinned. A batched MatMul keeps its Add. Pinned weights and biases stay as they are.
#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

bool fuse_matmul_add_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  if (!plain(node, "Add")) return false;
  for (const std::size_t i : {0U, 1U}) {
    const ValueId bias = input_of(node, i);
    const ValueId product = input_of(node, 1 - i);
    const Tensor* constant = graph::constant_of(edit.graph, bias);
    if (constant == nullptr || constant->shape().rank() != 1 || !edit.is_private(product)) continue;
    const NodeId matmul = edit.producer_of_type(product, "MatMul");
    if (matmul == kNoNode) continue;
    const TensorType* a = type_of(facts, edit.node(matmul).inputs[0]);
    const TensorType* b = type_of(facts, edit.node(matmul).inputs[1]);
    if (a == nullptr || b == nullptr || a->shape.rank() != 2 || b->shape.rank() != 2) continue;
    if (a->dtype != DType::kFloat32 || constant->shape()[0] != b->shape[1]) continue;
    Node gemm = edit.node(matmul);
    gemm.op_type = "Gemm";
    gemm.inputs.push_back(bias);
    if (gemm.statistics) {
      for (std::size_t c = 0; c < gemm.statistics->mean.size(); ++c) {
        gemm.statistics->mean[c] += constant->data<float>()[c];
      }
    }
    const std::string name = gemm.name;
    const NodeId both[] = {matmul, n};
    replace_nodes(edit, both, std::move(gemm));
    edit.node(n).name = name;
    return true;
  }
  return false;
}

}  // namespace

Result<graph::Graph> fuse_matmul_add(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, fuse_matmul_add_at);
}

}  // namespace halfstep::passes
