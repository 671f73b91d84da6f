// Contract under test: src/tune/absorb_bias.hpp.
#include "tune/absorb_bias.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "unit/passes/pass_support.hpp"

namespace halfstep::tune {
namespace {

using passes::Ints;
using passes::Model;
using testing::HasSubstr;

constexpr float kUnbounded = std::numeric_limits<float>::infinity();

ops::Facts facts_of(const graph::Graph& graph) { return *ops::infer_facts(graph, {}); }

float bias_at(const graph::Graph& graph, std::size_t node, std::size_t channel) {
  return graph::constant_of(graph, graph.nodes[node].inputs.at(2))->values<float>()[channel];
}

/// x -> Conv with Relu, whose channels are about 10 and -10 -> Conv 2x2 without bias, or a depthwise one.
graph::Graph two_convolutions(bool depthwise = false) {
  Model m;
  const auto x = m.input("x", {1, 3, 5, 5});
  const auto b1 = m.constant("b1", Tensor::of<float>({2}, {10.0F, -10.0F}));
  const auto y = m.node("Conv", {x, m.random("w1", {2, 3, 1, 1}, -0.1F, 0.1F), b1}, "y");
  m.graph.nodes[0].clamp = graph::FusedClamp{0.0F, kUnbounded, "relu", "pre"};
  const auto w2 = m.random("w2", depthwise ? Shape{2, 1, 2, 2} : Shape{3, 2, 2, 2});
  m.output(m.node("Conv", {y, w2}, "z", {{"group", std::int64_t{depthwise ? 2 : 1}}}));
  return m.graph;
}

calib::Observations seen_minima(const std::string& tensor, std::initializer_list<float> minima) {
  calib::Observation observation;
  for (const float min : minima) {
    calib::Distribution& channel = observation.channels.emplace_back();
    channel.moments.add({.count = 1, .min = min, .max = min, .sum = min, .sum_of_squares = min * min});
  }
  return {{tensor, observation}};
}

void expect_same_outputs(const graph::Graph& before, const graph::Graph& after) {
  ASSERT_TRUE(graph::verify(after).ok());
  const std::vector<Tensor> inputs = passes::random_inputs(before, 1);
  EXPECT_LT(passes::difference(passes::run(before, inputs)[0], passes::run(after, inputs)[0]), 1e-5);
}

TEST(AbsorbBias, ThreeDeviationsBelowTheMeanMoveToTheReader) {
  for (const bool depthwise : {false, true}) {
    graph::Graph before = two_convolutions(depthwise);
    before.nodes[0].statistics = graph::NormalStatistics{{10.0F, -10.0F}, {1.0F, 1.0F}};
    const Absorption result = absorb_bias(before, facts_of(before), {});
    ASSERT_EQ(result.pairs.size(), 1U);
    EXPECT_EQ(result.pairs[0].obstacle, "");
    EXPECT_EQ(result.pairs[0].num_channels, 1);
    EXPECT_DOUBLE_EQ(result.pairs[0].largest_amount, 7.0);
    EXPECT_EQ(to_string(result.pairs[0]), "absorbed 1 channel of 'y' in 'z', at most 7 (BatchNorm statistics)");
    EXPECT_FLOAT_EQ(bias_at(result.graph, 0, 0), 3.0F);
    EXPECT_FLOAT_EQ(bias_at(result.graph, 0, 1), -10.0F);
    EXPECT_FLOAT_EQ(result.graph.nodes[0].statistics->mean[0], 3.0F);
    EXPECT_FLOAT_EQ(result.graph.nodes[0].statistics->standard_deviation[0], 1.0F);
    EXPECT_NE(bias_at(result.graph, 1, 0), 0.0F);
    expect_same_outputs(before, result.graph);
  }
}

TEST(AbsorbBias, WithoutStatisticsTheSmallestValueSeenMoves) {
  const graph::Graph before = two_convolutions();
  const ops::Facts facts = facts_of(before);
  const std::vector<calib::Watch> watches = absorption_watches(before, facts);
  ASSERT_EQ(watches.size(), 1U);
  EXPECT_EQ(before.value(watches[0].value).name, "y");
  EXPECT_EQ(watches[0].channel_axis, 1);
  const Absorption result = absorb_bias(before, facts, seen_minima("y", {8.5F, 0.0F}));
  EXPECT_EQ(to_string(result.pairs[0]), "absorbed 1 channel of 'y' in 'z', at most 8.5 (calibration data)");
  EXPECT_FLOAT_EQ(bias_at(result.graph, 0, 0), 1.5F);
  expect_same_outputs(before, result.graph);
}

TEST(AbsorbBias, ChannelsThatReachZeroKeepTheirBias) {
  const graph::Graph before = two_convolutions();
  const Absorption result = absorb_bias(before, facts_of(before), seen_minima("y", {0.0F, 0.0F}));
  EXPECT_EQ(to_string(result.pairs[0]), "nothing of 'y' in 'z': no channel stays above 0 (calibration data)");
  EXPECT_TRUE(passes::same_graph(before, result.graph));
}

TEST(AbsorbBias, GemmsScaleTheirBiasesAndProducts) {
  Model m;
  const auto x = m.input("x", {4, 3});
  const auto b1 = m.constant("b1", Tensor::of<float>({2}, {40.0F, 40.0F}));
  const auto y = m.node("Gemm", {x, m.random("w1", {3, 2}), b1}, "y", {{"beta", 0.5F}});
  m.graph.nodes[0].clamp = graph::FusedClamp{0.0F, kUnbounded, "relu", "pre"};
  m.output(m.node("Gemm", {y, m.random("w2", {5, 2}), m.random("b2", {5})}, "z",
                  {{"alpha", 3.0F}, {"beta", 2.0F}, {"transB", std::int64_t{1}}}));
  const Absorption result = absorb_bias(m.graph, facts_of(m.graph), seen_minima("y", {4.0F, 5.0F}));
  EXPECT_EQ(result.pairs[0].num_channels, 2);
  expect_same_outputs(m.graph, result.graph);
}

TEST(AbsorbBias, AChainIsTakenPairByPair) {
  Model m;
  auto x = m.input("x", {2, 3});
  for (const char* name : {"a", "b", "c"}) {
    const auto bias = m.constant(std::string(name) + ".bias", Tensor::of<float>({3}, {30.0F, 30.0F, 30.0F}));
    x = m.node("Gemm", {x, m.random(std::string(name) + ".weight", {3, 3}, 0.0F, 0.1F), bias}, name);
    m.graph.nodes.back().clamp = graph::FusedClamp{0.0F, kUnbounded, "relu", "pre"};
  }
  m.output(x);
  calib::Observations seen = seen_minima("a", {9.0F, 8.0F, 7.0F});
  seen.merge(seen_minima("b", {20.0F, 10.0F, 0.0F}));
  const Absorption result = absorb_bias(m.graph, facts_of(m.graph), seen);
  ASSERT_EQ(result.pairs.size(), 2U);
  EXPECT_EQ(result.pairs[1].num_channels, 2);
  expect_same_outputs(m.graph, result.graph);
}

/// What stands in the way after `change`.
template <class Change>
std::string obstacle_after(Change change) {
  graph::Graph graph = two_convolutions();
  change(graph);
  const ops::Facts facts = facts_of(graph);
  const Absorption result = absorb_bias(graph, facts, seen_minima("y", {8.0F, 8.0F}));
  EXPECT_TRUE(passes::same_graph(graph, result.graph));
  EXPECT_TRUE(absorption_watches(graph, facts).empty());
  return result.pairs.at(0).obstacle;
}

TEST(AbsorbBias, ObstaclesAreNamed) {
  EXPECT_THAT(obstacle_after([](graph::Graph& g) {
                g.nodes[1].attributes.set("pads", Ints{0, 0, 1, 1});
              }),
              HasSubstr("border"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) { g.nodes[0].clamp->max = 6.0F; }), HasSubstr("upper bound"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) { g.nodes[0].clamp->min = -1.0F; }), HasSubstr("begin at 0"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) { g.nodes[0].clamp.reset(); }), HasSubstr("no Relu"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) {
                g.outputs.push_back({g.nodes[0].outputs[0], {}});
              }),
              HasSubstr("output of the model"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) { g.value(g.nodes[0].outputs[0]).pinned = true; }),
              HasSubstr("came with an encoding"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) { g.value(g.nodes[1].inputs[1]).pinned = true; }),
              HasSubstr("weight or bias"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) {
                g.nodes[0].clamp->channels = graph::ChannelBounds{{0.0F, 0.0F}, {kUnbounded, 3.0F}, 2};
                g.nodes[0].clamp->max = kUnbounded;
              }),
              HasSubstr("upper bound"));
  EXPECT_THAT(obstacle_after([](graph::Graph& g) {
                graph::Node twin = g.nodes[1];
                twin.outputs = {graph::add_value(g, "twin")};
                g.outputs.push_back({twin.outputs[0], {}});
                g.nodes.push_back(twin);
              }),
              HasSubstr("other readers"));
}

TEST(AbsorbBias, WithoutAnyDataNothingMoves) {
  const graph::Graph before = two_convolutions();
  const Absorption result = absorb_bias(before, facts_of(before), {});
  EXPECT_THAT(result.pairs[0].obstacle, HasSubstr("neither BatchNorm statistics nor calibration data"));
}

}  // namespace
}  // namespace halfstep::tune
