// Contract under test: sensitivity/groups.hpp.
#include "sensitivity/groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "unit/sensitivity/quantized_case.hpp"
#include "unit/tune/sweep_graphs.hpp"

namespace halfstep::sensitivity {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Names = std::vector<std::string>;

TensorEncoding on_grid(double scale, TensorRole role = TensorRole::kActivation) {
  const IntGrid grid = role == TensorRole::kActivation ? IntGrid{0, 255}
                       : role == TensorRole::kWeight   ? IntGrid{-128, 127}
                                                       : IntGrid{INT32_MIN, INT32_MAX};
  return {*Encoding::per_tensor(grid, {scale, 0}), role, {}, {}, false};
}

/// Groups of a graph whose constants called *.w and *.b have grids, and whose tensors have those given.
std::vector<QuantizerGroup> groups_of(const exec::SmallGraph& small, const std::map<std::string, double>& scales) {
  QuantizedGraph model{small.graph(), {}};
  EXPECT_TRUE(graph::verify(model.graph).ok());
  for (const auto& [name, scale] : scales) model.encodings.emplace(name, on_grid(scale));
  for (const graph::Value& value : model.graph.values) {
    if (value.name.ends_with(".w")) model.encodings.emplace(value.name, on_grid(0.01, TensorRole::kWeight));
    if (value.name.ends_with(".b")) model.encodings.emplace(value.name, on_grid(0.001, TensorRole::kBias));
  }
  return quantizer_groups(model, tune::facts_of(model.graph));
}

Names names_of(const std::vector<QuantizerGroup>& groups) {
  Names names;
  for (const QuantizerGroup& group : groups) names.push_back(group.name);
  return names;
}

/// x, a convolution to "a".
RandomGraph one_layer() {
  RandomGraph small(3);
  small.input("x", {1, 3, 6, 6});
  small.conv("x", "a", {4, 3, 3, 3});
  return small;
}

TEST(QuantizerGroups, EveryEncodingIsInExactlyOne) {
  for (tune::NamedGraph& named : tune::sweep_graphs()) {
    SCOPED_TRACE(named.name);
    const QuantizedCase made(named.small, 2);
    std::map<std::string, int> times;
    for (const QuantizerGroup& group : made.groups()) {
      for (const Names* names : {&group.activations, &group.weights, &group.biases}) {
        for (const std::string& name : *names) ++times[name];
      }
      EXPECT_FALSE(group.activations.empty() && group.weights.empty() && group.biases.empty()) << group.name;
    }
    for (const auto& [name, encoding] : made.model.encodings) EXPECT_EQ(times[name], 1) << name;
    EXPECT_EQ(times.size(), made.model.encodings.size());
  }
}

TEST(QuantizerGroups, InputsComeFirst) {
  RandomGraph small = tune::concat_graph();
  const std::vector<QuantizerGroup> groups = QuantizedCase(small, 2).groups();
  ASSERT_GE(groups.size(), 3U);
  EXPECT_EQ(groups[0].name, "input 'x'");
  EXPECT_EQ(groups[1].name, "input 'z'");
  EXPECT_EQ(groups[2].name, "a_node");
  EXPECT_EQ(groups[0].op, "");
  EXPECT_EQ(groups[0].node, graph::kNoNode);
  EXPECT_EQ(groups[0].first_node, 0U);
  EXPECT_THAT(groups[0].activations, ElementsAre("x"));
  EXPECT_EQ(groups[0].num_activations, 3 * 6 * 6);
}

TEST(QuantizerGroups, ALayerOwnsItsWeightsBiasAndOutput) {
  RandomGraph small = one_layer();
  small.output("a");
  const std::vector<QuantizerGroup> groups = groups_of(small, {{"x", 0.1}, {"a", 0.2}});
  ASSERT_THAT(names_of(groups), ElementsAre("input 'x'", "a_node"));
  EXPECT_EQ(groups[1].op, "Conv");
  EXPECT_EQ(groups[1].node, 0);
  EXPECT_THAT(groups[1].activations, ElementsAre("a"));
  EXPECT_THAT(groups[1].weights, ElementsAre("a.w"));
  EXPECT_THAT(groups[1].biases, ElementsAre("a.b"));
  EXPECT_EQ(groups[1].num_weights, 4 * 3 * 3 * 3);
  EXPECT_EQ(groups[1].num_activations, 4 * 4 * 4);
  EXPECT_EQ(groups[1].macs, 4 * 4 * 4 * 27);
}

TEST(QuantizerGroups, TheActivationBehindALayerGoesWithIt) {
  RandomGraph small = one_layer();
  small.node("Sigmoid", {"a"}, {"s"}).output("s");
  const std::vector<QuantizerGroup> alone = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"s", 0.004}});
  EXPECT_THAT(names_of(alone), ElementsAre("input 'x'", "a_node"));
  EXPECT_THAT(group_named(alone, "a_node").activations, ElementsAre("a", "s"));

  small.node("Mul", {"a", "s"}, {"m"}).output("m");
  const std::vector<QuantizerGroup> shared = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"s", 0.004}, {"m", 0.1}});
  EXPECT_THAT(names_of(shared), ElementsAre("input 'x'", "a_node", "s_node", "m_node"))
      << "what others read, too, is a layer's own";
}

