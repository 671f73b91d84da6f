// qoperator_nodes.hpp: the float operator behind each operator of the QOperator format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "passes/qoperator_form.hpp"
#include "passes/qoperator_names.hpp"

namespace halfstep::passes {

/// A node of the default domain that bears the name of `node`. Outputs and attributes are empty.
graph::Node made_from(const graph::Node& node, std::string op_type, std::vector<graph::ValueId> inputs);

/// What `node` computes on the real `inputs`, in canonical form. The last node's outputs are left to the caller.
/// Errors: kUnsupported for the channels-last layout; kInvalidInput for attributes that make no sense.
Result<std::vector<graph::Node>> float_nodes_of(graph::Graph& graph, RealNames& names, const graph::Node& node,
                                                const QOperatorForm& form, std::vector<graph::ValueId> inputs);

/// The axis, counted from the end where it depends on the rank, that several
/// scales of operand `codes` run along.
/// Errors: kUnsupported where operand and scale have no such axis.
Result<std::int64_t> channel_axis_of(const graph::Graph& graph, const graph::Node& node, std::size_t codes);

/// The type of output 0 of a node that is none of the format, as far as it
/// shows; `input` is that of its input 0. Reals are float32.
std::optional<DType> type_behind(const graph::Graph& graph, const graph::Node& node, std::optional<DType> input);

/// `count` copies of the only element, as a vector.
Tensor repeated(const Tensor& single, std::int64_t count);

/// The same elements as a vector.
Tensor as_vector(const Tensor& tensor);

}  // namespace halfstep::passes
