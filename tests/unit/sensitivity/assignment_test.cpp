// Contract under test: sensitivity/assignment.hpp and sensitivity/noise_model.hpp.
#include "sensitivity/assignment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "graph/graph.hpp"
#include "sensitivity/noise_model.hpp"

namespace halfstep::sensitivity {
namespace {

const std::vector<PrecisionCandidate> kCandidates{{8, 8, false}, {8, 16, false}, {16, 16, false}};

/// input -> MatMul -> MatMul ..., `count` layers, with 8-bit grids for everything.
struct Chain {
  QuantizedGraph model;
  ops::Facts facts;
  std::vector<QuantizerGroup> groups;
};
Chain chain(int count) {
  Chain made;
  graph::Graph& graph = made.model.graph;
  const auto encode = [&](const std::string& name, TensorRole role) {
    made.model.encodings.emplace(name,
                                 TensorEncoding{*Encoding::per_tensor({-127, 127}, {0.5, 0}), role, {}, {}, false});
  };
  graph::ValueId last = graph::add_value(graph, "x");
  graph.inputs.push_back({last, {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {4, ""}}}});
  encode("x", TensorRole::kActivation);
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    Tensor weight(TensorType{DType::kFloat32, Shape{4, 4}});
    for (int k = 0; k < 16; ++k) weight.mutable_data<float>()[k] = static_cast<float>(k % 5) - 2.0F;
    const graph::ValueId w = graph::add_constant(graph, "w" + n, weight);
    const graph::ValueId y = graph::add_value(graph, "y" + n);
    graph::Node node;
    node.name = "layer" + n;
    node.op_type = "MatMul";
    node.inputs = {last, w};
    node.outputs = {y};
    graph.nodes.push_back(std::move(node));
    encode("w" + n, TensorRole::kWeight);
    encode("y" + n, TensorRole::kActivation);
    last = y;
  }
  graph.outputs.push_back({last, {}});
  made.facts = *ops::infer_facts(graph, {{"x", Shape{1, 4}}});
  made.groups = quantizer_groups(made.model, made.facts);
  return made;
}

TEST(CostModel, CountsProductsOfTheWidthsThatAreRead) {
  const Chain made = chain(2);
  ASSERT_EQ(made.groups.size(), 3U);  // The input and two layers.
  const CostModel costs(made.model, made.facts, made.groups, kCandidates, &bit_operations);
  EXPECT_EQ(costs.of({0, 0, 0}), 16 * 64 + 16 * 64);
  EXPECT_EQ(costs.of({1, 0, 0}), 16 * 128 + 16 * 64);   // The first layer reads 16 bits.
  EXPECT_EQ(costs.of({0, 1, 0}), 16 * 64 + 16 * 128);   // The second reads what the first writes.
  EXPECT_EQ(costs.of({0, 0, 1}), costs.of({0, 0, 0}));  // Nobody reads what the second writes.
  EXPECT_EQ(costs.of({2, 2, 2}), 2 * 16 * 256);
}

/// Random errors of every group, smaller for wider candidates.
NoiseModel random_noise(std::size_t num_groups, std::size_t num_candidates, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  NoiseModel noise(num_groups, num_candidates);
  for (std::size_t g = 0; g < num_groups; ++g) {
    const float size = std::exp(normal(random));
    for (std::size_t c = 0; c < num_candidates; ++c) {
      std::vector<float> errors(50);
      for (float& e : errors) e = (normal(random) + 0.5F) * size / static_cast<float>(1U << (3 * c));
      noise.allow(g, c, errors);
    }
  }
  noise.finish(1000.0);
  return noise;
}

/// Every assignment of `num_groups` groups.
template <class Use>
void for_each_assignment(std::size_t num_groups, std::size_t num_candidates, Use&& use) {
  Assignment assignment(num_groups, 0);
  for (;;) {
    use(assignment);
    std::size_t g = 0;
    while (g < num_groups && ++assignment[g] == num_candidates) assignment[g++] = 0;
    if (g == num_groups) return;
  }
}

TEST(NoiseModel, IsThePowerOfTheSumOfTheErrors) {
  NoiseModel noise(2, 2);
  noise.allow(0, 0, {1.0F, 2.0F});
  noise.allow(1, 0, {3.0F, -1.0F});
  noise.allow(0, 1, {});
  EXPECT_TRUE(noise.is_allowed(0, 1));
  EXPECT_FALSE(noise.is_allowed(1, 1));
  noise.finish(10.0);
  EXPECT_DOUBLE_EQ(noise.of({0, 0}), 1.7);  // (4, 1)
  EXPECT_DOUBLE_EQ(noise.of({1, 0}), 1.0);
  EXPECT_DOUBLE_EQ(noise.gain({0, 0}, 0, 1), 0.7);
}

