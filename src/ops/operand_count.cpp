// operand_count.cpp: nodes have the operands that their operators take.
#include "ops/operand_count.hpp"

#include <memory>
#include <string>
#include <variant>

#include "core/errors.hpp"
#include "graph/graph.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

/// has(i): operand i, of num_operands, is present.
template <class Has>
Result<void> check(const OperandCount& count, std::size_t num_operands, const Has& has) {
  const bool any_number = count.allowed == kManyOperands;
  if (num_operands < count.required || num_operands > count.allowed) {
    std::string expected = std::to_string(count.required);
    if (any_number) expected += " or more";
    if (!any_number && count.allowed != count.required) expected += " to " + std::to_string(count.allowed);
    return invalid("has " + std::to_string(num_operands) + " operands, expected " + expected);
  }
  for (std::size_t i = 0; i < (any_number ? num_operands : count.required); ++i) {
    if (!has(i)) return invalid("operand " + std::to_string(i) + " is missing");
  }
  return {};
}

}  // namespace

Result<void> check_operand_count(const OperandCount& count, const NodeArgs& args) {
  return check(count, args.num_inputs(), [&](std::size_t i) { return args.has(i); });
}

Result<void> check_operand_counts(const graph::Graph& graph) {
  for (const graph::Node& node : graph.nodes) {
    if (const OpDef* op = find_op(node); op != nullptr) {
      const auto has = [&](std::size_t i) { return node.inputs[i] != graph::kNoValue; };
      if (Result<void> checked = check(op->operand_count, node.inputs.size(), has); !checked.ok()) {
        return checked.error().at(graph::describe(graph, node));
      }
    }
    for (const auto& [name, attribute] : node.attributes) {
      const auto* subgraph = std::get_if<std::shared_ptr<const graph::Graph>>(&attribute);
      if (subgraph == nullptr) continue;
      if (Result<void> checked = check_operand_counts(**subgraph); !checked.ok()) return checked;
    }
  }
  return {};
}

}  // namespace halfstep::ops
