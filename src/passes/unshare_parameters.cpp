// unshare_parameters.cpp: groups the uses of each constant by the encoding they need.
#include "passes/unshare_parameters.hpp"

#include <array>
#include <map>
#include <vector>

#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::passes {
namespace {

/// Uses with equal needs can share one encoding.
using Need = std::array<std::int64_t, 3>;
constexpr Need kPlainNeed = {static_cast<std::int64_t>(ops::OperandRole::kPlain), 0, 0};

Need need_of(const graph::Graph& graph, graph::NodeId id, std::size_t index) {
  const graph::Node& node = graph.node(id);
  const ops::OperandRole role = ops::operand_role(graph, node, index);
  const auto tag = static_cast<std::int64_t>(role);
  switch (role) {
    case ops::OperandRole::kPlain:
    case ops::OperandRole::kParameter:
      return kPlainNeed;
    case ops::OperandRole::kWeight:
      return {tag, ops::weight_axis(graph, node).value_or(-1), 0};
    case ops::OperandRole::kBias:
      return {tag, node.inputs[0], ops::weight_of(graph, node)};
    case ops::OperandRole::kData:
      // An operand of Concat takes the grid of the output.
      return {tag, ops::find_op(node)->output_rule == ops::OutputRule::kSameAsInputs ? id : graph::kNoNode, 0};
  }
  return {};
}

struct Use {
  graph::NodeId node;
  std::size_t index;
};

/// By ValueId; empty for all but constants.
std::vector<std::vector<Use>> constant_uses(const graph::Graph& graph) {
  std::vector<std::vector<Use>> uses(graph.values.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (std::size_t i = 0; i < graph.nodes[n].inputs.size(); ++i) {
      const graph::ValueId value = graph.nodes[n].inputs[i];
      if (graph::constant_of(graph, value) == nullptr) continue;
      uses[static_cast<std::size_t>(value)].push_back({static_cast<graph::NodeId>(n), i});
    }
  }
  return uses;
}

enum class Biases { kTogether, kByScale };

void split_constants(graph::Graph& graph, const EncodingSet& frozen, Biases biases) {
  const std::vector<std::vector<Use>> uses = constant_uses(graph);
  std::vector<bool> is_output(graph.values.size());
  for (const graph::GraphOutput& output : graph.outputs) is_output[static_cast<std::size_t>(output.value)] = true;
  for (std::size_t v = 0; v < uses.size(); ++v) {
    if (uses[v].size() + (is_output[v] ? 1 : 0) < 2) continue;
    // Copies: adding a constant moves the values.
    const std::string name = graph.values[v].name;
    const Tensor constant = *graph.values[v].constant;
    const int narrow_bits = graph.values[v].narrow_bits;
    if (constant.dtype() != DType::kFloat32 || find_encoding(frozen, name) != nullptr) continue;
    std::map<Need, graph::ValueId> copies;
    if (is_output[v]) copies.emplace(kPlainNeed, static_cast<graph::ValueId>(v));
    for (const Use& use : uses[v]) {
      Need need = need_of(graph, use.node, use.index);
      if (need[0] == static_cast<std::int64_t>(ops::OperandRole::kBias) && biases == Biases::kTogether)
        need = {need[0], 0, 0};
      auto at = copies.find(need);
      if (at == copies.end()) {
        auto copy = static_cast<graph::ValueId>(v);
        if (!copies.empty()) {
          copy = graph::add_constant(graph, name + "_copy", constant);
          graph.value(copy).narrow_bits = narrow_bits;
        }
        at = copies.emplace(need, copy).first;
      }
      graph.node(use.node).inputs[use.index] = at->second;
    }
  }
}

}  // namespace

graph::Graph unshare_parameters(graph::Graph graph, const EncodingSet& frozen) {
  // What a bias needs depends on which weight its node reads: settle the weights first.
  split_constants(graph, frozen, Biases::kTogether);
  split_constants(graph, frozen, Biases::kByScale);
  return graph;
}

}  // namespace halfstep::passes