TEST(NoiseModel, GainIsTheDifferenceOfTwoAssignments) {
  const NoiseModel noise = random_noise(5, 3, 1);
  for_each_assignment(5, 3, [&](const Assignment& from) {
    for (std::size_t g = 0; g < 5; ++g) {
      Assignment to = from;
      to[g] = (from[g] + 1) % 3;
      EXPECT_NEAR(noise.gain(from, g, to[g]), noise.of(from) - noise.of(to), 1e-9);
    }
  });
}

TEST(ParetoCurve, EveryPointIsBetterThanTheOneBefore) {
  const Chain made = chain(6);
  const CostModel costs(made.model, made.facts, made.groups, kCandidates, &bit_operations);
  for (unsigned seed = 0; seed < 20; ++seed) {
    const NoiseModel noise = random_noise(made.groups.size(), 3, seed);
    for (const bool by_cost : {false, true}) {
      const std::vector<CurvePoint> curve = pareto_curve(noise, costs, by_cost);
      ASSERT_FALSE(curve.empty());
      EXPECT_EQ(curve.front().assignment, Assignment(made.groups.size(), 0));
      for (std::size_t i = 1; i < curve.size(); ++i) {
        EXPECT_LT(curve[i].noise, curve[i - 1].noise);
        EXPECT_TRUE(curve[i].group.has_value());
        EXPECT_EQ(curve[i].cost, costs.of(curve[i].assignment));
      }
    }
  }
}

TEST(ParetoCurve, LeavesAloneWhatIsNotAllowed) {
  const Chain made = chain(2);
  const CostModel costs(made.model, made.facts, made.groups, kCandidates, &bit_operations);
  NoiseModel noise(3, 3);
  for (std::size_t g = 0; g < 3; ++g) noise.allow(g, 0, {1.0F});
  noise.allow(1, 2, {0.0F});
  noise.finish(1.0);
  for (const CurvePoint& point : pareto_curve(noise, costs, false)) {
    EXPECT_EQ(point.assignment[0], 0U);
    EXPECT_NE(point.assignment[1], 1U);
  }
}

/// How far the search is from the best of all assignments within a budget, over many models. Brute force says.
TEST(BestWithin, FindsNearlyAlwaysWhatBruteForceFinds) {
  const Chain made = chain(6);
  const CostModel costs(made.model, made.facts, made.groups, kCandidates, &bit_operations);
  const double least_cost = costs.of(Assignment(made.groups.size(), 0));
  int optimal = 0;
  int searches = 0;
  double worst_db = 0.0;
  for (unsigned seed = 0; seed < 12; ++seed) {
    const NoiseModel noise = random_noise(made.groups.size(), 3, seed);
    const std::vector<CurvePoint> curve = pareto_curve(noise, costs, true);
    double before = std::numeric_limits<double>::infinity();
    for (const double factor : {1.1, 1.5, 2.0, 3.0}) {
      double best = std::numeric_limits<double>::infinity();
      for_each_assignment(made.groups.size(), 3, [&](const Assignment& assignment) {
        if (costs.of(assignment) <= factor * least_cost) best = std::min(best, noise.of(assignment));
      });
      const auto found = best_within(noise, costs, curve, factor * least_cost);
      ASSERT_TRUE(found.has_value());
      EXPECT_LE(costs.of(*found), factor * least_cost);
      const double has = noise.of(*found);
      EXPECT_LE(has, before);  // A larger budget is no worse.
      before = has;
      ++searches;
      optimal += has <= best * 1.000001 ? 1 : 0;
      worst_db = std::max(worst_db, 10.0 * std::log10(has / best));
    }
  }
  EXPECT_GE(optimal, searches * 3 / 4) << "of " << searches;
  EXPECT_LT(worst_db, 2.0);
  EXPECT_FALSE(best_within(random_noise(made.groups.size(), 3, 1), costs,
                           pareto_curve(random_noise(made.groups.size(), 3, 1), costs, true), 0.5 * least_cost));
}

}  // namespace
}  // namespace halfstep::sensitivity
