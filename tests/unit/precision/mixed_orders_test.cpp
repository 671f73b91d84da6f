// mixed_orders_test.cpp: options about nodes, names and operators.
#include "precision/mixed_orders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using graph::RealFormat;
using testing::AllOf;
using testing::HasSubstr;

/// x -> Conv 'c_node' with a fused Relu 'act' -> c -> Sigmoid 's_node' -> s -> Gemm 'y_node' -> y.
GraphBuilder network() {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F})).constant("v", Tensor::of<float>({1, 1}, {1.0F}));
  g.node("Conv", {"x", "w"}, {"c"}).last_node().clamp = graph::FusedClamp{.node_name = "act", .pre_name = ""};
  g.node("Sigmoid", {"c"}, {"s"}).node("Gemm", {"s", "v"}, {"y"}).output("y");
  return g;
}

Result<MixedOrders> made(const MixedPrecision& mixed) {
  const GraphBuilder g = network();
  Options options;
  options.mixed = mixed;
  return mixed_orders(g.graph(), float_facts(g.graph()), options);
}

std::string error_of(const MixedPrecision& mixed) {
  const Result<MixedOrders> result = made(mixed);
  return result.ok() ? "no error" : result.error().message;
}

/// The names that have orders.
std::vector<std::string> ordered(const MixedPrecision& mixed) {
  const Result<MixedOrders> result = made(mixed);
  EXPECT_TRUE(result.ok()) << result.error().message;
  std::vector<std::string> names;
  for (const auto& entry : result->orders) names.push_back(entry.first);
  return names;
}

using Names = std::vector<std::string>;

TEST(MixedOrders, NodesGoByTheirNamesTheirOutputsAndWhatIsFusedIntoThem) {
  for (const char* name : {"c_node", "c", "act", "c_*", "a*t"}) {
    EXPECT_EQ(ordered({.output_16bit_names = {name}}), Names{"c"}) << name;
    EXPECT_EQ(ordered({.exclude_nodes = {name}}), Names{"c"}) << name;
    EXPECT_EQ(ordered({.params_16bit_names = {name}}), Names{"w"}) << name;
  }
  EXPECT_EQ(ordered({.output_16bit_names = {"*_node"}}), (Names{"c", "s", "y"}));
  EXPECT_EQ(ordered({.params_16bit_names = {"*"}}), (Names{"v", "w"}));
}

TEST(MixedOrders, OperatorsByType) {
  EXPECT_EQ(ordered({.op_types = {{"Sigmoid", {.bits = 16}}}}), Names{"s"});
  EXPECT_EQ(ordered({.exclude_op_types = {"Gemm"}}), Names{"y"});
  const Result<MixedOrders> half = made({.op_types = {{"Conv", {.bits = 16, .real = true}}}});
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(half->orders.at("c").back().real, RealFormat::kFloat16);
  EXPECT_EQ(half->orders.at("c").back().by, "--op_type_bitwidth Conv=float16");
}

TEST(MixedOrders, TheNarrowerChoiceIsStronger) {
  const Result<MixedOrders> result = made(
      {.output_16bit_names = {"c"}, .op_types = {{"Conv", {.bits = 4}}}, .exclude_nodes = {"c"}, .float_bits = 16});
  ASSERT_TRUE(result.ok());
  const std::vector<Order>& orders = result->orders.at("c");
  ASSERT_EQ(orders.size(), 3U);
  EXPECT_EQ(orders[0].bits, 4);
  EXPECT_EQ(orders[1].bits, 16);
  EXPECT_EQ(orders[2].real, RealFormat::kFloat16);
}

TEST(MixedOrders, FirstLayersReadInputs) { EXPECT_EQ(ordered({.first_layer_params_16bit = true}), Names{"w"}); }

TEST(MixedOrders, WhatIsNotThereIsAnErrorWithTheNearestName) {
  EXPECT_THAT(error_of({.exclude_nodes = {"c_nod"}}), AllOf(HasSubstr("--exclude_nodes"), HasSubstr("'c_node'")));
  EXPECT_THAT(error_of({.output_16bit_names = {"none*"}}), HasSubstr("--output_feature_16bit_names_list"));
  EXPECT_THAT(error_of({.exclude_op_types = {"Sigmoidd"}}), AllOf(HasSubstr("'Sigmoidd'"), HasSubstr("'Sigmoid'")));
  EXPECT_THAT(error_of({.params_16bit_names = {"s_node"}}), HasSubstr("has no constant weight"));
}

TEST(MixedOrders, WhatHasNoEffectIsAWarning) {
  for (const MixedPrecision& mixed :
       {MixedPrecision{.exclude_op_types = {"Softmax"}}, MixedPrecision{.depthwise_params_16bit = true}}) {
    const Result<MixedOrders> result = made(mixed);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->orders.empty());
    ASSERT_EQ(result->warnings.size(), 1U);
    EXPECT_THAT(result->warnings[0], HasSubstr("has no effect"));
  }
}

}  // namespace
}  // namespace halfstep::precision
