// operands.hpp: what part each operand of a node plays, by the operator's row and by what is constant.
#pragma once

#include <cstddef>
#include <optional>

#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "ops/node_args.hpp"
#include "ops/operand_roles.hpp"

namespace halfstep::ops {

/// The role of operand `index` in this graph: that of the operator's row where the operator has an integer form; a
/// weight or bias that is not constant is data. kPlain also for absent operands and constants that are not float32.
OperandRole operand_role(const graph::Graph& graph, const graph::Node& node, std::size_t index);

/// The axis of a linear node's weight with one slice for each output channel. Empty if there is none: a vector, or
/// groups that share each slice (output channel g * (M / group) + m of a grouped ConvTranspose).
std::optional<int> weight_channel_axis(const OpDef& op, const graph::Node& node, const Shape& weight);

/// The same for the node's constant weight. Empty also if it has none.
std::optional<int> weight_axis(const graph::Graph& graph, const graph::Node& node);

/// The axis of a linear operator's output that runs over its channels.
int output_channel_axis(const OpDef& op, int output_rank);

/// The node's constant weight or bias; kNoValue if there is none.
graph::ValueId weight_of(const graph::Graph& graph, const graph::Node& node);
graph::ValueId bias_of(const graph::Graph& graph, const graph::Node& node);

/// The value that fills what input 0 leaves open in output 0 (Pad); empty if there is none, or it is not known yet.
std::optional<double> known_fill(const graph::Graph& graph, const graph::Node& node, const Facts& facts);

/// Output 0 of a node under kSameAsInput may hold values beyond the range of its input and 0: a cubic Resize
/// overshoots, Pad adds a value of its own. Such an output needs a range of its own. A fill that is not known yet may
/// be anything.
bool leaves_input_range(const graph::Graph& graph, const graph::Node& node, const Facts& facts);

/// `value` holds float32 for every sample, as far as is known before running.
bool is_float(const Facts& facts, graph::ValueId value);

/// `node` has an integer form, and computes float32 from float32.
bool is_integer_node(const graph::Node& node, const Facts& facts);

/// The node that alone reads the output of node `n` and computes each element from that element, as Swish and Sigmoid
/// do; kNoNode if there is none. What it makes of a layer's output is what counts: far below 0 Swish makes all one.
graph::NodeId activation_behind(const graph::Graph& graph, const graph::Links& links, const Facts& facts,
                                graph::NodeId n);

}  // namespace halfstep::ops
