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
using Mixed = MixedPrecision;
using Names = std::vector<std::string>;
using Types = std::vector<std::pair<std::string, NumberKind>>;

/// Options of which one is set.
template <class T>
Mixed with(T Mixed::*member, T value) {
  Mixed mixed;
  mixed.*member = std::move(value);
  return mixed;
}

/// x -> Conv 'c_node' with a fused Relu 'act' -> c -> Sigmoid 's_node' -> s -> Gemm 'y_node' -> y.
GraphBuilder network() {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1.0F})).constant("v", Tensor::of<float>({1, 1}, {1.0F}));
  g.node("Conv", {"x", "w"}, {"c"}).last_node().clamp = graph::FusedClamp{};
  g.last_node().clamp->node_name = "act";
  g.node("Sigmoid", {"c"}, {"s"}).node("Gemm", {"s", "v"}, {"y"}).output("y");
  return g;
}

Result<MixedOrders> made(const Mixed& mixed) {
  const GraphBuilder g = network();
  Options options;
  options.mixed = mixed;
  return mixed_orders(g.graph(), float_facts(g.graph()), options);
}

std::string error_of(const Mixed& mixed) {
  const Result<MixedOrders> result = made(mixed);
  return result.ok() ? "no error" : result.error().message;
}

/// The names that have orders.
Names ordered(const Mixed& mixed) {
  const Result<MixedOrders> result = made(mixed);
  EXPECT_TRUE(result.ok()) << result.error().message;
  Names names;
  for (const auto& entry : result->orders) names.push_back(entry.first);
  return names;
}

TEST(MixedOrders, NodesGoByTheirNamesTheirOutputsAndWhatIsFusedIntoThem) {
  for (const char* name : {"c_node", "c", "act", "c_*", "a*t"}) {
    EXPECT_EQ(ordered(with(&Mixed::output_16bit_names, Names{name})), Names{"c"}) << name;
    EXPECT_EQ(ordered(with(&Mixed::exclude_nodes, Names{name})), Names{"c"}) << name;
    EXPECT_EQ(ordered(with(&Mixed::params_16bit_names, Names{name})), Names{"w"}) << name;
  }
  EXPECT_EQ(ordered(with(&Mixed::output_16bit_names, Names{"*_node"})), (Names{"c", "s", "y"}));
  EXPECT_EQ(ordered(with(&Mixed::params_16bit_names, Names{"c_node", "y_node"})), (Names{"v", "w"}));
}

TEST(MixedOrders, OperatorsByType) {
  EXPECT_EQ(ordered(with(&Mixed::op_types, Types{{"Sigmoid", {16, false}}})), Names{"s"});
  EXPECT_EQ(ordered(with(&Mixed::exclude_op_types, Names{"Gemm"})), Names{"y"});
  const Result<MixedOrders> half = made(with(&Mixed::op_types, Types{{"Conv", {16, true}}}));
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(half->orders.at("c").back().real, RealFormat::kFloat16);
  EXPECT_EQ(half->orders.at("c").back().by, "--op_type_bitwidth Conv=float16");
}

TEST(MixedOrders, LaterMembersAreStronger) {
  Mixed mixed = with(&Mixed::output_16bit_names, Names{"c"});
  mixed.op_types = {{"Conv", {4, false}}};
  mixed.exclude_nodes = {"c"};
  mixed.float_bits = 16;
  const Result<MixedOrders> result = made(mixed);
  ASSERT_TRUE(result.ok());
  const std::vector<Order>& orders = result->orders.at("c");
  ASSERT_EQ(orders.size(), 3U);
  EXPECT_TRUE(orders[0].bits && orders[1].bits && orders[2].real == RealFormat::kFloat16);
}

TEST(MixedOrders, FirstLayersReadInputs) {
  EXPECT_EQ(ordered(with(&Mixed::first_layer_params_16bit, true)), Names{"w"});
}

TEST(MixedOrders, WhatIsNotThereIsAnErrorWithTheNearestName) {
  EXPECT_THAT(error_of(with(&Mixed::exclude_nodes, Names{"c_nod"})),
              AllOf(HasSubstr("--exclude_nodes"), HasSubstr("'c_node'")));
  EXPECT_THAT(error_of(with(&Mixed::output_16bit_names, Names{"none*"})),
              HasSubstr("--output_feature_16bit_names_list"));
  EXPECT_THAT(error_of(with(&Mixed::exclude_op_types, Names{"Sigmoidd"})),
              AllOf(HasSubstr("'Sigmoidd'"), HasSubstr("'Sigmoid'")));
  EXPECT_THAT(error_of(with(&Mixed::params_16bit_names, Names{"s_node"})), HasSubstr("has no constant weight"));
}

TEST(MixedOrders, WhatHasNoEffectIsAWarning) {
  for (const Mixed& mixed :
       {with(&Mixed::exclude_op_types, Names{"Softmax"}), with(&Mixed::depthwise_params_16bit, true)}) {
    const Result<MixedOrders> result = made(mixed);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->orders.empty());
    ASSERT_EQ(result->warnings.size(), 1U);
    EXPECT_THAT(result->warnings[0], HasSubstr("has no effect"));
  }
}

}  // namespace
}  // namespace halfstep::precision
