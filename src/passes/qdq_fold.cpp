// qdq_fold.cpp: what leads from constants alone to an operand of a Q, a DQ or a QOperator node is computed.
//
//   before:  s = Div(max, 127), y = QuantizeLinear(x, s)
//   after:   s is a constant
//
// Codes and weights on their way may be moved and cast; scales and zero points
// may be computed in any way. A Q of a constant whose integers are clipped next
// (PyTorch's fake quantization with a narrowed grid) is computed, too.
#include <algorithm>
#include <array>
#include <string_view>

#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"
#include "passes/qdq_import.hpp"
#include "passes/qoperator_form.hpp"

namespace halfstep::passes {
namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// A computed scale or zero point is never larger: one number a channel.
constexpr std::int64_t kMaxParameterBytes = std::int64_t{1} << 24;

/// What a value that leads to an operand may be computed by.
enum class Wanted { kNot, kAsCodes, kAsParameter };

/// Tools put these between a stored constant and its Q or DQ.
bool moves_constants(const Node& node) {
  constexpr std::array<std::string_view, 8> kTypes = {"Identity",  "Transpose", "Reshape", "Squeeze",
                                                      "Unsqueeze", "Flatten",   "Cast",    "Clip"};
  return std::ranges::any_of(kTypes, [&](std::string_view type) { return plain(node, type); }) &&
         only_first_output(node) && ops::find_op(node) != nullptr;
}

bool computes_parameters(const Node& node) {
  const ops::OpDef* op = ops::find_op(node);
  return op != nullptr && !op->nondeterministic && only_first_output(node) && !node.inputs.empty();
}

/// A Q whose integers are clipped before anything else reads them.
bool is_clipped(const Edit& edit, const Node& node) {
  if (!is_quantize(node)) return false;
  const NodeId reader = edit.links.single_consumer(node.outputs[0]);
  return reader != kNoNode && plain(edit.node(reader), "Clip");
}

/// By ValueId: what leads to an operand, walking from the operands up.
std::vector<Wanted> wanted_values(const Graph& graph) {
  std::vector<Wanted> wanted(graph.values.size(), Wanted::kNot);
  const auto want = [&](ValueId id, Wanted how) {
    if (id != kNoValue) wanted[index(id)] = std::max(wanted[index(id)], how);
  };
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    const bool reads_codes = is_quantize(node) || is_dequantize(node) || find_qoperator_form(node) != nullptr;
    const Wanted output =
        node.outputs.empty() || node.outputs[0] == kNoValue ? Wanted::kNot : wanted[index(node.outputs[0])];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (reads_codes) want(node.inputs[i], is_grid_parameter(node, i) ? Wanted::kAsParameter : Wanted::kAsCodes);
      const bool follows = output == Wanted::kAsParameter ? computes_parameters(node) : moves_constants(node);
      if (output != Wanted::kNot && follows) want(node.inputs[i], output);
    }
  }
  return wanted;
}

/// The result of a node on known operands; empty where it is too large for what it is.
Result<std::optional<Tensor>> computed(const Edit& edit, const Node& node, Wanted wanted,
                                       const std::vector<const Tensor*>& operands) {
  if (wanted == Wanted::kAsParameter) {
    std::vector<const TensorType*> types;
    for (const Tensor* operand : operands) types.push_back(operand == nullptr ? nullptr : &operand->type());
    const ops::NodeArgs args{node, types, operands};
    const Result<ops::Inferred> inferred = ops::checked_infer(*ops::find_op(node), args);
    // What does not fit is reported where the model is checked as a whole.
    if (!inferred.ok() || inferred->outputs.empty()) return std::optional<Tensor>();
    if (inferred->outputs[0].num_bytes() > kMaxParameterBytes) return std::optional<Tensor>();
  }
  Result<std::vector<Tensor>> result = ops::evaluate_node(edit.graph, node, operands);
  if (!result.ok()) return result.error();
  return std::optional(std::move(result->front()));
}

}  // namespace

Result<Graph> fold_qdq_operands(Graph graph) {
  const std::vector<Wanted> wanted = wanted_values(graph);
  Edit edit(std::move(graph));
  for (std::size_t n = 0; n < edit.graph.nodes.size(); ++n) {
    const Node& node = edit.graph.nodes[n];
    if (node.outputs.empty() || node.outputs[0] == kNoValue || edit.links.is_output[index(node.outputs[0])]) continue;
    const Wanted how = wanted[index(node.outputs[0])];
    if (how == Wanted::kNot) continue;
    const bool may_fold = how == Wanted::kAsParameter ? computes_parameters(node) : moves_constants(node);
    if (!may_fold && !is_clipped(edit, node)) continue;
    std::vector<const Tensor*> operands;
    bool known = true;
    for (ValueId id : node.inputs) {
      operands.push_back(graph::constant_of(edit.graph, id));
      known = known && (id == kNoValue || operands.back() != nullptr);
    }
    if (!known || operands.empty() || operands[0] == nullptr) continue;
    Result<std::optional<Tensor>> result = computed(edit, node, how, operands);
    if (!result.ok()) return result.error();
    if (!*result) continue;
    graph::Value& value = edit.graph.value(node.outputs[0]);
    value.constant = *std::move(*result);
    const int narrow_bits = edit.graph.value(node.inputs[0]).narrow_bits;
    value.narrow_bits = value.constant->dtype() == operands[0]->dtype() ? narrow_bits : 0;
    edit.detach(static_cast<NodeId>(n));
  }
  std::erase_if(edit.graph.nodes, [](const Node& node) { return node.outputs.empty(); });
  return std::move(edit.graph);
}

}  // namespace halfstep::passes
