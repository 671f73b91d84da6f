// infer_graph.hpp: what can be said of every tensor before any sample is run.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"

namespace halfstep::ops {

/// A shape for each graph input, by name. Inputs whose declared dims are all
/// fixed may be left out.
using InputShapes = std::map<std::string, Shape, std::less<>>;

/// What is known of one value.
struct Fact {
  std::optional<TensorType> type;  ///< Empty: depends on data.
  std::optional<Tensor> value;     ///< Set: the same for every sample (constants, folded shapes).
};

/// By ValueId.
using Facts = std::vector<Fact>;

/// Types and known values of all tensors when the inputs have `shapes`. Values
/// of small results of known operands are computed on the way.
/// Errors: kUnsupported for an unknown operator (names node, operator, opset);
/// kInvalidInput for operands that do not fit, or an input without a shape.
Result<Facts> infer_facts(const graph::Graph& graph, const InputShapes& shapes);

/// What a pass may rely on whatever sizes the symbolic dimensions take: facts
/// under `shapes` that are the same when every symbolic dimension is doubled.
/// An extent that changes is -1 in the returned types; a type that changes more
/// than that is empty; a value that changes is empty.
Result<Facts> infer_invariant_facts(const graph::Graph& graph, const InputShapes& shapes);

/// Runs one node on known operands.
/// Errors: as infer_facts, with the node named; kInvalidInput on data errors.
Result<std::vector<Tensor>> evaluate_node(const graph::Graph& graph, const graph::Node& node,
                                          const std::vector<const Tensor*>& operands);

}  // namespace halfstep::ops
