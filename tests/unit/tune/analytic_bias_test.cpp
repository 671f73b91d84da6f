// Contract under test: src/tune/analytic_bias.hpp.
#include "tune/analytic_bias.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

#include "passes/prepare.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::tune {
namespace {

using passes::Model;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kStep = 0.25;

/// Normal input of two channels -> depthwise Conv, BatchNormalization, Relu -> Conv of 3 channels whose weights all lie
/// 0.4 steps above the grid, so that rounding takes that from each.
graph::Graph toy_model() {
  Model m;
  const auto x = m.input("x", {1, 2, 128, 128});
  const auto w1 = m.constant("w1", Tensor::of<float>({2, 1, 1, 1}, {1.0F, 1.0F}));
  const auto y = m.node("Conv", {x, w1}, "conv", {{"group", std::int64_t{2}}});
  const auto pair = [&](const char* name, float a, float b) {
    return m.constant(name, Tensor::of<float>({2}, {a, b}));
  };
  const auto bn = m.node(
      "BatchNormalization",
      {y, pair("gamma", 2.0F, 0.5F), pair("beta", 1.0F, -0.25F), pair("mean", 0.0F, 0.0F), pair("var", 1.0F, 1.0F)},
      "bn");
  Tensor w2(TensorType{DType::kFloat32, {3, 2, 1, 1}});
  for (int i = 0; i < 6; ++i) w2.mutable_data<float>()[i] = static_cast<float>(kStep * (i - 2 + 0.4));
  const auto b2 = m.constant("b2", Tensor::of<float>({3}, {0.5F, 0.0F, -1.0F}));
  m.output(m.node("Conv", {m.node("Relu", {bn}, "relu"), m.constant("w2", w2), b2}, "z"));
  return *passes::prepare(m.graph, passes::context_for(m.graph));
}

TensorEncoding encoded(const Tensor& values, double step, IntGrid grid, TensorRole role) {
  const Encoding encoding = *Encoding::per_tensor(grid, {.scale = step, .zero_point = 0});
  return {.encoding = encoding, .role = role, .provenance = {}, .codes = quantize(values, encoding)};
}

/// The weights of the last layer on their grid.
QuantizedGraph quantized(const graph::Graph& graph) {
  QuantizedGraph model{graph, {}};
  const Tensor& weight = *graph::constant_of(graph, graph::find_value(graph, "w2"));
  model.encodings.emplace("w2", encoded(weight, kStep, signed_grid(8), TensorRole::kWeight));
  return model;
}

std::vector<double> output_means(const graph::Graph& graph, const Tensor& input) {
  const Tensor output = passes::run(graph, {input}).at(0);
  const std::int64_t plane = output.num_elements() / 3;
  std::vector<double> means(3, 0.0);
  for (std::int64_t i = 0; i < output.num_elements(); ++i) {
    means[static_cast<std::size_t>(i / plane)] += output.data<float>()[i] / static_cast<double>(plane);
  }
  return means;
}

Tensor normal_input() {
  std::mt19937 rng(7);
  std::normal_distribution<float> draw(0.0F, 1.0F);
  Tensor input(TensorType{DType::kFloat32, {1, 2, 128, 128}});
  std::generate_n(input.mutable_data<float>(), input.num_elements(), [&] { return draw(rng); });
  return input;
}

graph::Graph with_weights_of_codes(const QuantizedGraph& model) {
  graph::Graph graph = model.graph;
  const TensorEncoding& entry = *find_encoding(model.encodings, "w2");
  graph.value(graph::find_value(graph, "w2")).constant = dequantize(*entry.codes, entry.encoding);
  return graph;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(AnalyticBias, RestoresTheMeanThatRoundingShifted) {
  const graph::Graph reference = toy_model();
  ASSERT_EQ(passes::operators(reference), "Conv Conv");
  QuantizedGraph model = quantized(reference);
  const Tensor input = normal_input();
  const std::vector<double> wanted = output_means(reference, input);
  const double shifted = largest_difference(wanted, output_means(with_weights_of_codes(model), input));
  EXPECT_GT(shifted, 0.1);
  const auto corrections = correct_biases_analytically(model, reference, *ops::infer_facts(reference, {}));
  ASSERT_TRUE(corrections.ok());
  ASSERT_EQ(corrections->size(), 1U);
  EXPECT_NEAR(corrections->at(0).largest_change, shifted, 0.005);
  EXPECT_LT(largest_difference(wanted, output_means(with_weights_of_codes(model), input)), 0.005);
  EXPECT_THAT(lines_of(*corrections), ElementsAre(HasSubstr("biases of 1 layer corrected, by at most 0.1")));
}

TEST(AnalyticBias, ABiasOnAGridGetsNewCodes) {
  const graph::Graph reference = toy_model();
  QuantizedGraph model = quantized(reference);
  const Tensor bias = *graph::constant_of(reference, graph::find_value(reference, "b2"));
  model.encodings.emplace("b2", encoded(bias, 0.001, signed_grid(32), TensorRole::kBias));
  const auto corrections = correct_biases_analytically(model, reference, *ops::infer_facts(reference, {}));
  ASSERT_TRUE(corrections.ok());
  const TensorEncoding& entry = *find_encoding(model.encodings, "b2");
  const Tensor& corrected = *graph::constant_of(model.graph, graph::find_value(model.graph, "b2"));
  EXPECT_TRUE(identical(*entry.codes, quantize(corrected, entry.encoding)));
  EXPECT_GT(entry.codes->data<std::int32_t>()[0], 600);
  EXPECT_THAT(entry.provenance.changes, ElementsAre("bias corrected (analytic)"));
}

/// What stands in the way of the last layer's correction after `change` of model and reference alike.
template <class Change>
std::string obstacle_after(Change change) {
  graph::Graph reference = toy_model();
  change(reference);
  QuantizedGraph model = quantized(reference);
  const auto corrections = correct_biases_analytically(model, reference, *ops::infer_facts(reference, {}));
  EXPECT_TRUE(passes::same_graph(reference, model.graph));
  return corrections->at(0).obstacle;
}

TEST(AnalyticBias, ObstaclesAreNamed) {
  EXPECT_EQ(obstacle_after([](graph::Graph& g) { g.nodes[0].statistics.reset(); }),
            "no BatchNorm statistics tell what it reads");
  EXPECT_EQ(obstacle_after([](graph::Graph& g) { g.nodes[1].inputs.resize(2); }), "no bias");
  EXPECT_THAT(obstacle_after([](graph::Graph& g) {
                g.outputs.push_back({g.nodes[1].inputs[2], {}});
              }),
              HasSubstr("other readers"));
}

TEST(AnalyticBias, LinesGroupTheReasons) {
  const std::vector<AnalyticCorrection> corrections = {{.layer = "a", .obstacle = "no bias"},
                                                       {.layer = "b", .obstacle = "", .largest_change = 0.5},
                                                       {.layer = "c", .obstacle = "no bias"},
                                                       {.layer = "d", .obstacle = "", .largest_change = 0.25}};
  EXPECT_THAT(lines_of(corrections), ElementsAre("biases of 2 layers corrected, by at most 0.5 in 'b'",
                                                 "not corrected: 2 layers, such as 'a': no bias"));
}

TEST(AnalyticBias, ABiasThatWouldNotBeFiniteIsAnErrorNamingTheLayer) {
  const graph::Graph reference = toy_model();
  QuantizedGraph model = quantized(reference);
  graph::Graph huge = reference;
  huge.nodes[0].statistics->mean = {std::numeric_limits<float>::max(), std::numeric_limits<float>::max()};
  Tensor weight = Tensor::of<float>({3, 2, 1, 1}, {1e30F, 1e30F, 1e30F, 1e30F, 1e30F, 1e30F});
  huge.value(graph::find_value(huge, "w2")).constant = weight;
  const auto corrections = correct_biases_analytically(model, huge, *ops::infer_facts(huge, {}));
  ASSERT_FALSE(corrections.ok());
  EXPECT_THAT(corrections.error().message, HasSubstr("z_node"));
}

}  // namespace
}  // namespace halfstep::tune
