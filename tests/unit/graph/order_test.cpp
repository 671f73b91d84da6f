// Contract under test: graph/graph.hpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/graph.hpp"

namespace halfstep::graph {
namespace {

using testing::HasSubstr;

/// x -> A -> a -> B -> b (output); C reads a, nobody reads its c.
Graph chain() {
  Graph graph;
  const ValueId x = add_value(graph, "x");
  const ValueId a = add_value(graph, "a");
  const ValueId b = add_value(graph, "b");
  const ValueId c = add_value(graph, "c");
  graph.inputs.push_back({x, {}});
  graph.outputs.push_back({b, {}});
  const auto node = [](const char* name, ValueId input, ValueId output) {
    Node made;
    made.name = name;
    made.op_type = "Relu";
    made.inputs = {input};
    made.outputs = {output};
    return made;
  };
  graph.nodes = {node("A", x, a), node("B", a, b), node("C", a, c)};
  return graph;
}

TEST(SortNodes, PutsProducersFirstAndKeepsTheRest) {
  Graph graph = chain();
  std::swap(graph.nodes[0], graph.nodes[2]);  // C, B, A
  const Result<Graph> sorted = sort_nodes(graph);
  ASSERT_TRUE(sorted.ok());
  EXPECT_EQ(sorted->nodes[0].name, "A");
  EXPECT_EQ(sorted->nodes[1].name, "C");
  EXPECT_EQ(sorted->nodes[2].name, "B");
  EXPECT_TRUE(verify(*sorted).ok());
}

TEST(SortNodes, NamesANodeOfACycle) {
  Graph graph = chain();
  graph.nodes[0].inputs = {graph.nodes[1].outputs[0]};
  const Result<Graph> sorted = sort_nodes(graph);
  ASSERT_FALSE(sorted.ok());
  EXPECT_THAT(sorted.error().message, HasSubstr("cycle"));
}

TEST(RemoveUnused, DropsNodesThatReachNoOutput) {
  const Graph graph = remove_unused(chain());
  EXPECT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(find_value(graph, "c"), kNoValue);
  EXPECT_NE(find_value(graph, "x"), kNoValue);
  EXPECT_TRUE(verify(graph).ok());
}

TEST(Verify, FindsEachBrokenInvariant) {
  Graph twice = chain();
  twice.nodes[2].outputs = twice.nodes[1].outputs;
  EXPECT_THAT(verify(twice).error().message, HasSubstr("written twice"));

  Graph early = chain();
  std::swap(early.nodes[0], early.nodes[1]);
  EXPECT_THAT(verify(early).error().message, HasSubstr("before anything writes it"));

  Graph renamed = chain();
  renamed.values[1].name = "x";
  EXPECT_THAT(verify(renamed).error().message, HasSubstr("two tensors"));

  Graph dangling = chain();
  dangling.nodes[0].inputs = {99};
  EXPECT_THAT(verify(dangling).error().message, HasSubstr("does not exist"));

  Graph silent = chain();
  silent.outputs.push_back({add_value(silent, "z"), {}});
  EXPECT_THAT(verify(silent).error().message, HasSubstr("written by nothing"));
}

TEST(Links, SingleConsumerIgnoresOutputsAndRepeatedReads) {
  const Graph graph = chain();
  const Links links = links_of(graph);
  EXPECT_EQ(links.single_consumer(find_value(graph, "x")), 0);
  EXPECT_EQ(links.single_consumer(find_value(graph, "a")), kNoNode);  // Two readers.
  EXPECT_EQ(links.single_consumer(find_value(graph, "b")), kNoNode);  // A graph output.
}

TEST(AddValue, MakesNamesUnique) {
  Graph graph = chain();
  EXPECT_EQ(graph.value(add_value(graph, "a")).name, "a_2");
  EXPECT_EQ(graph.value(add_value(graph, "a")).name, "a_3");
}

}  // namespace
}  // namespace halfstep::graph
