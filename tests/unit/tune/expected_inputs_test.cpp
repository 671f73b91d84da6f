// Contract under test: src/tune/expected_inputs.hpp.
#include "tune/expected_inputs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "unit/passes/pass_support.hpp"

namespace halfstep::tune {
namespace {

using passes::Ints;
using passes::Model;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Midpoints of 200,000 intervals within 12 deviations.
double integrated_mean(double mean, double deviation, double low, double high) {
  constexpr int kCount = 200'000;
  constexpr double kWidth = 24.0 / kCount;
  double sum = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const double z = -12.0 + (i + 0.5) * kWidth;
    const double density = std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
    sum += std::min(high, std::max(low, mean + deviation * z)) * density * kWidth;
  }
  return sum;
}

TEST(ClippedNormalMean, EqualsTheIntegral) {
  for (const double mean : {-7.0, -0.5, 0.0, 1.0, 5.5, 30.0}) {
    for (const double deviation : {0.01, 1.0, 8.0}) {
      for (const auto& [low, high] : {std::pair{0.0, kInfinite}, std::pair{0.0, 6.0}, std::pair{-1.0, 0.5},
                                      std::pair{-kInfinite, 2.0}, std::pair{-kInfinite, kInfinite}}) {
        EXPECT_NEAR(clipped_normal_mean(mean, deviation, low, high), integrated_mean(mean, deviation, low, high), 1e-6)
            << mean << " " << deviation << " " << low << " " << high;
      }
    }
  }
}

TEST(ClippedNormalMean, WithoutDeviationIsTheClippedMean) {
  EXPECT_EQ(clipped_normal_mean(-2.0, 0.0, 0.0, 6.0), 0.0);
  EXPECT_EQ(clipped_normal_mean(2.0, 0.0, 0.0, 6.0), 2.0);
  EXPECT_EQ(clipped_normal_mean(9.0, 0.0, 0.0, 6.0), 6.0);
}

/// A Conv from 3 to 2 channels of means 1 and `second` and no deviation, so that expectations are these.
graph::ValueId layer_of_means(Model& m, graph::ValueId x, const std::string& name, float second) {
  const auto y = m.node("Conv", {x, m.random(name + ".w", {2, 3, 1, 1})}, name);
  m.graph.nodes.back().statistics = graph::NormalStatistics{{1.0F, second}, {0.0F, 0.0F}};
  return y;
}

std::vector<double> expected_of(const Model& m, const std::string& name) {
  const ExpectedValues values = expected_values(m.graph, *ops::infer_facts(m.graph, {}));
  return values[static_cast<std::size_t>(graph::find_value(m.graph, name))];
}

using Means = std::vector<double>;

TEST(ExpectedValues, ClampsCountChannelByChannel) {
  Model m;
  m.output(layer_of_means(m, m.input("x", {1, 3, 4, 4}), "y", -5.0F));
  EXPECT_EQ(expected_of(m, "y"), (Means{1.0, -5.0}));
  m.graph.nodes[0].clamp =
      graph::FusedClamp{-4.0F, 1.0F, "clip", "pre", graph::ChannelBounds{{-4.0F, -4.0F}, {0.5F, 1.0F}, 2}};
  EXPECT_EQ(expected_of(m, "y"), (Means{0.5, -4.0}));
}

TEST(ExpectedValues, GoThroughWhatIsLinearInEachChannel) {
  Model m;
  const auto x = m.input("x", {2, 3, 4, 4});
  const auto a = layer_of_means(m, x, "a", 2.0F);
  const auto b = layer_of_means(m, x, "b", 4.0F);
  m.node("Add", {a, b}, "sum");
  m.node("Sub", {a, b}, "difference");
  m.node("Concat", {a, b}, "joined", {{"axis", std::int64_t{1}}});
  m.node("GlobalAveragePool", {b}, "pooled");
  m.node("AveragePool", {b}, "windows", {{"kernel_shape", Ints{2, 2}}});
  m.node("ReduceMean", {b, m.ints("axes", {2, 3})}, "reduced", {{"keepdims", std::int64_t{0}}});
  m.node("Reshape", {b, m.ints("shape", {2, 32})}, "flat");
  EXPECT_EQ(expected_of(m, "sum"), (Means{2.0, 6.0}));
  EXPECT_EQ(expected_of(m, "difference"), (Means{0.0, -2.0}));
  EXPECT_EQ(expected_of(m, "joined"), (Means{1.0, 2.0, 1.0, 4.0}));
  for (const char* name : {"pooled", "windows", "reduced"}) EXPECT_EQ(expected_of(m, name), (Means{1.0, 4.0})) << name;
  Means flat(32, 1.0);
  std::fill(flat.begin() + 16, flat.end(), 4.0);
  EXPECT_EQ(expected_of(m, "flat"), flat);
}

TEST(ExpectedValues, AreNotKnownElsewhere) {
  Model m;
  const auto x = m.input("x", {2, 3, 4, 4});
  const auto a = layer_of_means(m, x, "a", 2.0F);
  m.node("MaxPool", {a}, "maxima", {{"kernel_shape", Ints{2, 2}}});
  m.node("AveragePool", {a}, "padded",
         {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"count_include_pad", std::int64_t{1}}});
  m.node("ReduceMean", {a, m.ints("axes", {1})}, "mixed");
  m.node("Reshape", {a, m.ints("shape", {4, 16})}, "reordered");
  m.node("Add", {a, m.random("row", {1, 2, 1, 1})}, "broadcast");
  m.node("Conv", {a, m.random("w", {2, 2, 1, 1})}, "plain");
  m.node("Add", {a, a}, "clamped");
  m.graph.nodes.back().clamp = graph::FusedClamp{0.0F, 6.0F, "relu", "pre"};
  for (const char* name : {"x", "maxima", "padded", "mixed", "reordered", "broadcast", "plain", "clamped"}) {
    EXPECT_TRUE(expected_of(m, name).empty()) << name;
  }
}

}  // namespace
}  // namespace halfstep::tune
