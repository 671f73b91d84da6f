// Contract under test: graph::Node::statistics, which src/passes/fold_batch_norm.cpp sets and passes/linear.hpp keeps
// true.
#include "graph/fingerprint.hpp"
#include "unit/passes/pass_support.hpp"

namespace halfstep::passes {
namespace {

Tensor two(float first, float second) { return Tensor::of<float>({2}, {first, second}); }

/// Variances so far above epsilon that deviations are |gamma|, but for channel 1 of `dead`.
ValueId normalized(Model& m, ValueId y, const std::string& name, bool dead = false) {
  return m.node("BatchNormalization",
                {y, m.constant(name + ".gamma", two(2.0F, -3.0F)), m.constant(name + ".beta", two(0.5F, -1.0F)),
                 m.constant(name + ".mean", two(7.0F, 8.0F)), m.constant(name + ".var", two(4.0F, dead ? 0.0F : 9.0F))},
                name, {{"epsilon", 1e-9F}});
}

void expect_statistics(const graph::Node& node, std::vector<float> mean, std::vector<float> deviation) {
  ASSERT_TRUE(node.statistics.has_value());
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(node.statistics->mean[c], mean[c], 1e-5);
    EXPECT_NEAR(node.statistics->standard_deviation[c], deviation[c], 1e-5);
  }
}

ValueId convolution(Model& m) {
  const ValueId x = m.input("x", {1, 2, 4, 4});
  return m.node("Conv", {x, m.random("w", {2, 2, 3, 3})}, "conv");
}

TEST(Statistics, AreThoseOfTheBatchNormalizationFoldedLast) {
  Model m;
  m.output(normalized(m, normalized(m, convolution(m), "bn1", true), "bn2"));
  const Graph after = apply(fold_batch_norm, m.graph);
  ASSERT_EQ(operators(after), "Conv");
  expect_statistics(after.nodes[0], {0.5F, -1.0F}, {2.0F, 3.0F});
}

TEST(Statistics, AChannelWithoutVarianceHasNoDeviation) {
  Model m;
  m.output(normalized(m, convolution(m), "bn", true));
  expect_statistics(apply(fold_batch_norm, m.graph).nodes[0], {0.5F, -1.0F}, {2.0F, 0.0F});
}

TEST(Statistics, FollowFactorsAndSummandsThatAreFoldedBehind) {
  Model m;
  const ValueId y = normalized(m, convolution(m), "bn");
  const ValueId scaled = m.node("Mul", {y, m.constant("s", Tensor::of<float>({2, 1, 1}, {-2.0F, 4.0F}))}, "scaled");
  m.output(m.node("Add", {scaled, m.scalar("t", 10.0F)}, "y"));
  const Graph after = apply(fold_scale_shift, apply(fold_batch_norm, m.graph));
  ASSERT_EQ(operators(after), "Conv");
  expect_statistics(after.nodes[0], {9.0F, 6.0F}, {4.0F, 12.0F});
}

TEST(Statistics, FollowTheBiasOfAMatMulThatBecomesAGemm) {
  Model m;
  const ValueId x = m.input("x", {2, 2});
  m.output(m.node("Add", {m.node("MatMul", {x, m.random("w", {2, 2})}, "mm"), m.constant("b", two(1.0F, 2.0F))}, "y"));
  m.graph.nodes[0].statistics = graph::NormalStatistics{{0.5F, 0.25F}, {1.0F, 2.0F}};
  expect_statistics(apply(fuse_matmul_add, m.graph).nodes[0], {1.5F, 2.25F}, {1.0F, 2.0F});
}

TEST(Statistics, AreNotLeftByABatchNormalizationInFront) {
  Model m;
  const ValueId x = m.input("x", {1, 2, 4, 4});
  m.output(m.node("Conv", {normalized(m, x, "bn"), m.random("w", {2, 2, 1, 1})}, "conv"));
  const Graph after = apply(fold_batch_norm, m.graph);
  ASSERT_EQ(operators(after), "Conv");
  EXPECT_FALSE(after.nodes[0].statistics.has_value());
}

TEST(Statistics, DoNotTellModelsApart) {
  Model m;
  m.output(convolution(m));
  Graph other = m.graph;
  other.nodes[0].statistics = graph::NormalStatistics{{0.0F, 0.0F}, {1.0F, 1.0F}};
  EXPECT_EQ(graph::fingerprint(m.graph), graph::fingerprint(other));
  EXPECT_TRUE(same_graph(m.graph, other));
}

}  // namespace
}  // namespace halfstep::passes
