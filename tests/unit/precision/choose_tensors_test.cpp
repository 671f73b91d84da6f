// choose_tensors_test.cpp: who gets an encoding, and from where.
#include "precision/choose_tensors.hpp"

#include <gtest/gtest.h>

#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

Tensor weight() { return Tensor::of<float>({1, 1, 1, 1}, {1.0F}); }

/// The plan of `builder`'s graph, by tensor name.
class Chosen {
 public:
  Chosen(GraphBuilder& builder, const Options& options)
      : graph_(builder.graph()), plan_(choose_tensors(graph_, float_facts(graph_), options, {})) {}
  explicit Chosen(GraphBuilder& builder, const EncodingSet& frozen = {})
      : Chosen(builder, float_facts(builder.graph()), frozen) {}
  Chosen(GraphBuilder& builder, const ops::Facts& facts, const EncodingSet& frozen)
      : graph_(builder.graph()), plan_(choose_tensors(graph_, facts, Options{}, frozen)) {}

  /// "observed", "fixed", "frozen", "float", or "as x".
  std::string operator[](const std::string& name) const {
    const TensorPlan& plan = at(name);
    switch (plan.source) {
      case Source::kFloat:
        return "float";
      case Source::kObserved:
        return "observed";
      case Source::kFixed:
        return "fixed";
      case Source::kImported:
        return "frozen";
      case Source::kConstant:
        return "its values";
      case Source::kDerived:
        return "derived";
      case Source::kShared:
        return "as " + graph_.value(plan.shared_with).name;
    }
    return "";
  }
  const TensorPlan& at(const std::string& name) const { return plan_.of(graph::find_value(graph_, name)); }
  const Plan& all() const { return plan_; }

 private:
  const graph::Graph& graph_;
  Plan plan_;
};

TensorEncoding frozen_entry() {
  return {.encoding = *Encoding::per_tensor({0, 255}, {0.5, 3}), .provenance = {}, .codes = {}, .frozen = true};
}

TEST(ChooseTensors, MovementSharesItsInputsEncoding) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).constant("shape", Tensor::of<std::int64_t>({1}, {-1}));
  g.node("Conv", {"x", "w"}, {"c"}).node("MaxPool", {"c"}, {"m"}).node("Reshape", {"m", "shape"}, {"r"});
  g.node("Softmax", {"r"}, {"y"}).output("y");
  const Chosen chosen(g);
  EXPECT_EQ(chosen["x"], "observed");
  EXPECT_EQ(chosen["c"], "observed");
  EXPECT_EQ(chosen["m"], "as c");
  EXPECT_EQ(chosen["r"], "as c");
  EXPECT_EQ(chosen["y"], "fixed");
  EXPECT_EQ(chosen["w"], "its values");
  EXPECT_EQ(chosen.at("w").axis, 0);
  EXPECT_EQ(chosen.at("c").why, "computed by node 'c_node' (Conv)");
  const std::vector<calib::Watch> watches = watches_of(g.graph(), float_facts(g.graph()), chosen.all());
  ASSERT_EQ(watches.size(), 3U);  // x, c, and the rows that Softmax reads.
  for (const calib::Watch& watch : watches) {
    EXPECT_EQ(watch.row_axis.has_value(), watch.value == g.value("r"));
    EXPECT_FALSE(watch.histogram);
  }
}

TEST(ChooseTensors, AClampedMovementHasItsOwnGrid) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).node("Conv", {"x", "w"}, {"c"}).node("MaxPool", {"c"}, {"m"}).output("m");
  g.graph().nodes[1].clamp = graph::FusedClamp{};
  EXPECT_EQ(Chosen(g)["m"], "observed");
}

