// target_orders_test.cpp: what a target asks of single tensors, and what it finds illegal, on graphs of a few nodes.
#include "precision/target_orders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "precision/choose_tensors.hpp"
#include "precision/target_checks.hpp"
#include "precision/target_converts.hpp"
#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using testing::HasSubstr;

const ops::InputShapes kShapes{{"x", Shape{1, 2, 4, 4}}};

/// x -> Conv -> c -> Sigmoid -> s; Add(c, s) -> y
graph::Graph small_model() {
  GraphBuilder builder;
  builder.input("x", {1, 2, 4, 4})
      .constant("w", Tensor::of<float>({2, 2, 1, 1}, {1.0F, -0.5F, 0.25F, 0.75F}))
      .constant("b", Tensor::of<float>({2}, {0.5F, -0.5F}))
      .node("Conv", {"x", "w", "b"}, {"c"})
      .node("Sigmoid", {"c"}, {"s"})
      .node("Add", {"c", "s"}, {"y"})
      .output("y");
  return builder.graph();
}

OperatorRule rule_of(std::vector<NumberKind> activations) {
  return {.activations = std::move(activations), .weights = {{8, false}}, .biases = {{32, false}}, .fixed_outputs = {}};
}

const std::vector<NumberKind> kByte{{8, false}};
const std::vector<NumberKind> kWord{{16, false}};
const std::vector<NumberKind> kBoth{{8, false}, {16, false}};

TargetProfile target_with(OperatorRule others, std::map<std::string, OperatorRule, std::less<>> operators = {}) {
  TargetProfile target;
  target.name = "t";
  target.scales = {ScaleKind::kAffine};
  target.activation_schemas = {Schema::kAsymmetric};
  target.weight_schemas = {Schema::kSymmetric};
  target.weights_per_channel = WeightsPerChannel::kAll;
  target.others = std::move(others);
  target.operators = std::move(operators);
  return target;
}

/// `graph` as give_orders() leaves it, with what users ask for.
struct Ordered {
  graph::Graph graph;
  ops::Facts facts;
  Given given;
  Plan plan;
  std::vector<std::string> warnings;

  std::optional<NumberKind> kind(const std::string& name) const {
    return kinds_of(graph, facts, plan, given.encodings)[static_cast<std::size_t>(graph::find_value(graph, name))];
  }
};

Ordered ordered(graph::Graph graph, const TargetProfile& target, const Orders& users = {}, EncodingSet imported = {}) {
  const Options options;
  Ordered result;
  graph = split_clamps(std::move(graph), target);
  const ops::Facts facts = *ops::infer_facts(graph, kShapes);
  result.given.encodings = std::move(imported);
  result.given.orders = target_orders(graph, facts, options, target, result.warnings);
  for (const auto& [name, orders] : users) std::ranges::copy(orders, std::back_inserter(result.given.orders[name]));
  follow_target(graph, facts, options, target, result.given);
  result.graph = *convert_widths(std::move(graph), kShapes, options, target, result.given);
  result.facts = *ops::infer_facts(result.graph, kShapes);
  result.plan = choose_tensors(result.graph, result.facts, options, result.given);
  return result;
}

std::string objection(const Ordered& model, const TargetProfile& target) {
  const auto legal = check_kinds(model.graph, target,
                                 kinds_of(model.graph, model.facts, model.plan, model.given.encodings), model.plan);
  return legal.ok() ? "" : legal.error().message;
}

std::int64_t count_identities(const graph::Graph& graph) {
  return std::ranges::count_if(graph.nodes, [](const graph::Node& node) { return node.op_type == "Identity"; });
}

TEST(TargetOrders, NothingIsAskedWhereTheGeneralWidthIsLegal) {
  const TargetProfile target = target_with(rule_of(kBoth));
  const Ordered model = ordered(small_model(), target);
  EXPECT_TRUE(model.given.orders.empty());
  EXPECT_EQ(count_identities(model.graph), 0);
  EXPECT_EQ(objection(model, target), "");
}

TEST(TargetOrders, AnOperatorGetsTheWidthItHasWithConvertsAroundIt) {
  const TargetProfile target = target_with(rule_of(kByte), {{"Sigmoid", rule_of(kWord)}});
  const Ordered model = ordered(small_model(), target);
  EXPECT_EQ(model.kind("s")->bits, 16);
  EXPECT_EQ(model.kind("c_16bit")->bits, 16);
  EXPECT_EQ(model.kind("c")->bits, 8);
  EXPECT_EQ(model.kind("s_8bit")->bits, 8);
  EXPECT_EQ(count_identities(model.graph), 2);
  EXPECT_EQ(objection(model, target), "");
}

TEST(TargetOrders, ATensorIsConvertedOnceForAllReaders) {
  OperatorRule rule = rule_of(kBoth);
  rule.one_width = true;
  const TargetProfile target = target_with(rule);
  const Orders users{{"s", {{.bits = 16, .by = "user"}}}, {"y", {{.bits = 16, .by = "user"}}}};
  const Ordered model = ordered(small_model(), target, users);
  EXPECT_EQ(count_identities(model.graph), 1);
  const auto readers = std::ranges::count_if(model.graph.nodes, [&](const graph::Node& node) {
    return std::ranges::count(node.inputs, graph::find_value(model.graph, "c_16bit")) > 0;
  });
  EXPECT_EQ(readers, 2);
  EXPECT_EQ(objection(model, target), "");
}

