// operands.hpp: what part each operand of a node plays when the node runs on integers.
#pragma once

#include <cstddef>
#include <optional>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "ops/op_def.hpp"

namespace halfstep::precision {

enum class OperandKind {
  kPlain,   ///< Not on a grid: indices, shapes, Clip bounds, normalization parameters, operands of float islands.
  kData,    ///< On a grid like an activation: input 0, both sides of Add, slopes of PRelu.
  kWeight,  ///< Constant; may be per channel.
  kBias,    ///< Constant; added to the accumulator.
};

/// The kind of operand `index` of `node`. Looks at the operator only, not at types.
OperandKind operand_kind(const graph::Graph& graph, const graph::Node& node, std::size_t index);

/// The axis along which the node's kWeight has output channels. Empty if there is no weight, or no such axis.
std::optional<int> weight_axis(const graph::Graph& graph, const graph::Node& node);

/// The operand that is the node's kWeight or kBias; kNoValue if there is none.
graph::ValueId weight_of(const graph::Graph& graph, const graph::Node& node);
graph::ValueId bias_of(const graph::Graph& graph, const graph::Node& node);

/// `value` holds float32 for every sample, as far as is known before running.
bool is_float(const ops::Facts& facts, graph::ValueId value);

/// `node` has an integer form, and computes float32 from float32.
bool is_integer_node(const graph::Node& node, const ops::Facts& facts);

}  // namespace halfstep::precision
