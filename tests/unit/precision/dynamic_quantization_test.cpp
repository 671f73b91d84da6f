// dynamic_quantization_test.cpp: layers of small graphs in the form of DynamicQuantizeLinear and integer products.
#include "precision/dynamic_quantization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "unit/precision/graphs.hpp"

namespace halfstep::precision {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DynamicallyQuantized made_of(const GraphBuilder& g, const Options& options = {}) {
  Result<DynamicallyQuantized> made = quantize_dynamically(g.graph(), float_facts(g.graph()), options);
  EXPECT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(graph::verify(made->graph).ok());
  return *std::move(made);
}

std::vector<std::string> operators_of(const graph::Graph& graph) {
  std::vector<std::string> types;
  for (const graph::Node& node : graph.nodes) types.push_back(node.op_type);
  return types;
}

Tensor constant_called(const graph::Graph& graph, const std::string& name) {
  const Tensor* constant = graph::constant_of(graph, graph::find_value(graph, name));
  EXPECT_NE(constant, nullptr) << name;
  return constant == nullptr ? Tensor() : *constant;
}

/// x -> Conv with weights [2, 1, 1, 1] and a bias -> y.
GraphBuilder biased_conv() {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({2, 1, 1, 1}, {1.27F, -0.635F}));
  g.constant("b", Tensor::of<float>({2}, {0.5F, -0.25F}));
  g.node("Conv", {"x", "w", "b"}, {"y"}).output("y");
  return g;
}

/// x -> Gemm with a weight of two rows and three columns -> y.
GraphBuilder gemm(bool with_summand = true) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({2, 3}, {1.27F, 2.54F, 0, 0, -1.27F, -0.635F}));
  g.constant("c", Tensor::of<float>({3}, {1, 2, 3}));
  g.node("Gemm", with_summand ? std::vector<std::string>{"x", "w", "c"} : std::vector<std::string>{"x", "w"}, {"y"});
  g.output("y");
  return g;
}

TEST(DynamicQuantization, AConvolutionKeepsItsOutputAndItsClamp) {
  GraphBuilder g = biased_conv();
  g.last_node().attributes.set("group", std::int64_t{1});
  g.last_node().clamp = graph::FusedClamp{.min = 0, .max = 6, .node_name = "relu", .pre_name = "before"};
  const DynamicallyQuantized made = made_of(g);
  EXPECT_THAT(operators_of(made.graph),
              ElementsAre("DynamicQuantizeLinear", "ConvInteger", "Cast", "Mul", "Mul", "Add"));
  EXPECT_EQ(made.graph.nodes[1].attributes.get_int("group", 0), 1);
  const graph::Node& last = made.graph.nodes.back();
  EXPECT_EQ(last.clamp, g.last_node().clamp);
  EXPECT_EQ(made.graph.value(last.outputs[0]).name, "y");
  EXPECT_EQ(made.graph.outputs[0].value, last.outputs[0]);
  EXPECT_EQ(made.num_conv, 1);
  EXPECT_EQ(made.num_inputs, 1);
  EXPECT_THAT(made.float_layers, IsEmpty());
}

TEST(DynamicQuantization, ScalesAndBiasesOfAConvolutionBroadcastOverItsChannels) {
  const DynamicallyQuantized made = made_of(biased_conv());
  const Tensor scale = constant_called(made.graph, "w_scale");
  EXPECT_EQ(scale.shape(), (Shape{2, 1, 1}));
  EXPECT_FLOAT_EQ(scale.data<float>()[0], 0.01F);
  EXPECT_FLOAT_EQ(scale.data<float>()[1], 0.005F);
  EXPECT_TRUE(
      identical(constant_called(made.graph, "w_quantized"), Tensor::of<std::int8_t>({2, 1, 1, 1}, {127, -127})));
  EXPECT_TRUE(identical(constant_called(made.graph, "w_zero_point"), Tensor::of<std::int8_t>({}, {0})));
  EXPECT_TRUE(identical(constant_called(made.graph, "y_bias"), Tensor::of<float>({2, 1, 1}, {0.5F, -0.25F})));
  EXPECT_EQ(graph::find_value(made.graph, "w"), graph::kNoValue);
  EXPECT_EQ(made.weights.at("w").role, TensorRole::kWeight);
  EXPECT_EQ(made.weights.at("w").encoding.axis(), 0);
}

TEST(DynamicQuantization, OneGridForTheWholeWeight) {
  Options options;
  options.per_channel = WeightsPerChannel::kNone;
  const DynamicallyQuantized made = made_of(biased_conv(), options);
  EXPECT_EQ(constant_called(made.graph, "w_scale").shape(), Shape{});
  EXPECT_TRUE(identical(constant_called(made.graph, "w_quantized"), Tensor::of<std::int8_t>({2, 1, 1, 1}, {127, -64})));
}