TEST(QuantizerGroups, AnActivationBehindAnActivationIsALayer) {
  RandomGraph small(3);
  small.input("x", {1, 3, 6, 6}).node("Sigmoid", {"x"}, {"s"}).node("Erf", {"s"}, {"e"}).output("e");
  const std::vector<QuantizerGroup> groups = groups_of(small, {{"x", 0.1}, {"s", 0.004}, {"e", 0.004}});
  EXPECT_THAT(names_of(groups), ElementsAre("input 'x'", "s_node", "e_node"));
}

TEST(QuantizerGroups, MovedTensorsGoWithTheirSourceOnOneGrid) {
  RandomGraph small = one_layer();
  small.node("Transpose", {"a"}, {"t"}).output("t");
  small.last_node().attributes.set("perm", tune::IntList{0, 1, 3, 2});
  const std::vector<QuantizerGroup> one = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"t", 0.2}});
  EXPECT_THAT(names_of(one), ElementsAre("input 'x'", "a_node"));
  EXPECT_THAT(group_named(one, "a_node").activations, ElementsAre("a", "t"));
  const std::vector<QuantizerGroup> two = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"t", 0.3}});
  EXPECT_THAT(names_of(two), ElementsAre("input 'x'", "a_node", "t_node"));
  EXPECT_EQ(group_named(two, "t_node").first_node, 1U);
}

TEST(QuantizerGroups, AllOutputsOfASplitGoWithTheirSource) {
  RandomGraph small = tune::split_graph();
  const std::vector<QuantizerGroup> groups =
      groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"first", 0.2}, {"second", 0.2}});
  EXPECT_THAT(group_named(groups, "a_node").activations, UnorderedElementsAre("a", "first", "second"));
}

// Two branches and what joins them: their one grid is the Concat's doing.
TEST(QuantizerGroups, AJointGridIsTheConcats) {
  RandomGraph small(4);
  small.input("x", {1, 3, 4, 4});
  small.conv("x", "a", {2, 3, 1, 1}).conv("x", "b", {2, 3, 1, 1});
  small.node("Concat", {"a", "b"}, {"joined"}).output("joined");
  small.last_node().attributes.set("axis", std::int64_t{1});
  const std::vector<QuantizerGroup> joint = groups_of(small, {{"x", 0.1}, {"a", 0.5}, {"b", 0.5}, {"joined", 0.5}});
  ASSERT_THAT(names_of(joint), ElementsAre("input 'x'", "a_node", "b_node", "joined_node"));
  EXPECT_THAT(joint[1].activations, IsEmpty());
  EXPECT_THAT(joint[1].weights, ElementsAre("a.w"));
  EXPECT_THAT(joint[3].activations, ElementsAre("a", "b", "joined"));
  EXPECT_THAT(joint[3].weights, IsEmpty());
  EXPECT_EQ(joint[3].op, "Concat");
  EXPECT_EQ(joint[3].first_node, 0U) << "from the first branch on something else is computed";
  EXPECT_EQ(joint[3].num_activations, 2 * 32 + 64);

  const std::vector<QuantizerGroup> apart = groups_of(small, {{"x", 0.1}, {"a", 0.4}, {"b", 0.5}, {"joined", 0.5}});
  EXPECT_THAT(group_named(apart, "a_node").activations, ElementsAre("a"));
  EXPECT_THAT(group_named(apart, "joined_node").activations, ElementsAre("b", "joined"));
}

