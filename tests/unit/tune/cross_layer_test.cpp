// Contract under test: tune/cross_layer.hpp: the closed forms by hand, and what is no chain.
#include "tune/cross_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {
namespace {

using testing::Contains;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pointwise;
using testing::SizeIs;

Tensor weights(const Shape& shape, std::initializer_list<float> values) { return Tensor::of<float>(shape, values); }

std::vector<float> constant_values(const graph::Graph& graph, const std::string& name) {
  const auto values = graph::constant_of(graph, graph::find_value(graph, name))->values<float>();
  return {values.begin(), values.end()};
}

CrossLayerEqualized equalized(const RandomGraph& small) {
  Result<CrossLayerEqualized> result = equalize_cross_layer(small.graph(), facts_of(small.graph()));
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return result.ok() ? *std::move(result) : CrossLayerEqualized{};
}

// Rows reach 8 and 1, columns 2 and 4: s = sqrt(8 / 2) = 2 and sqrt(1 / 4) = 1 / 2.
TEST(CrossLayer, PairByHand) {
  RandomGraph small(21);
  small.input("x", {1, 1, 1, 1}).output("y");
  small.conv("x", "a", {2, 1, 1, 1}).relu();
  small.conv("a", "y", {1, 2, 1, 1});
  small.constant("a.w", weights({2, 1, 1, 1}, {-8.0F, 1.0F})).constant("a.b", weights({2}, {4.0F, 3.0F}));
  small.constant("y.w", weights({1, 2, 1, 1}, {2.0F, -4.0F}));
  const CrossLayerEqualized result = equalized(small);
  ASSERT_THAT(result.chains, SizeIs(1));
  EXPECT_THAT(result.chains[0].tensors, ElementsAre("a"));
  EXPECT_THAT(result.chains[0].factors[0], Pointwise(DoubleNear(1e-12), {2.0, 0.5}));
  EXPECT_THAT(constant_values(result.graph, "a.w"), ElementsAre(-4.0F, 2.0F));
  EXPECT_THAT(constant_values(result.graph, "a.b"), ElementsAre(2.0F, 6.0F));
  EXPECT_THAT(constant_values(result.graph, "y.w"), ElementsAre(4.0F, -2.0F));
  EXPECT_EQ(result.num_rounds, 2);  // The second finds nothing to do.
  EXPECT_TRUE(result.converged);
  EXPECT_THAT(result.relaxed_clamps, IsEmpty());
  EXPECT_EQ(result.smallest_factor, 0.5);
  EXPECT_EQ(result.largest_factor, 2.0);
}

// r = (8, 1, 1) and (1, 1/8, 1): cube roots 2 and 1/2, so s1 = 4 and 2, s2 = 2 and 1/2; every peak becomes the root.
TEST(CrossLayer, TripleByHand) {
  RandomGraph small(22);
  small.input("x", {1, 1, 1, 1}).output("y");
  small.conv("x", "a", {2, 1, 1, 1}).relu();
  small.conv("a", "d", {2, 1, 1, 1}, 2).relu();
  small.conv("d", "y", {1, 2, 1, 1});
  small.constant("a.w", weights({2, 1, 1, 1}, {8.0F, 1.0F})).constant("d.w", weights({2, 1, 1, 1}, {1.0F, 0.125F}));
  small.constant("y.w", weights({1, 2, 1, 1}, {1.0F, 1.0F}));
  const CrossLayerEqualized result = equalized(small);
  ASSERT_THAT(result.chains, SizeIs(1));
  EXPECT_THAT(result.chains[0].tensors, ElementsAre("a", "d"));
  EXPECT_THAT(result.chains[0].factors[0], Pointwise(DoubleNear(1e-12), {4.0, 2.0}));
  EXPECT_THAT(result.chains[0].factors[1], Pointwise(DoubleNear(1e-12), {2.0, 0.5}));
  for (const char* name : {"a.w", "d.w", "y.w"}) {
    EXPECT_THAT(constant_values(result.graph, name), ElementsAre(2.0F, 0.5F)) << name;
  }
}

TEST(CrossLayer, LongChainsConvergeAndKeepTheFunction) {
  RandomGraph small(23);
  small.input("x", {1, 3, 6, 6}).output("y");
  small.conv("x", "a", {4, 3, 1, 1}).relu();
  small.conv("a", "b", {5, 4, 1, 1}).relu();
  small.conv("b", "c", {6, 5, 1, 1}).node("LeakyRelu", {"c"}, {"l"});
  small.conv("l", "d", {6, 1, 3, 3}, 6).relu();
  small.conv("d", "y", {3, 6, 1, 1});
  const CrossLayerEqualized result = equalized(small);
  EXPECT_THAT(result.chains, SizeIs(3));
  EXPECT_TRUE(result.converged);
  EXPECT_GT(result.num_rounds, 2);
  const Tensor x = small.draw({1, 3, 6, 6});
  expect_close(output_of(result.graph, x), output_of(small.graph(), x));
}

TEST(CrossLayer, BoundedClampsBecomeReluAndAreNamed) {
  RandomGraph small(24);
  small.input("x", {1, 3, 2, 2}).output("y");
  small.conv("x", "a", {4, 3, 1, 1}).clamp(0.0F, 6.0F);
  small.conv("a", "y", {2, 4, 1, 1}).clamp(0.0F, 6.0F);  // Not within a chain: stays.
  const CrossLayerEqualized result = equalized(small);
  EXPECT_THAT(result.relaxed_clamps, ElementsAre("node 'a_node' (Conv)"));
  EXPECT_TRUE(std::isinf(result.graph.nodes[0].clamp->max));
  EXPECT_EQ(result.graph.nodes[1].clamp->max, 6.0F);
}

TEST(CrossLayer, DeadChannelsKeepTheirFactors) {
  RandomGraph small(25);
  small.input("x", {1, 1, 1, 1}).output("y");
  small.conv("x", "a", {3, 1, 1, 1}).relu();
  small.conv("a", "y", {1, 3, 1, 1});
  small.constant("a.w", weights({3, 1, 1, 1}, {4.0F, 0.0F, 1e-9F})).constant("y.w", weights({1, 3, 1, 1}, {1, 1, 1}));
  EXPECT_THAT(equalized(small).chains[0].factors[0], ElementsAre(2.0, 1.0, 1.0));
}

TEST(CrossLayer, WhatIsNoChainIsNamed) {
  RandomGraph small(26);
  small.input("x", {1, 4, 4, 4}).output("y");
  small.conv("x", "a", {4, 4, 1, 1}).relu();
  small.conv("a", "b", {4, 4, 1, 1});
  small.conv("a", "c", {4, 4, 1, 1});
  small.node("Add", {"b", "c"}, {"s"});
  small.conv("s", "e", {4, 4, 1, 1}).relu();
  small.conv("e", "g", {4, 2, 1, 1}, 2).clamp(-1.0F, 1.0F);
  small.conv("g", "y", {2, 4, 1, 1});
  const CrossLayerEqualized result = equalized(small);
  EXPECT_THAT(result.chains, IsEmpty());
  EXPECT_EQ(result.num_rounds, 0);
  EXPECT_THAT(result.refused, Contains("'a': read by 2 nodes"));
  EXPECT_THAT(result.refused, Contains(HasSubstr("'b': read or written by node 's_node' (Add)")));
  EXPECT_THAT(result.refused, Contains("'e': read by node 'g_node' (Conv), which is grouped"));
  EXPECT_THAT(result.refused, Contains("'g': written by node 'g_node' (Conv), which is grouped"));
  EXPECT_THAT(result.refused, Contains("'y': it is an output of the model"));
}

}  // namespace
}  // namespace halfstep::tune
