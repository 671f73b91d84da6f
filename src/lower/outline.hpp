// outline.hpp: the order in which every lowering visits a graph.
#pragma once

#include <string>
#include <vector>

#include "core/memory_budget.hpp"
#include "core/text.hpp"
#include "graph/graph.hpp"
#include "halfstep/result.hpp"
#include "lower/program_builder.hpp"
#include "ops/node_args.hpp"

namespace halfstep::lower {

/// Inputs, then each node that a result needs, in the graph's order, then the outputs. `Stages` has
///   Result<SlotId> lower_input(ValueId, const std::string& label)
///   Result<void> lower_node(const ops::OpDef&, NodeId)      operands are complete; must make the outputs so
///   Result<SlotId> output_slot(ValueId)                     where the finished value can be read
/// In  x -> Conv -> c -> Relu -> y  that is: input x, node Conv (c complete), node Relu (y complete), output y.
/// Errors: those of the stages, the node named; kUnsupported for an operator that the table does not have.
template <class Stages>
Result<Program> lower_graph(const graph::Graph& graph, const std::vector<bool>& node_needed, ProgramBuilder& builder,
                            Stages& stages) {
  std::vector<SlotId> inputs;
  for (const graph::GraphInput& input : graph.inputs) {
    Result<SlotId> slot = stages.lower_input(input.value, "input " + quoted(graph.value(input.value).name));
    if (!slot.ok()) return slot.error();
    inputs.push_back(*slot);
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!node_needed[n]) continue;
    const graph::Node& node = graph.nodes[n];
    const ops::OpDef* op = ops::find_op(node);
    if (op == nullptr) {
      return Error{ErrorCode::kUnsupported, "operator is not supported (opset " + std::to_string(node.file_opset) + ")"}
          .at(graph::describe(graph, node));
    }
    const auto lower = [&] { return stages.lower_node(*op, static_cast<graph::NodeId>(n)); };
    if (Result<void> lowered = unless_out_of_memory(lower); !lowered.ok()) {
      return lowered.error().at(graph::describe(graph, node));
    }
  }
  std::vector<SlotId> outputs;
  for (const graph::GraphOutput& output : graph.outputs) {
    Result<SlotId> slot = stages.output_slot(output.value);
    if (!slot.ok()) return slot.error();
    outputs.push_back(*slot);
  }
  return builder.finish(std::move(inputs), std::move(outputs));
}

}  // namespace halfstep::lower