TEST(QuantizerGroups, AnInputOnTheGridOfAConcatIsTheConcats) {
  RandomGraph small(4);
  small.input("x", {1, 3, 4, 4});
  small.conv("x", "a", {2, 3, 1, 1});
  small.node("Concat", {"x", "a"}, {"joined"}).output("joined");
  small.last_node().attributes.set("axis", std::int64_t{1});
  const std::vector<QuantizerGroup> groups = groups_of(small, {{"x", 0.5}, {"a", 0.5}, {"joined", 0.5}});
  EXPECT_THAT(names_of(groups), ElementsAre("a_node", "joined_node"));
  EXPECT_THAT(groups[1].activations, ElementsAre("x", "a", "joined"));
  EXPECT_EQ(groups[1].first_node, 0U);
}

TEST(QuantizerGroups, ASharedConstantGoesWithItsFirstReader) {
  RandomGraph small(5);
  small.input("x", {1, 3, 4, 4});
  small.conv("x", "a", {3, 3, 1, 1});
  small.node("Conv", {"a", "a.w"}, {"c"}).output("c");
  const std::vector<QuantizerGroup> groups = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"c", 0.3}});
  EXPECT_THAT(group_named(groups, "a_node").weights, ElementsAre("a.w"));
  EXPECT_THAT(group_named(groups, "c_node").weights, IsEmpty());
  EXPECT_EQ(group_named(groups, "c_node").num_weights, 0);
  EXPECT_EQ(group_named(groups, "c_node").macs, 3 * 16 * 3);
}

TEST(QuantizerGroups, OperandsOfAnAddAreItsConstants) {
  RandomGraph small = one_layer();
  small.constant("offset.w", small.draw(Shape{4, 1, 1})).node("Add", {"a", "offset.w"}, {"y"}).output("y");
  const std::vector<QuantizerGroup> groups = groups_of(small, {{"x", 0.1}, {"a", 0.2}, {"y", 0.3}});
  EXPECT_THAT(group_named(groups, "y_node").weights, ElementsAre("offset.w"));
  EXPECT_EQ(group_named(groups, "y_node").macs, 0);
}

TEST(QuantizerGroups, NodesWithoutNameAreCalledByTheirOutput) {
  RandomGraph small = one_layer();
  small.last_node().name.clear();
  small.output("a");
  EXPECT_THAT(names_of(groups_of(small, {{"a", 0.2}})), ElementsAre("a"));
}

TEST(QuantizerGroups, NothingIsQuantizedNothingIsThere) {
  RandomGraph small(6);
  small.input("x", {1, 3, 4, 4}).node("Relu", {"x"}, {"y"}).output("y");
  EXPECT_THAT(groups_of(small, {}), IsEmpty());
}

TEST(MultiplyAccumulates, OfEveryLinearOperator) {
  RandomGraph small(7);
  small.input("x", {1, 4, 6, 6}).input("m", {5, 7});
  small.conv("x", "depthwise", {4, 1, 3, 3}, 4);
  small.conv("x", "grouped", {6, 2, 1, 1}, 2);
  small.linear("ConvTranspose", "x", "up", {4, 3, 2, 2}, 3);
  small.linear("Gemm", "m", "gemm", {7, 8}, 8);
  small.linear("MatMul", "m", "matmul", {7, 9});
  small.node("Relu", {"x"}, {"relu"});
  for (const char* name : {"depthwise", "grouped", "up", "gemm", "matmul", "relu"}) small.output(name);
  const ops::Facts facts = tune::facts_of(small.graph());
  std::map<std::string, std::int64_t> macs;
  for (const graph::Node& node : small.graph().nodes) macs[node.name] = macs_of(node, facts);
  EXPECT_EQ(macs["depthwise_node"], 4 * 4 * 4 * 9);
  EXPECT_EQ(macs["grouped_node"], 6 * 6 * 6 * 2);
  EXPECT_EQ(macs["up_node"], 4 * 6 * 6 * 3 * 2 * 2);
  EXPECT_EQ(macs["gemm_node"], 5 * 8 * 7);
  EXPECT_EQ(macs["matmul_node"], 5 * 9 * 7);
  EXPECT_EQ(macs["relu_node"], 0);
}

}  // namespace
}  // namespace halfstep::sensitivity
