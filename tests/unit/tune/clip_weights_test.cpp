// Contract under test: src/tune/clip_weights.hpp.
#include "tune/clip_weights.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "unit/passes/pass_support.hpp"

namespace halfstep::tune {
namespace {

using precision::Plan;

Tensor normal_tensor(Shape shape, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> draw(0.0F, 0.5F);
  Tensor tensor(TensorType{DType::kFloat32, std::move(shape)});
  std::generate_n(tensor.mutable_data<float>(), tensor.num_elements(), [&] { return draw(rng); });
  return tensor;
}

struct OneLayer {
  graph::Graph graph;
  Plan plan;
  graph::ValueId weight = graph::kNoValue;

  const Tensor& values(const graph::Graph& of) const { return *graph::constant_of(of, weight); }
};

/// A Conv with this weight on a grid of its own, or one for each output channel.
OneLayer conv_with(Tensor weight, bool per_channel) {
  passes::Model m;
  const auto x = m.input("x", {1, weight.shape()[1], 4, 4});
  OneLayer layer;
  layer.weight = m.constant("w", std::move(weight));
  m.output(m.node("Conv", {x, layer.weight}, "y"));
  layer.graph = m.graph;
  layer.plan.tensors.resize(layer.graph.values.size());
  precision::TensorPlan& planned = layer.plan.of(layer.weight);
  planned.source = precision::Source::kConstant;
  planned.role = ops::OperandRole::kWeight;
  if (per_channel) planned.axis = 0;
  return layer;
}

TEST(ClipWeights, ARowFarAboveTheTypicalOneIsBroughtDownToTheFactor) {
  const OneLayer layer = conv_with(Tensor::of<float>({3, 2, 1, 1}, {1.0F, -0.5F, 0.25F, 2.0F, -20.0F, 7.0F}), false);
  const Result<WeightClipping> result = clip_weights(layer.graph, layer.plan, {});
  ASSERT_TRUE(result.ok());
  // The largest of the rows are 1, 2 and 20: the bound is 4 * 2.
  EXPECT_TRUE(
      identical(layer.values(result->graph), Tensor::of<float>({3, 2, 1, 1}, {1.0F, -0.5F, 0.25F, 2.0F, -8.0F, 7.0F})));
  ASSERT_EQ(result->clipped.size(), 1U);
  EXPECT_EQ(to_string(result->clipped[0]), "'w': 1 of 6 values clipped, one from 20 to 8");
}

TEST(ClipWeights, NormalRowsStayAndTheOutlierAmongThemGoes) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Tensor weight = normal_tensor({8, 32, 3, 3}, seed);
    const OneLayer normal = conv_with(weight, true);
    EXPECT_TRUE(clip_weights(normal.graph, normal.plan, {})->clipped.empty());
    Tensor changed = Tensor::copy_of(weight.view());
    changed.mutable_data<float>()[0] = 50.0F;
    const OneLayer layer = conv_with(changed, true);
    const Result<WeightClipping> result = clip_weights(layer.graph, layer.plan, {});
    ASSERT_EQ(result->clipped.size(), 1U);
    EXPECT_EQ(result->clipped[0].num_clipped, 1);
    EXPECT_DOUBLE_EQ(result->clipped[0].largest_before, 50.0);
    // 1.5 times what 288 values of deviation 0.5 reach at most on average, by their own median.
    EXPECT_NEAR(result->clipped[0].largest_after, 1.5 * 0.5 * std::sqrt(2.0 * std::log(2.0 * 288.0)), 0.7);
  }
}

