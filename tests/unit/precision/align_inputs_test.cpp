// align_inputs_test.cpp: who shares a grid, and who does not.
#include "precision/align_inputs.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "precision/assign_encodings.hpp"
#include "precision/choose_tensors.hpp"
#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

calib::Observation seen(float deviation, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(5000);
  for (float& x : values) x = normal(rng);
  calib::Observation observation;
  const calib::Moments moments = calib::measure(values).moments;
  observation.moments.add(moments);
  observation.samples.add(moments);
  observation.histogram.add(values);
  return observation;
}

/// a, b -> Add -> s;  s -> Relu -> r. Deviations of a and b decide.
struct Sum {
  Sum(float of_a, float of_b, RangeMethod method = RangeMethod::kMinMax) {
    builder.input("a").input("b").node("Add", {"a", "b"}, {"s"}).node("Relu", {"s"}, {"r"}).output("r");
    a = builder.value("a");
    b = builder.value("b");
    facts = float_facts(builder.graph());
    options.align_inputs = true;
    options.act_range.method = method;
    plan = choose_tensors(builder.graph(), facts, options);
    observations.emplace("a", seen(of_a, 1));
    observations.emplace("b", seen(of_b, 2));
    observations.emplace("s", seen(of_a + of_b, 3));
    observations.emplace("r", seen(of_a, 4));
    const std::vector<double> floors(builder.graph().values.size(), -std::numeric_limits<double>::infinity());
    changed = align_inputs(builder.graph(), facts, observations, floors, plan);
  }

  GraphBuilder builder;
  ValueId a, b;
  ops::Facts facts;
  Options options;
  Plan plan;
  calib::Observations observations;
  int changed = 0;
};

TEST(AlignInputs, AddendsOfLikeRangesShare) {
  const Sum sum(1.0F, 1.1F);
  EXPECT_EQ(sum.changed, 1);
  EXPECT_EQ(sum.plan.of(sum.b).source, Source::kShared);
  EXPECT_EQ(sum.plan.of(sum.b).shared_with, sum.a);
  EXPECT_EQ(sum.plan.of(sum.a).joined, std::vector<ValueId>{sum.b});
  const auto assigned = assign_encodings(sum.builder.graph(), sum.facts, sum.plan, sum.observations);
  ASSERT_TRUE(assigned.ok());
  const Encoding& of_a = assigned->encodings.at("a").encoding;
  EXPECT_EQ(of_a, assigned->encodings.at("b").encoding);
  // It covers both.
  for (const char* name : {"a", "b"}) {
    EXPECT_LE(of_a.real_min(), sum.observations.at(name).moments.min + of_a.params()[0].scale) << name;
    EXPECT_GE(of_a.real_max(), sum.observations.at(name).moments.max - of_a.params()[0].scale) << name;
  }
}

TEST(AlignInputs, AddendsOfUnlikeRangesKeepTheirGrids) {
  EXPECT_EQ(Sum(1.0F, 2.5F).changed, 0);
  EXPECT_EQ(Sum(0.01F, 1.0F, RangeMethod::kMse).changed, 0);
  EXPECT_EQ(Sum(1.0F, 1.2F, RangeMethod::kMse).changed, 1);
}

TEST(AlignInputs, WatchesAskForHistogramsOfAddendsOnlyThen) {
  Sum sum(1.0F, 1.0F);
  const auto histograms = [&](const Plan& plan) {
    int count = 0;
    for (const calib::Watch& watch : watches_of(sum.builder.graph(), sum.facts, plan)) count += watch.histogram ? 1 : 0;
    return count;
  };
  sum.options.align_inputs = false;
  EXPECT_EQ(histograms(choose_tensors(sum.builder.graph(), sum.facts, sum.options)), 0);
  sum.options.align_inputs = true;
  EXPECT_EQ(histograms(choose_tensors(sum.builder.graph(), sum.facts, sum.options)), 2);
}

/// x -> Concat(x, y) -> c, and x is read by Relu, too.
TEST(AlignInputs, WhatConcatSharesWithOthersTakesItsGridIfThatIsNear) {
  for (const float of_x : {0.9F, 0.2F}) {
    GraphBuilder builder;
    builder.input("x").input("y").node("Concat", {"x", "y"}, {"c"}).node("Relu", {"x"}, {"r"}).output("r").output("c");
    const ValueId x = builder.value("x");
    const ops::Facts facts = float_facts(builder.graph());
    Options options;
    options.align_inputs = true;
    Plan plan = choose_tensors(builder.graph(), facts, options);
    ASSERT_EQ(plan.of(x).source, Source::kObserved);
    calib::Observations observations;
    observations.emplace("x", seen(of_x, 1));
    observations.emplace("y", seen(1.0F, 2));
    observations.emplace("c", seen(1.0F, 2));
    observations.emplace("r", seen(of_x, 3));
    const std::vector<double> floors(builder.graph().values.size(), -std::numeric_limits<double>::infinity());
    const int changed = align_inputs(builder.graph(), facts, observations, floors, plan);
    EXPECT_EQ(changed, of_x > 0.5F ? 1 : 0) << of_x;
    EXPECT_EQ(plan.of(x).source, of_x > 0.5F ? Source::kShared : Source::kObserved);
  }
}

/// x -> Concat(x, y) -> c,  c -> Add(c, b) -> s;  x is read by Relu, too: what c takes over, x takes over.
TEST(AlignInputs, WhatFollowsAConcatIsAskedAgain) {
  GraphBuilder builder;
  builder.input("x").input("y").input("b").node("Concat", {"x", "y"}, {"c"}).node("Add", {"c", "b"}, {"s"});
  builder.node("Relu", {"x"}, {"r"}).output("r").output("s").output("c");
  const ops::Facts facts = float_facts(builder.graph());
  Options options;
  options.align_inputs = true;
  for (const float of_b : {1.05F, 1.35F}) {
    Plan plan = choose_tensors(builder.graph(), facts, options);
    calib::Observations observations;
    observations.emplace("x", seen(0.85F, 1));
    observations.emplace("y", seen(1.0F, 2));
    observations.emplace("c", seen(1.0F, 2));
    observations.emplace("b", seen(of_b, 2));
    observations.emplace("s", seen(2.0F, 5));
    observations.emplace("r", seen(0.85F, 3));
    const std::vector<double> floors(builder.graph().values.size(), -std::numeric_limits<double>::infinity());
    // x follows c; c alone would follow b as far as 1.41 times its step, x with its two readers not so far.
    EXPECT_EQ(align_inputs(builder.graph(), facts, observations, floors, plan), of_b < 1.2F ? 2 : 1) << of_b;
    EXPECT_EQ(plan.of(builder.value("x")).source, Source::kShared);
  }
}

}  // namespace
}  // namespace halfstep::precision