TEST(TargetOrders, AWidthGoesThroughWhatKeepsPrecisionUnlessAnotherIsAskedFor) {
  OperatorRule keeps = rule_of(kBoth);
  keeps.keeps_precision = true;
  const TargetProfile target = target_with(rule_of(kBoth), {{"Sigmoid", keeps}});
  const Orders wide{{"s", {{.bits = 16, .by = "user"}}}};
  const Ordered up = ordered(small_model(), target, wide);
  EXPECT_EQ(up.kind("c")->bits, 16);
  EXPECT_EQ(count_identities(up.graph), 0);
  Orders fixed = wide;
  fixed["c"] = {{.bits = 8, .by = "user"}};
  const Ordered held = ordered(small_model(), target, fixed);
  EXPECT_EQ(held.kind("c")->bits, 8);
  EXPECT_EQ(held.kind("c_16bit")->bits, 16);
  EXPECT_EQ(objection(held, target), "");
}

TEST(TargetOrders, FixedOutputsAreEncodingsUnlessOverridden) {
  OperatorRule sigmoid = rule_of(kByte);
  sigmoid.fixed_outputs = {*Encoding::per_tensor(unsigned_grid(8), {1.0 / 256, 0})};
  const TargetProfile target = target_with(rule_of(kByte), {{"Sigmoid", sigmoid}});
  const Ordered model = ordered(small_model(), target);
  const TensorEncoding* fixed = find_encoding(model.given.encodings, "s");
  ASSERT_NE(fixed, nullptr);
  EXPECT_EQ(fixed->encoding, sigmoid.fixed_outputs[0]);
  EXPECT_EQ(to_string(fixed->provenance).find("target t") == std::string::npos, false);
  EXPECT_TRUE(check_grids(model.graph, model.facts, target, model.given.encodings).ok());

  EncodingSet own;
  own.emplace("s", TensorEncoding{.encoding = *Encoding::per_tensor(unsigned_grid(8), {1.0 / 100, 0}),
                                  .provenance = {Origin::kOverridden, "o.json:1"},
                                  .codes = {},
                                  .frozen = true});
  const Ordered mine = ordered(small_model(), target, {}, own);
  EXPECT_EQ(find_encoding(mine.given.encodings, "s")->encoding.params()[0].scale, QuantParams({0.01F, 0}).scale);
  const auto legal = check_grids(mine.graph, mine.facts, target, mine.given.encodings);
  ASSERT_FALSE(legal.ok());
  EXPECT_THAT(legal.error().message,
              HasSubstr("node 's_node' (Sigmoid): 's' has a grid of its own, and target t fixes"));
}

TEST(TargetOrders, OperatorsThatAreMissingStayRealOnTheHost) {
  TargetProfile target = target_with(rule_of(kByte));
  target.operators = {{"Conv", rule_of(kByte)}, {"Add", rule_of(kByte)}};
  target.others.reset();
  EXPECT_THAT(objection(ordered(small_model(), target), target),
              HasSubstr("node 's_node' (Sigmoid): target t has no such operator"));
  target.host = {{32, true}};
  const Ordered model = ordered(small_model(), target);
  EXPECT_TRUE(model.kind("s")->real);
  ASSERT_EQ(model.warnings.size(), 1u);
  EXPECT_EQ(model.warnings[0], "node 's_node' (Sigmoid) stays float: target t has no Sigmoid");
}

TEST(TargetOrders, ClampsComeApartWhereTheyAreNotFused) {
  graph::Graph graph = small_model();
  graph.nodes[0].clamp = graph::FusedClamp{.min = 0.0F, .max = 6.0F, .node_name = "relu6", .pre_name = "c_raw"};
  TargetProfile target = target_with(rule_of(kByte));
  EXPECT_EQ(split_clamps(graph, target).nodes.size(), 3u);
  target.fused.emplace().emplace_back("Conv", "Relu6");
  EXPECT_EQ(split_clamps(graph, target).nodes.size(), 3u);
  target.fused.emplace().emplace_back("Conv", "Relu");
  const graph::Graph apart = split_clamps(graph, target);
  ASSERT_EQ(apart.nodes.size(), 4u);
  ASSERT_TRUE(graph::verify(apart).ok());
  EXPECT_EQ(apart.nodes[1].op_type, "Clip");
  EXPECT_EQ(apart.nodes[1].name, "relu6");
  EXPECT_EQ(apart.value(apart.nodes[0].outputs[0]).name, "c_raw");
  EXPECT_EQ(apart.value(apart.nodes[1].outputs[0]).name, "c");
  EXPECT_FALSE(apart.nodes[0].clamp.has_value());
}

TEST(CheckKinds, NamesNodeTensorRuleAndWhoAsked) {
  const TargetProfile target = target_with(rule_of(kByte));
  const Orders users{{"w", {{.bits = 16, .by = "o.json:3: param_encodings 'w'"}}}};
  EXPECT_EQ(objection(ordered(small_model(), target, users), target),
            "node 'c_node' (Conv): its weight 'w' has 16 bits, and target t takes 8 bits there; give it one of these; "
            "what asks for it is '16 bits: o.json:3: param_encodings 'w''");
}

}  // namespace
}  // namespace halfstep::precision
