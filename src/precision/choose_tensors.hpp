// choose_tensors.hpp: which tensors get an encoding, and what it comes from.
#pragma once

#include <string>
#include <vector>

#include "encoding/encoding_set.hpp"
#include "encoding/range_to_encoding.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"

namespace halfstep::precision {

/// What the encoding of an activation comes from.
enum class Source {
  kFloat,     ///< It has none: the tensor stays float, or is not real. Constants, too, are kFloat here.
  kObserved,  ///< Calibration.
  kFixed,     ///< The mathematics of the operator.
  kShared,    ///< Another tensor, possibly a constant.
  kFrozen,    ///< It came with one.
};

struct TensorChoice {
  Source source = Source::kFloat;
  graph::ValueId shared_with = graph::kNoValue;  ///< With kShared: a tensor that is not kShared itself.
  RealRange fixed_range = {};                    ///< With kFixed.
};

struct Choices {
  std::vector<TensorChoice> tensors;     ///< By ValueId.
  std::vector<graph::ValueId> observed;  ///< Those of kObserved: what calibration must look at.
};

/// Decides for every tensor of `graph`:
/// - outputs of operators that compute with an integer form are encoded, fixed or observed (after their clamp);
/// - operators that only move data, and add none beyond its range (ops::leaves_input_range), share their input's
/// encoding, and run in float where that has none;
/// - inputs of the graph, and outputs of float islands, are encoded if an operator that computes with an integer form
///   needs them (or any with integer form, in a graph that only moves data);
/// - Concat is observed at its output, and what nobody else reads takes that encoding (through data movement, too),
///   unless it is fixed or frozen;
/// - what `frozen` names keeps its encoding; data moved into a frozen tensor takes it where nobody else reads it;
/// - tensors that are not float, or whose type is unknown before running, stay as they are.
Choices choose_tensors(const graph::Graph& graph, const ops::Facts& facts, const EncodingSet& frozen = {});

}  // namespace halfstep::precision