TEST(DynamicQuantization, FactorsOfAGemmGoIntoScaleAndSummand) {
  GraphBuilder g = gemm();
  g.last_node().attributes.set("alpha", -2.0F);
  g.last_node().attributes.set("beta", 0.5F);
  const DynamicallyQuantized made = made_of(g);
  EXPECT_THAT(operators_of(made.graph),
              ElementsAre("DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul", "Add"));
  const Tensor scale = constant_called(made.graph, "w_scale");
  EXPECT_EQ(scale.shape(), Shape{3});
  EXPECT_FLOAT_EQ(scale.data<float>()[1], -0.04F);
  EXPECT_NEAR(made.weights.at("w").encoding.params()[1].scale, 0.02, 1e-8);
  EXPECT_TRUE(identical(constant_called(made.graph, "y_bias"), Tensor::of<float>({3}, {0.5F, 1, 1.5F})));
  EXPECT_EQ(made.num_gemm, 1);
}

TEST(DynamicQuantization, TransposedOperandsOfAGemm) {
  GraphBuilder g = gemm(false);
  g.last_node().attributes.set("transA", std::int64_t{1});
  g.last_node().attributes.set("transB", std::int64_t{1});
  const DynamicallyQuantized made = made_of(g);
  EXPECT_THAT(operators_of(made.graph),
              ElementsAre("DynamicQuantizeLinear", "Transpose", "MatMulInteger", "Cast", "Mul", "Mul"));
  EXPECT_TRUE(identical(constant_called(made.graph, "w_quantized"),
                        Tensor::of<std::int8_t>({3, 2}, {64, 0, 127, -127, 0, -64})));
  EXPECT_TRUE(identical(*made.weights.at("w").codes, Tensor::of<std::int8_t>({2, 3}, {64, 127, 0, 0, -127, -64})));
}

TEST(DynamicQuantization, ATensorIsQuantizedOnceForAllItsReaders) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1}));
  g.node("Conv", {"x", "w"}, {"a"}).node("Conv", {"x", "w"}, {"b"}).node("Add", {"a", "b"}, {"y"}).output("y");
  const DynamicallyQuantized made = made_of(g);
  const std::vector<std::string> types = operators_of(made.graph);
  EXPECT_EQ(std::ranges::count(types, "DynamicQuantizeLinear"), 1);
  EXPECT_EQ(std::ranges::count(types, "ConvInteger"), 2);
  EXPECT_EQ(made.num_conv, 2);
  EXPECT_EQ(made.weights.size(), 1);
}

TEST(DynamicQuantization, ZeroPointsByColumnForMatricesAndOneForConvolutions) {
  GraphBuilder g;
  g.input("x").constant("k", Tensor::of<float>({2, 1, 1, 1}, {1, -1}));
  g.constant("w", Tensor::of<float>({1, 2}, {1, -1}));
  g.node("Conv", {"x", "k"}, {"a"}).node("MatMul", {"a", "w"}, {"y"}).output("y");
  Options options;
  options.param_schema = Schema::kAsymmetric;
  const DynamicallyQuantized made = made_of(g, options);
  EXPECT_TRUE(identical(constant_called(made.graph, "k_zero_point"), Tensor::of<std::uint8_t>({}, {128})));
  EXPECT_EQ(constant_called(made.graph, "k_scale").shape(), Shape{});
  EXPECT_TRUE(identical(constant_called(made.graph, "w_zero_point"), Tensor::of<std::uint8_t>({2}, {0, 255})));
  EXPECT_EQ(constant_called(made.graph, "w_scale").shape(), Shape{2});
  EXPECT_EQ(made.num_matmul, 1);
}

TEST(DynamicQuantization, WhatStaysFloatSaysWhy) {
  GraphBuilder g;
  g.input("x").input("z").constant("w", Tensor::of<float>({1, 1, 1, 1}, {1}));
  g.constant("m", Tensor::of<float>({1, 1}, {1}));
  g.node("ConvTranspose", {"x", "w"}, {"a"}).node("MatMul", {"a", "z"}, {"b"}).node("MatMul", {"m", "b"}, {"c"});
  g.node("Conv", {"c", "w", "z"}, {"d"}).node("Gemm", {"d", "m", "z"}, {"e"});
  g.last_node().attributes.set("beta", 2.0F);
  g.node("Gemm", {"e", "m"}, {"y"}).output("y");
  g.last_node().attributes.set("alpha", 0.0F);
  const DynamicallyQuantized made = made_of(g);
  std::vector<std::string> reasons;
  for (const FloatLayer& layer : made.float_layers) reasons.push_back(layer.op_type + ": " + layer.reason);
  EXPECT_THAT(reasons,
              ElementsAre("ConvTranspose: ONNX has no ConvTranspose on integers", "MatMul: its weight is computed",
                          "MatMul: its constant is the left operand", "Conv: its bias is computed",
                          "Gemm: what it adds is computed, and has a factor beta", "Gemm: its alpha leaves no scale"));
  EXPECT_THAT(operators_of(made.graph), ElementsAre("ConvTranspose", "MatMul", "MatMul", "Conv", "Gemm", "Gemm"));
  EXPECT_EQ(made.num_inputs, 0);
}

TEST(DynamicQuantization, WeightsMustBeFinite) {
  GraphBuilder g;
  g.input("x").constant("w", Tensor::of<float>({1, 1}, {std::numeric_limits<float>::infinity()}));
  g.node("MatMul", {"x", "w"}, {"y"}).output("y");
  const auto made = quantize_dynamically(g.graph(), float_facts(g.graph()), {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kCalibration);
}

}  // namespace
}  // namespace halfstep::precision