TEST(ChooseTensors, AroundFloatOperatorsOnlyWhatIntegersReadIsEncoded) {
  GraphBuilder g;
  g.input("x").input("only_float").constant("w", weight());
  g.node("Conv", {"x", "w"}, {"c"});             // Read by an island only, but integer: encoded.
  g.node("Einsum", {"c", "only_float"}, {"e"});  // Island.
  g.node("Transpose", {"e"}, {"t"});             // Moves floats between islands.
  g.node("Einsum", {"t"}, {"e2"});               // Island.
  g.node("Transpose", {"e2"}, {"t2"});           // Moves towards an integer operator.
  g.node("Conv", {"t2", "w"}, {"y"}).output("y");
  const Chosen chosen(g);
  EXPECT_EQ(chosen["c"], "observed");
  EXPECT_EQ(chosen["only_float"], "float");
  EXPECT_EQ(chosen["e"], "float");
  EXPECT_EQ(chosen["t"], "float");
  EXPECT_EQ(chosen.at("t").why, "neither computed nor needed by an operator that runs on integers");
  EXPECT_EQ(chosen["e2"], "observed");
  EXPECT_EQ(chosen["t2"], "as e2");
}

TEST(ChooseTensors, ConcatGivesItsEncodingToWhatNobodyElseReads) {
  GraphBuilder g;
  g.input("x").constant("w", weight());
  g.node("Conv", {"x", "w"}, {"alone"}).node("Conv", {"x", "w"}, {"read_twice"}).node("Sigmoid", {"x"}, {"fixed"});
  g.node("Conv", {"x", "w"}, {"c"}).node("MaxPool", {"c"}, {"pooled"});
  g.node("Concat", {"alone", "read_twice", "fixed", "pooled"}, {"joined"});
  g.node("Conv", {"read_twice", "w"}, {"other"}).node("Concat", {"joined", "other"}, {"y"}).output("y");
  const Chosen chosen(g);
  EXPECT_EQ(chosen["y"], "observed");
  EXPECT_EQ(chosen["joined"], "as y");
  EXPECT_EQ(chosen["other"], "as y");
  EXPECT_EQ(chosen["alone"], "as y");
  EXPECT_EQ(chosen["c"], "as y");
  EXPECT_EQ(chosen["pooled"], "as y");
  EXPECT_EQ(chosen["read_twice"], "observed");
  EXPECT_EQ(chosen["fixed"], "fixed");
}

TEST(ChooseTensors, ConcatOfIntegerAndFloatEncodesBoth) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).node("Conv", {"x", "w"}, {"c"}).node("Einsum", {"x"}, {"e"});
  g.node("Concat", {"c", "e"}, {"y"}).output("y");
  const Chosen chosen(g);
  EXPECT_EQ(chosen["y"], "observed");
  EXPECT_EQ(chosen["e"], "as y");
}

TEST(ChooseTensors, SplitOutputsShareButDontPassConcatUpwards) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).node("Conv", {"x", "w"}, {"c"}).node("Split", {"c"}, {"s1", "s2"});
  g.node("Conv", {"s1", "w"}, {"d"}).node("Concat", {"d", "s2"}, {"y"}).output("y");
  const Chosen chosen(g);
  EXPECT_EQ(chosen["s1"], "as c");
  EXPECT_EQ(chosen["s2"], "as c");
  EXPECT_EQ(chosen["c"], "observed");
  EXPECT_EQ(chosen["d"], "as y");
}

TEST(ChooseTensors, GraphOutputsKeepTheirOwnGridInFrontOfConcat) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).node("Conv", {"x", "w"}, {"c"}).node("Conv", {"x", "w"}, {"d"});
  g.node("Concat", {"c", "d"}, {"y"}).output("y").output("c");
  EXPECT_EQ(Chosen(g)["c"], "observed");
}

TEST(ChooseTensors, FrozenEncodingsWin) {
  GraphBuilder g;
  g.input("x").constant("w", weight()).node("Conv", {"x", "w"}, {"c"}).node("MaxPool", {"c"}, {"m"});
  g.node("Transpose", {"m"}, {"t"}).output("t");
  EncodingSet frozen;
  frozen.emplace("m", frozen_entry());
  const Chosen chosen(g, frozen);
  EXPECT_EQ(chosen["m"], "frozen");
  EXPECT_EQ(chosen["t"], "as m");
  EXPECT_EQ(chosen["c"], "as m");  // Nobody else reads it.

  frozen.insert_or_assign(
      "m", TensorEncoding{
               .encoding = *Encoding::per_channel({0, 255}, 1, {{0.5, 0}, {0.25, 0}}), .provenance = {}, .codes = {}});
  const Chosen per_channel(g, frozen);
  EXPECT_EQ(per_channel["t"], "observed");  // The axis may have moved.
  EXPECT_EQ(per_channel["c"], "observed");
}

