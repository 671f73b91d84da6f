// passes.hpp: functions from Graph to Graph that keep what the model computes.
//
// Every pass preserves the float outputs and is idempotent. Names survive: a
// graph output keeps its name, an activation that is still computed keeps the
// name it had in the user's model. A pinned value is never removed, bypassed or
// fused away, and a pinned constant is never changed. Each file states before,
// after, conditions and the formula. prepare.hpp runs them in the right order.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::passes {

/// What passes know besides the Graph.
struct PassContext {
  /// A concrete shape for each graph input; only what holds for every size of
  /// the symbolic dimensions is relied on.
  ops::InputShapes shapes;
  /// Folding one node may make the model grow by this much at most.
  std::int64_t max_growth_bytes = std::int64_t{64} << 20;
  /// Nothing is folded that would make all constants take more than this, or a pass more steps (ops::work_of()).
  /// prepare() lowers both to what fits the model's size.
  std::int64_t max_constant_bytes = std::numeric_limits<std::int64_t>::max();
  double max_folding_work = std::numeric_limits<double>::infinity();
  /// Told, in one line, what the user should know. May be empty.
  std::function<void(const std::string&)> note;
  /// Told that the first tensor goes on under the name of the second, a graph output that was a copy of it. May be
  /// empty.
  std::function<void(const std::string&, const std::string&)> renamed;
};

/// Inlines the branch of every If whose condition is known, first those known
/// for every size of the symbolic dimensions, then those known for
/// PassContext::shapes, with a note: the model is then bound to that branch.
/// Must come before any pass that renumbers values (see Graph::captures).
/// Errors: kUnsupported naming an If whose condition is not known, a Loop or a Scan.
Result<graph::Graph> resolve_if(graph::Graph graph, const PassContext& context);

/// Of all constants, without those of subgraphs.
std::int64_t constant_bytes(const graph::Graph& graph);

/// Nodes whose results are the same for every sample become constants.
Result<graph::Graph> fold_constants(graph::Graph graph, const PassContext& context);

/// Removes nodes that change nothing; merges chains of Transpose and Reshape.
Result<graph::Graph> remove_no_ops(graph::Graph graph, const PassContext& context);

/// Removes unused nodes and values, and repeated integer computations.
Result<graph::Graph> eliminate_common(graph::Graph graph, const PassContext& context);

/// Pad moves into the pads of the Conv, AveragePool or MaxPool behind it.
Result<graph::Graph> fuse_pad(graph::Graph graph, const PassContext& context);

/// ReduceMean, Sub, Pow, ... become one LayerNormalization; without the mean one RMSNormalization.
Result<graph::Graph> recognise_layer_norm(graph::Graph graph, const PassContext& context);

/// Formulas of activations become one operator: Sigmoid, Swish, Softplus, Gelu, HardSwish, LeakyRelu, PRelu, ...
Result<graph::Graph> recognise_functions(graph::Graph graph, const PassContext& context);

/// exp(x) / sum(exp(x)) and its logarithm become Softmax and LogSoftmax, with or without the subtracted maximum.
Result<graph::Graph> recognise_softmax(graph::Graph graph, const PassContext& context);

/// InstanceNormalization between Reshapes, and the scale and bias behind it, become one GroupNormalization.
Result<graph::Graph> recognise_group_norm(graph::Graph graph, const PassContext& context);

/// BatchNormalization moves into the Conv, ConvTranspose, Gemm or MatMul before or behind it.
Result<graph::Graph> fold_batch_norm(graph::Graph graph, const PassContext& context);

/// Mul, Div, Add and Sub by a constant per channel move into the producer's weights.
Result<graph::Graph> fold_scale_shift(graph::Graph graph, const PassContext& context);

/// MatMul of matrices, then Add of a constant vector, become one Gemm.
Result<graph::Graph> fuse_matmul_add(graph::Graph graph, const PassContext& context);

/// A Gemm's constant bias that is broadcast over its rows gets the shape [N].
Result<graph::Graph> spread_bias(graph::Graph graph, const PassContext& context);

/// Relu and Clip become Node::clamp of their producer.
Result<graph::Graph> fuse_clamp(graph::Graph graph, const PassContext& context);

}  // namespace halfstep::passes
