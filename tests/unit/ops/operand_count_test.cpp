// operand_count_test.cpp: whatever the operator, a node without an operand that it requires is named and refused.
#include "ops/operand_count.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

/// One node that reads tensors "0", "1", ...; the last `absent` operands are not given.
graph::Graph graph_of(const OpDef& op, std::size_t num_operands, std::size_t absent = 0) {
  graph::Graph graph;
  graph::Node node;
  node.name = "n";
  node.op_type = op.type;
  node.domain = op.domain;
  for (std::size_t i = 0; i < num_operands; ++i) {
    graph.values.push_back({.name = std::to_string(i), .constant = std::nullopt});
    node.inputs.push_back(i + absent < num_operands ? static_cast<graph::ValueId>(i) : graph::kNoValue);
  }
  graph.nodes.push_back(std::move(node));
  return graph;
}

std::string message_of(const graph::Graph& graph) {
  const Result<void> checked = check_operand_counts(graph);
  return checked.ok() ? "ok" : checked.error().message;
}

TEST(OperandCount, OfEveryOperatorIsChecked) {
  for (const OpDef& op : all_ops()) {
    SCOPED_TRACE(op.type);
    const auto [required, allowed] = op.operand_count;
    ASSERT_GE(required, 1U);
    ASSERT_GE(allowed, required);
    const std::string place = "node 'n' (" + std::string(op.type) + "): ";
    EXPECT_EQ(message_of(graph_of(op, required)), "ok");
    EXPECT_EQ(message_of(graph_of(op, required, 1)), place + "operand " + std::to_string(required - 1) + " is missing");
    const std::string few = place + "has " + std::to_string(required - 1) + " operands, expected ";
    EXPECT_THAT(message_of(graph_of(op, required - 1)), testing::StartsWith(few + std::to_string(required)));
    if (allowed == kManyOperands) {
      EXPECT_EQ(message_of(graph_of(op, 20)), "ok");
      EXPECT_EQ(message_of(graph_of(op, 20, 1)), place + "operand 19 is missing");
    } else {
      EXPECT_EQ(message_of(graph_of(op, allowed)), "ok");
      EXPECT_EQ(message_of(graph_of(op, allowed, allowed - required)), "ok");
      const std::string many = place + "has " + std::to_string(allowed + 1) + " operands, expected ";
      EXPECT_THAT(message_of(graph_of(op, allowed + 1)), testing::StartsWith(many));
    }
  }
}

TEST(OperandCount, IsCheckedInBranchesToo) {
  graph::Graph graph;
  graph.nodes.push_back(
      {.name = "if", .op_type = "If", .domain = "", .inputs = {}, .outputs = {}, .attributes = {}, .clamp = {}});
  const auto branch = std::make_shared<const graph::Graph>(graph_of(*find_op("", "Add"), 1));
  graph.nodes[0].attributes.set("then_branch", branch);
  EXPECT_EQ(message_of(graph), "node 'n' (Add): has 1 operands, expected 2");
}

}  // namespace
}  // namespace halfstep::ops