TEST(ChooseTensors, WhatIsNotFloatOrNotKnownStays) {
  GraphBuilder g;
  g.input("i").input("x").node("Add", {"i", "i"}, {"sum"}).node("Sigmoid", {"x"}, {"unknown"});
  g.node("Sigmoid", {"unknown"}, {"y"}).output("sum").output("y");
  ops::Facts facts = float_facts(g.graph());
  for (const char* name : {"i", "sum"}) {
    facts[static_cast<std::size_t>(g.value(name))].type = TensorType{DType::kInt64, {1}};
  }
  facts[static_cast<std::size_t>(g.value("unknown"))].type.reset();
  const Chosen chosen(g, facts, {});
  EXPECT_EQ(chosen["i"], "float");
  EXPECT_EQ(chosen["sum"], "float");
  EXPECT_EQ(chosen["unknown"], "float");
  EXPECT_EQ(chosen["y"], "float");
  EXPECT_EQ(chosen["x"], "float");
}

TEST(ChooseTensors, GatherFromATableSharesTheTablesGrid) {
  GraphBuilder g;
  g.constant("table", Tensor::of<float>({2}, {1.0F, 2.0F})).input("ids").constant("w", weight());
  g.node("Gather", {"table", "ids"}, {"row"}).node("Conv", {"row", "w"}, {"y"}).output("y");
  ops::Facts facts = float_facts(g.graph());
  facts[static_cast<std::size_t>(g.value("ids"))].type = TensorType{DType::kInt64, {1}};
  const Chosen chosen(g, facts, {});
  EXPECT_EQ(chosen["row"], "as table");
  EXPECT_EQ(chosen["ids"], "float");
}

TEST(ChooseTensors, WeightsAloneWithActivationsOf32Bits) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({2, 1}, {1.0F, 2.0F})).constant("b", Tensor::of<float>({1}, {1.0F}));
  g.constant("v", Tensor::of<float>({1, 2}, {1.0F, 2.0F})).constant("k", Tensor::of<float>({1}, {1.0F}));
  g.node("Gemm", {"x", "w", "b"}, {"y"}).node("Add", {"y", "k"}, {"a"}).node("MatMul", {"a", "v"}, {"m"}).output("m");
  Options options;
  options.act_bits = 32;
  const Chosen plain(g, options);
  for (const char* name : {"x", "y", "a", "m", "b", "k"}) EXPECT_EQ(plain[name], "float") << name;
  EXPECT_EQ(plain[std::string("w")], "its values");
  EXPECT_EQ(plain.at("w").axis, 1);
  options.block_size = 32;
  const Chosen blocked(g, options);
  EXPECT_EQ(blocked.at("w").axis, std::nullopt);
  EXPECT_EQ(blocked.at("w").block_axis, 0);
  EXPECT_EQ(blocked.at("w").block_size, 32);
}

TEST(ChooseTensors, GridsByChannelKeepTheWholeRangeIfSaidSo) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({2, 1, 1, 1}, {1.0F, 2.0F}));
  g.node("Conv", {"x", "w"}, {"c"}).node("Conv", {"c", "w"}, {"y"}).output("y");
  g.last_node().attributes.set("group", std::int64_t{2});
  ops::Facts facts = float_facts(g.graph());
  facts[static_cast<std::size_t>(g.value("c"))].type = TensorType{DType::kFloat32, {1, 2, 4, 4}};
  Options options;
  options.act_per_channel = ActPerChannel::kDepthwise;
  options.act_range.method = RangeMethod::kPercentile;
  for (const bool keeps : {false, true}) {
    options.channels_keep_range = keeps;
    const Plan plan = choose_tensors(g.graph(), facts, options, {});
    const TensorPlan& c = plan.of(g.value("c"));
    EXPECT_EQ(c.axis, 1);
    EXPECT_EQ(c.rule.method, keeps ? RangeMethod::kMinMax : RangeMethod::kPercentile);
    EXPECT_EQ(plan.of(g.value("x")).rule.method, RangeMethod::kPercentile);
  }
}

}  // namespace
}  // namespace halfstep::precision