TEST(ClipWeights, RowsOfFewValuesAndRowsOfZerosHaveNoBound) {
  const OneLayer few = conv_with(Tensor::of<float>({1, 4, 1, 1}, {0.1F, 0.1F, 0.1F, 100.0F}), true);
  EXPECT_TRUE(clip_weights(few.graph, few.plan, {})->clipped.empty());
  Tensor sparse(TensorType{DType::kFloat32, {1, 20000, 1, 1}});
  sparse.mutable_data<float>()[5] = 3.0F;
  const OneLayer zeros = conv_with(sparse, true);
  EXPECT_TRUE(clip_weights(zeros.graph, zeros.plan, {})->clipped.empty());
  EXPECT_TRUE(clip_weights(zeros.graph, zeros.plan, {.method = ClipMethod::kPercentile})->clipped.empty());
}

TEST(ClipWeights, RowsWithTwoKindsOfValuesHaveNoBound) {
  for (const int num_large : {5, 6}) {
    Tensor weight(TensorType{DType::kFloat32, {1, 100, 1, 1}});
    for (int i = 0; i < 100; ++i) weight.mutable_data<float>()[i] = i < num_large ? 1.0F : 0.01F;
    const OneLayer layer = conv_with(weight, true);
    EXPECT_EQ(clip_weights(layer.graph, layer.plan, {})->clipped.size(), num_large == 5 ? 1U : 0U);
  }
}

TEST(ClipWeights, PercentilesCountValuesOfTheTensorOrOfTheRow) {
  Tensor weight(TensorType{DType::kFloat32, {2, 100, 1, 1}});
  for (int i = 0; i < 200; ++i) weight.mutable_data<float>()[i] = static_cast<float>(i % 2 == 0 ? i + 1 : -i - 1);
  const ClipOptions options{.method = ClipMethod::kPercentile, .shrink = 1.0};
  const OneLayer tensor = conv_with(weight, false);
  const Result<WeightClipping> whole = clip_weights(tensor.graph, tensor.plan, options);
  EXPECT_EQ(whole->clipped.at(0).num_clipped, 2);
  EXPECT_EQ(tensor.values(whole->graph).values<float>()[199], -198.0F);
  const OneLayer channels = conv_with(weight, true);
  const Result<WeightClipping> rows = clip_weights(channels.graph, channels.plan, options);
  EXPECT_EQ(rows->clipped.at(0).num_clipped, 2);
  EXPECT_EQ(channels.values(rows->graph).values<float>()[99], -99.0F);
  EXPECT_EQ(channels.values(rows->graph).values<float>()[199], -199.0F);
}

TEST(ClipWeights, WhatCameWithAnEncodingOrHasNoneStays) {
  const Tensor weight = Tensor::of<float>({3, 1, 1, 1}, {1.0F, 1.0F, 90.0F});
  OneLayer pinned = conv_with(weight, false);
  pinned.graph.value(pinned.weight).pinned = true;
  EXPECT_TRUE(clip_weights(pinned.graph, pinned.plan, {})->clipped.empty());
  for (const precision::Source source : {precision::Source::kImported, precision::Source::kFloat}) {
    OneLayer layer = conv_with(weight, false);
    layer.plan.of(layer.weight).source = source;
    EXPECT_TRUE(clip_weights(layer.graph, layer.plan, {})->clipped.empty());
  }
}

TEST(ClipWeights, BadOptionsAndBadWeightsAreErrors) {
  const OneLayer layer = conv_with(Tensor::of<float>({1, 1, 1, 1}, {1.0F}), false);
  for (const ClipOptions& options :
       {ClipOptions{.tensor_factor = 0.5}, ClipOptions{.row_margin = 0.0},
        ClipOptions{.method = ClipMethod::kPercentile, .shrink = 100.0},
        ClipOptions{.method = ClipMethod::kPercentile, .shrink = std::numeric_limits<double>::quiet_NaN()}}) {
    const Result<WeightClipping> result = clip_weights(layer.graph, layer.plan, options);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kUsage);
  }
  const OneLayer bad = conv_with(Tensor::of<float>({1, 1, 1, 1}, {std::nanf("")}), false);
  EXPECT_EQ(clip_weights(bad.graph, bad.plan, {}).error().code, ErrorCode::kCalibration);
}

}  // namespace
}  // namespace halfstep::tune
