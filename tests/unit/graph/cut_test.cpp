// Contract under test: graph/cut.hpp.
#include "graph/cut.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfstep::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ValueId named(Graph& graph, const std::string& name) {
  const ValueId known = find_value(graph, name);
  return known != kNoValue ? known : add_value(graph, name);
}

void add_node(Graph& graph, const std::string& op_type, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs) {
  Node node;
  node.name = outputs[0] + "_node";
  node.op_type = op_type;
  for (const std::string& name : inputs) node.inputs.push_back(named(graph, name));
  for (const std::string& name : outputs) node.outputs.push_back(named(graph, name));
  graph.nodes.push_back(std::move(node));
}

/// a = x * w; l, r = split(a); b = l + side; y = b + r; z = r * w; c = w + w.
Graph branching() {
  Graph graph;
  graph.opset = 17;
  graph.inputs.push_back({named(graph, "x"), {}});
  graph.inputs.push_back({named(graph, "side"), {}});
  graph.value(named(graph, "w")).constant = Tensor::of<float>(Shape{2}, {1.0F, 2.0F});
  add_node(graph, "Mul", {"x", "w"}, {"a"});
  add_node(graph, "Split", {"a"}, {"l", "r"});
  add_node(graph, "Add", {"l", "side"}, {"b"});
  add_node(graph, "Add", {"b", "r"}, {"y"});
  add_node(graph, "Mul", {"r", "w"}, {"z"});
  add_node(graph, "Add", {"w", "w"}, {"c"});
  for (const char* name : {"y", "z", "c"}) graph.outputs.push_back({named(graph, name), {}});
  EXPECT_TRUE(verify(graph).ok());
  return graph;
}

Result<Graph> cut_at(Graph graph, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  std::vector<GraphInput> from;
  for (const std::string& name : inputs) from.push_back({named(graph, name), {DType::kFloat32, {{{2, ""}}}}});
  std::vector<ValueId> to;
  for (const std::string& name : outputs) to.push_back(named(graph, name));
  return cut(graph, from, to);
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

TEST(Cut, KeepsNodesThatAreNeededAndTheirConstants) {
  const Result<Graph> part = cut_at(branching(), {"a"}, {"z"});
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_TRUE(verify(*part).ok());
  EXPECT_THAT(node_names(*part), ElementsAre("l_node", "z_node"));
  // Split's other output stays, though nobody reads it: how a node splits depends on their number.
  EXPECT_THAT(value_names(*part), ElementsAre("w", "a", "l", "r", "z"));
  EXPECT_TRUE(identical(*part->value(find_value(*part, "w")).constant, Tensor::of<float>(Shape{2}, {1.0F, 2.0F})));
  ASSERT_EQ(part->inputs.size(), 1U);
  EXPECT_EQ(part->value(part->inputs[0].value).name, "a");
  EXPECT_EQ(to_string(*part->inputs[0].declared.dims), "[2]");
  ASSERT_EQ(part->outputs.size(), 1U);
  EXPECT_EQ(part->value(part->outputs[0].value).name, "z");
  EXPECT_EQ(part->opset, 17);
}

TEST(Cut, InputsAndOutputsKeepTheOrderTheyAreGivenIn) {
  const Result<Graph> part = cut_at(branching(), {"r", "side", "l"}, {"z", "y"});
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_TRUE(verify(*part).ok());
  EXPECT_THAT(node_names(*part), ElementsAre("b_node", "y_node", "z_node"));
  std::vector<std::string> names;
  for (const GraphInput& input : part->inputs) names.push_back(part->value(input.value).name);
  for (const GraphOutput& output : part->outputs) names.push_back(part->value(output.value).name);
  EXPECT_THAT(names, ElementsAre("r", "side", "l", "z", "y"));
}

TEST(Cut, AnInputBehindAnotherInputCutsTheWayBetweenThem) {
  const Result<Graph> part = cut_at(branching(), {"a", "b"}, {"y"});
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_THAT(node_names(*part), ElementsAre("l_node", "y_node"));
}

TEST(Cut, InputsMayBeOutputsAndMayBeUnused) {
  const Result<Graph> part = cut_at(branching(), {"b", "x"}, {"b"});
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_TRUE(verify(*part).ok());
  EXPECT_TRUE(part->nodes.empty());
  EXPECT_EQ(part->inputs.size(), 2U);
}

TEST(Cut, TheWholeModelIsAPart) {
  Graph graph = branching();
  graph.outputs.pop_back();  // The constant one.
  const Result<Graph> part = cut_at(graph, {"x", "side"}, {"y", "z"});
  ASSERT_TRUE(part.ok()) << part.error().message;
  EXPECT_EQ(part->nodes.size(), graph.nodes.size() - 1);
}

TEST(Cut, ErrorsNameTheTensorAndTheRemedy) {
  const struct {
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    const char* message;
  } cases[] = {
      {{"l", "r"}, {"y"}, "output 'y' depends on the model's input 'side', which is not cut off; make it an input"},
      {{"r"}, {"z", "y"}, "output 'y' depends on the model's input 'x', which is not cut off"},
      {{"b"}, {"z"}, "output 'z' depends on none of the inputs"},
      {{"x"}, {"c"}, "output 'c' depends on none of the inputs"},
      {{"x"}, {"w"}, "output 'w' depends on none of the inputs"},
      {{"w"}, {"z"}, "input 'w' is a constant"},
      {{"x", "x"}, {"z"}, "input 'x' is given twice"},
      {{"x"}, {"z", "z"}, "output 'z' is given twice"},
      {{"x", "side", "l"}, {"y"}, "input 'l' is written by node 'l_node' (Split), which the part needs for another"},
  };
  for (const auto& c : cases) {
    const Result<Graph> part = cut_at(branching(), c.inputs, c.outputs);
    ASSERT_FALSE(part.ok()) << c.message;
    EXPECT_EQ(part.error().code, ErrorCode::kUsage);
    EXPECT_THAT(part.error().message, HasSubstr(c.message));
  }
}

TEST(Cut, RefusesIdsThatAreNoTensorsAndNodesThatHoldSubgraphs) {
  Graph graph = branching();
  const ValueId y = named(graph, "y");
  for (const ValueId id : {kNoValue, static_cast<ValueId>(graph.values.size())}) {
    const GraphInput input{id, {}};
    EXPECT_FALSE(cut(graph, {&input, 1}, {&y, 1}).ok());
  }
  graph.nodes[4].attributes.set("then_branch", std::make_shared<const Graph>());
  const Result<Graph> part = cut_at(graph, {"r"}, {"z"});
  ASSERT_FALSE(part.ok());
  EXPECT_EQ(part.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(cut_at(graph, {"a", "side"}, {"y"}).ok());
}

TEST(Upstream, IsWhatAValueIsComputedFrom) {
  Graph graph = branching();
  const ValueId b = named(graph, "b");
  const Upstream upstream = upstream_of(graph, {&b, 1});
  std::vector<std::string> values;
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (upstream.values[v]) values.push_back(graph.values[v].name);
  }
  EXPECT_THAT(values, ElementsAre("x", "side", "w", "a", "l", "b"));
  EXPECT_THAT(upstream.nodes, ElementsAre(true, true, true, false, false, false));
}

}  // namespace
}  // namespace halfstep::graph
