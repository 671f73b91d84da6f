// spread_bias.cpp: the bias of a Gemm gets one element for each output channel.
//
//   before:  y = Gemm(A, B, c)    c: constant of shape [], [1], [1, 1] or [1, N]
//   after:   y = Gemm(A, B, b)    b: constant [N], every element that of c which was broadcast to it
//
// so that an integer bias can have the scale of its channel, s_a * s_b[n]: runtimes add its integers to the
// accumulators as they are. A bias that differs from row to row ([M, 1], [M, N] with M > 1) stays as it is.
// Conditions: N is known for every size of the symbolic dimensions; c is float32 and not pinned.
#include <vector>

#include "passes/edit.hpp"
#include "passes/passes.hpp"

namespace halfstep::passes {
namespace {

using graph::Node;
using graph::NodeId;
using graph::ValueId;

bool spread_bias_at(Edit& edit, NodeId n, const ops::Facts& facts) {
  const Node& node = edit.node(n);
  if (node.op_type != "Gemm" || !node.domain.empty()) return false;
  const ValueId bias = input_of(node, 2);
  const Tensor* constant = free_constant(edit.graph, bias);
  const TensorType* b = type_of(facts, input_of(node, 1));
  if (constant == nullptr || b == nullptr || b->shape.rank() != 2) return false;
  const std::int64_t channels = b->shape[node.attributes.get_int("transB", 0) != 0 ? 0 : 1];
  const std::int64_t count = constant->num_elements();
  if (channels < 1 || (count != 1 && count != channels)) return false;
  const Shape& shape = constant->shape();
  if (shape == Shape{channels}) return false;
  // [N, 1] with N rows has as many elements, but one for each row.
  if (count > 1 && shape[shape.rank() - 1] != channels) return false;
  std::vector<float> spread(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < spread.size(); ++i) spread[i] = constant->data<float>()[count == 1 ? 0 : i];
  set_constant_input(edit, n, 2, Tensor::of<float>(Shape{channels}, std::span<const float>(spread)),
                     edit.graph.value(bias).name + "_spread");
  edit.refresh();
  return true;
}

}  // namespace

Result<graph::Graph> spread_bias(graph::Graph graph, const PassContext& context) {
  return rewrite(std::move(graph), context, spread_bias_at);
}

}  // namespace halfstep::passes
