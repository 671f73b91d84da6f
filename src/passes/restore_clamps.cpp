// restore_clamps.cpp: what saturation of an imported grid does becomes a node of the float graph.
//
//   before:  y = Conv(x, W), y on a grid from 0 to 4.7       after:  m = Conv(x, W); y = Relu(m)
//   before:  y = Add(a, b), y on a grid from 0 to 6          after:  m = Add(a, b); y = Clip(m, 0, 6)
//
// Conditions: the operator table says that the node has an integer form and a range of its own, and more than one
// operand that counts (weights, a second addend, parameters of a normalization): functions of one number such as Abs
// and Exp have grids from 0 by themselves. A grid that ends at 6 by chance clips there anyway.
#include "passes/restore_clamps.hpp"

#include <algorithm>

#include "ops/op_def.hpp"
#include "passes/edit.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

constexpr double kRelu6 = 6.0;

/// Every channel's smallest code stands for 0.
bool begins_at_zero(const Encoding& encoding) {
  return std::ranges::all_of(encoding.params(),
                             [&](const QuantParams& p) { return p.zero_point == encoding.grid().q_min; });
}

bool ends_at_six(const Encoding& encoding) {
  for (std::size_t c = 0; c < encoding.params().size(); ++c) {
    if (!nearly(encoding.real_max(c), kRelu6)) return false;
  }
  return true;
}

bool combines_operands(const Node& node) {
  const ops::OpDef* op = ops::find_op(node);
  if (op == nullptr || !op->has_integer_form || op->output_rule != ops::OutputRule::kObserved) return false;
  return op->operands.find(ops::OperandRole::kWeight) || op->operands.find(ops::OperandRole::kParameter) ||
         op->operands[1] == ops::OperandRole::kData;
}

/// Puts a clamp of the range of `encoding` between node `n` and its output 0.
void insert_clamp(Graph& graph, NodeId n, const Encoding& encoding) {
  const ValueId y = graph.node(n).outputs[0];
  const std::string name = graph.value(y).name;
  const bool is_six = ends_at_six(encoding);
  Node clamp;
  clamp.op_type = is_six ? "Clip" : "Relu";
  clamp.name = name + "_" + clamp.op_type;
  clamp.file_opset = graph.opset;
  const ValueId before = graph::add_value(graph, name + "_unclamped");
  clamp.inputs = {before};
  clamp.outputs = {y};
  if (is_six) {
    clamp.inputs.push_back(graph::add_constant(graph, name + "_low", Tensor::of<float>({}, {0.0F})));
    clamp.inputs.push_back(
        graph::add_constant(graph, name + "_high", Tensor::of<float>({}, {static_cast<float>(kRelu6)})));
  }
  graph.node(n).outputs[0] = before;
  graph.nodes.insert(graph.nodes.begin() + n + 1, std::move(clamp));
}

}  // namespace

ImportedQdq restore_clamps(ImportedQdq imported) {
  Graph& graph = imported.graph;
  std::size_t num_restored = 0;
  std::string example;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!combines_operands(node) || !only_first_output(node) || node.outputs.empty()) continue;
    const TensorEncoding* entry = find_encoding(imported.encodings, graph.value(node.outputs[0]).name);
    if (entry == nullptr || !begins_at_zero(entry->encoding)) continue;
    if (num_restored++ == 0) example = graph::describe(graph, node);
    insert_clamp(graph, static_cast<NodeId>(n), entry->encoding);
  }
  if (num_restored > 0) {
    imported.notes.push_back("grids behind " + std::to_string(num_restored) + (num_restored == 1 ? " node" : " nodes") +
                             ", such as " + example +
                             ", begin at 0: the Relu or Clip that their quantizer left to saturation is restored");
  }
  return imported;
}

}  // namespace halfstep::passes
