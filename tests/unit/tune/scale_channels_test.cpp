// Contract under test: tune/scale_channels.hpp: no output changes.
#include "tune/scale_channels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {
namespace {

using testing::ElementsAre;

/// Scales every group of `small` by powers of 2 and other factors from 1/8 to 8.
void expect_same_function(RandomGraph& small, std::size_t num_groups, const Shape& input) {
  const ScalingGroups found = find_scaling_groups(small.graph(), facts_of(small.graph()));
  ASSERT_EQ(found.groups.size(), num_groups) << testing::PrintToString(found.refused);
  std::mt19937 rng(99);
  std::uniform_real_distribution<double> exponent(-3.0, 3.0);
  std::vector<std::vector<double>> factors;
  for (const ScalingGroup& group : found.groups) {
    std::vector<double>& own = factors.emplace_back(static_cast<std::size_t>(group.num_channels));
    for (double& s : own) s = std::exp2(exponent(rng));
  }
  const Result<graph::Graph> scaled = scale_channels(small.graph(), found.groups, factors);
  ASSERT_TRUE(scaled.ok()) << scaled.error().message;
  EXPECT_TRUE(graph::verify(*scaled).ok());
  for (int sample = 0; sample < 3; ++sample) {
    const Tensor x = small.draw(input, 3.0F);
    expect_close(output_of(*scaled, x), output_of(small.graph(), x));
  }
}

TEST(ScaleChannels, InvertedResidualsWithRelu6) {
  RandomGraph small(11);
  small.input("x", {2, 3, 8, 8}).output("y");
  small.conv("x", "s", {4, 3, 3, 3});
  small.conv("s", "a", {6, 4, 1, 1}).clamp(0.0F, 6.0F);
  small.conv("a", "d", {6, 1, 3, 3}, 6).clamp(0.0F, 6.0F);
  small.last_node().attributes.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
  small.conv("d", "p", {4, 6, 1, 1});
  small.node("Add", {"s", "p"}, {"r"});
  small.conv("r", "e", {5, 4, 1, 1}).clamp(-1.0F, 6.0F);
  small.node("GlobalAveragePool", {"e"}, {"g"}).node("Flatten", {"g"}, {"f"});
  small.linear("Gemm", "f", "y", {5, 3}, 3);
  expect_same_function(small, 4, {2, 3, 8, 8});
}

TEST(ScaleChannels, GemmChainsOfBothLayouts) {
  RandomGraph small(12);
  small.input("x", {5, 4}).output("y");
  small.linear("Gemm", "x", "a", {4, 6}, 6);
  small.relu();
  small.linear("Gemm", "a", "b", {3, 6}, 3);
  small.last_node().attributes.set("transB", std::int64_t{1});
  small.last_node().attributes.set("alpha", 0.5F);
  small.node("PRelu", {"b", "slope"}, {"c"}).constant("slope", Tensor::of<float>(Shape{3}, {0.1F, -0.5F, 2.0F}));
  small.linear("MatMul", "c", "d", {3, 7});
  small.linear("MatMul", "d", "y", {7, 2});
  expect_same_function(small, 3, {5, 4});
}

TEST(ScaleChannels, TransposedAndGroupedConvolutions) {
  RandomGraph small(13);
  small.input("x", {1, 4, 5, 5}).output("y");
  small.linear("ConvTranspose", "x", "a", {4, 3, 2, 2}, 6, 2);
  small.clamp(0.0F, 1.0F);
  small.conv("a", "b", {4, 3, 3, 3}, 2).relu();
  small.linear("ConvTranspose", "b", "c", {4, 2, 2, 2}, 2);
  small.node("AveragePool", {"c"}, {"p"});
  small.last_node().attributes.set("kernel_shape", std::vector<std::int64_t>{2, 2});
  small.conv("p", "y", {2, 2, 1, 1});
  expect_same_function(small, 3, {1, 4, 5, 5});
}

TEST(ScaleChannels, MoreDataThanOneDepthMultiplierAndConstantAddends) {
  RandomGraph small(14);
  small.input("x", {1, 3, 6, 6}).output("y");
  small.conv("x", "a", {3, 3, 1, 1}).node("Add", {"a", "shift"}, {"s"}).constant("shift", small.draw({3, 1, 1}));
  small.node("MaxPool", {"s"}, {"m"});
  small.last_node().attributes.set("kernel_shape", std::vector<std::int64_t>{2, 2});
  small.conv("m", "d", {6, 1, 3, 3}, 3).clamp(-2.0F, 2.0F);
  small.node("ReduceMean", {"d", "axes"}, {"r"}).constant("axes", Tensor::of<std::int64_t>(Shape{2}, {2, 3}));
  small.last_node().attributes.set("keepdims", std::int64_t{0});
  small.linear("Gemm", "r", "y", {6, 2}, 2);
  expect_same_function(small, 2, {1, 3, 6, 6});
}

TEST(ScaleChannels, BoundsBecomeThoseOfChannelsAndCollapseAgain) {
  RandomGraph small(15);
  small.input("x", {1, 3, 2, 2}).output("y");
  small.conv("x", "a", {2, 3, 1, 1}).clamp(0.0F, 6.0F);
  small.conv("a", "y", {2, 2, 1, 1});
  const ScalingGroups found = find_scaling_groups(small.graph(), facts_of(small.graph()));
  ASSERT_EQ(found.groups.size(), 1U);
  const std::vector<std::vector<double>> there{{2.0, 0.5}};
  const Result<graph::Graph> scaled = scale_channels(small.graph(), found.groups, there);
  ASSERT_TRUE(scaled.ok()) << scaled.error().message;
  const auto& clamp = scaled->nodes[0].clamp;
  ASSERT_TRUE(clamp && clamp->channels);
  EXPECT_EQ(clamp->channels->inner_axes, 2);
  EXPECT_THAT(clamp->channels->min, ElementsAre(0.0F, 0.0F));
  EXPECT_THAT(clamp->channels->max, ElementsAre(3.0F, 12.0F));
  EXPECT_EQ(clamp->max, 12.0F);
  const std::vector<std::vector<double>> back{{0.5, 2.0}};
  const Result<graph::Graph> restored = scale_channels(*scaled, found.groups, back);
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_EQ(restored->nodes[0].clamp, small.graph().nodes[0].clamp);
  for (const char* name : {"a.w", "a.b", "y.w"}) {
    const graph::ValueId id = small.value(name);
    EXPECT_TRUE(identical(*graph::constant_of(*restored, id), *graph::constant_of(small.graph(), id))) << name;
  }
}

TEST(ScaleChannels, WeightsBeyondFloat32AreAnError) {
  RandomGraph small(16);
  small.input("x", {1, 3, 2, 2}).output("y");
  small.conv("x", "a", {2, 3, 1, 1}).conv("a", "y", {2, 2, 1, 1});
  const ScalingGroups found = find_scaling_groups(small.graph(), facts_of(small.graph()));
  const std::vector<std::vector<double>> factors{{1e60, 1.0}};
  const Result<graph::Graph> scaled = scale_channels(small.graph(), found.groups, factors);
  ASSERT_FALSE(scaled.ok());
  EXPECT_THAT(scaled.error().message, testing::HasSubstr("'y.w'"));
}

}  // namespace
}  // namespace halfstep::tune
