// plan.hpp: what is decided about every tensor of a graph before any data is looked at.
//
// choose_tensors() writes the plan from the graph, the options and what came with the model; assign_encodings() carries
// it out. Whatever steers precision (overrides, targets, mixed precision) changes entries between the two.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "calib/range_estimators.hpp"
#include "encoding/range_to_encoding.hpp"
#include "graph/graph.hpp"
#include "ops/infer_graph.hpp"
#include "ops/operand_roles.hpp"

namespace halfstep::precision {

/// What decides the grid of a tensor.
enum class Source {
  kFloat,     ///< It has none: graph::Value::format says which real numbers.
  kObserved,  ///< The range that calibration sees.
  kFixed,     ///< The mathematics of the operator.
  kShared,    ///< Another tensor, possibly a constant.
  kConstant,  ///< Its own values: weights, constant data, biases of 8 bits.
  kDerived,   ///< Input scale times weight scale: biases of 32 bits (E6).
  kImported,  ///< It came with one, in the model or in a file of overrides.
};

/// The decision about one tensor. Fields that its source does not name keep their defaults.
struct TensorPlan {
  Source source = Source::kFloat;
  GridRequest grid = {};                                 ///< kObserved, kFixed, kConstant, kDerived.
  RangeRule rule = {};                                   ///< kObserved, kConstant.
  std::optional<int> axis = std::nullopt;                ///< kObserved, kConstant: one grid for each slice along it.
  std::optional<int> block_axis = std::nullopt;          ///< kConstant: one grid for each block along it; then no axis.
  std::int64_t block_size = 0;                           ///< Of the blocks.
  std::vector<graph::ValueId> joined = {};               ///< kObserved: others whose values count for the grid, too.
  graph::ValueId shared_with = graph::kNoValue;          ///< kShared. Of activations never a shared one itself.
  RealRange fixed_range = {};                            ///< kFixed.
  graph::NodeId node = graph::kNoNode;                   ///< Biases: the linear node that adds it.
  ops::OperandRole role = ops::OperandRole::kData;       ///< Of constants: what they are to their reader.
  std::optional<graph::RealFormat> real = std::nullopt;  ///< An order asks for real numbers.
  std::optional<int> asked_bits = std::nullopt;          ///< An order asks for this width.
  std::vector<std::string> orders = {};                  ///< What was asked of it, one line each, the strongest last.
  std::string why = {};                                  ///< The rule that decided: "computed by node 'c' (Conv)".
};

struct Plan {
  std::vector<TensorPlan> tensors;  ///< By ValueId, constants included.
  bool trim_flat = false;     ///< Grids need not reach where their only readers, functions such as Swish, are flat.
  bool align_inputs = false;  ///< align_inputs() shall look at it: it needs histograms of addends and the like.

  const TensorPlan& of(graph::ValueId id) const { return tensors[static_cast<std::size_t>(id)]; }
  TensorPlan& of(graph::ValueId id) { return tensors[static_cast<std::size_t>(id)]; }
};

/// What calibration must look at, in the order of values: the tensors of kObserved with what their rules read, the rows
/// of what Softmax reads (value_floors()), and what find_losses() judges: addends, divisors, inputs of Concat.
std::vector<calib::Watch> watches_of(const graph::Graph& graph, const ops::Facts& facts, const Plan& plan);

}  // namespace halfstep::precision
