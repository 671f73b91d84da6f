// normalization_test.cpp: contract under test: the normalization operators, by hand-computed values.
#include <cmath>
#include <cstdint>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

graph::Attribute number(std::int64_t value) { return value; }
graph::Attribute real(float value) { return value; }

void expect_near(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(to_string(actual.type()), to_string(expected.type()));
  EXPECT_THAT(actual.values<float>(), Pointwise(FloatNear(1e-5F), expected.values<float>()));
}

// Channel 0: (x - 1) / 2 * 4 + 5; channel 1: x / 1 * 1 + 0.
TEST(BatchNormalization, ScalesEachChannel) {
  const Operands operands{floats({1, 2, 2}, {1, 3, 7, 8}), floats({2}, {4, 1}), floats({2}, {5, 0}),
                          floats({2}, {1, 0}), floats({2}, {4, 1})};
  expect_near(run("BatchNormalization", {{"epsilon", real(0)}}, operands), floats({1, 2, 2}, {5, 9, 7, 8}));
}

// Mean 3 and variance 4 of {1, 5}; 0.75 * 0 + 0.25 * 3 and 0.75 * 8 + 0.25 * 4.
TEST(BatchNormalization, TrainingUsesAndBlendsTheBatchStatistics) {
  const Operands operands{floats({2, 1}, {1, 5}), floats({1}, {1}), floats({1}, {0}), floats({1}, {0}),
                          floats({1}, {8})};
  const Attrs attrs{{"epsilon", real(0)}, {"momentum", real(0.75F)}, {"training_mode", number(1)}};
  const auto outputs = run_all("BatchNormalization", attrs, operands, 3);
  expect_near(outputs[0], floats({2, 1}, {-1, 1}));
  expect_near(outputs[1], floats({1}, {0.75F}));
  expect_near(outputs[2], floats({1}, {7}));
}

// Groups {1, 5} and {2, 2}: deviation 2, and none at all.
TEST(GroupNormalization, NormalizesChannelsTogether) {
  const Operands operands{floats({1, 4, 1}, {1, 5, 2, 2}), floats({4}, {1, 2, 1, 1}), floats({4}, {0, 0, 3, 4})};
  expect_near(run("GroupNormalization", {{"num_groups", number(2)}}, operands), floats({1, 4, 1}, {-1, 2, 3, 4}));
  EXPECT_THAT(error_of("GroupNormalization", {{"num_groups", number(3)}}, operands), HasSubstr("does not divide"));
}

TEST(InstanceNormalization, NormalizesEachChannelAlone) {
  const Operands operands{floats({1, 2, 2}, {1, 5, 10, 30}), floats({2}, {1, 1}), floats({2}, {0, 1})};
  expect_near(run("InstanceNormalization", {}, operands), floats({1, 2, 2}, {-1, 1, 0, 2}));
}

TEST(LayerNormalization, GivesMeanAndInverseDeviation) {
  const Operands operands{floats({2, 2}, {1, 5, 0, 8}), floats({2}, {1, 2}), floats({2}, {0, 1})};
  const auto outputs = run_all("LayerNormalization", {{"epsilon", real(0)}}, operands, 3);
  expect_near(outputs[0], floats({2, 2}, {-1, 3, -1, 3}));
  expect_near(outputs[1], floats({2, 1}, {3, 4}));
  expect_near(outputs[2], floats({2, 1}, {0.5F, 0.25F}));
}

// The scale has one value a row: it varies along the axis that is not normalized.
TEST(LayerNormalization, ScaleMayBroadcastAlongAnyAxis) {
  const Operands operands{floats({2, 2}, {1, 5, 0, 8}), floats({2, 1}, {10, 20})};
  expect_near(run("LayerNormalization", {{"epsilon", real(0)}}, operands), floats({2, 2}, {-10, 10, -20, 20}));
  EXPECT_THAT(error_of("LayerNormalization", {}, {floats({2, 2}, {1, 5, 0, 8}), floats({3}, {1, 1, 1})}),
              HasSubstr("does not broadcast"));
}

// The root mean square of {3, 4, 5, 5 * sqrt 2} is 5.
TEST(RmsNormalization, DividesByTheRootMeanSquare) {
  const Operands operands{floats({1, 4}, {3, 4, 5, 5 * std::sqrt(2.0F)}), floats({4}, {5, 5, 1, 0})};
  expect_near(run("RMSNormalization", {{"epsilon", real(0)}}, operands), floats({1, 4}, {3, 4, 1, 0}));
}

// size 2 takes the channel itself and the one behind: 1 + 2 / 2 * (1 + 4), then 1 + 4.
TEST(Lrn, DividesByNeighbouringChannels) {
  const Attrs attrs{{"size", number(2)}, {"alpha", real(2)}, {"beta", real(1)}, {"bias", real(1)}};
  expect_near(run("LRN", attrs, {floats({1, 2, 1}, {1, 2})}), floats({1, 2, 1}, {1.0F / 6.0F, 2.0F / 5.0F}));
  EXPECT_THAT(error_of("LRN", {}, {floats({1, 2, 1}, {1, 2})}), HasSubstr("size is 0"));
}

TEST(LpNormalization, DividesByTheNormAndKeepsZeros) {
  const Tensor x = floats({2, 2}, {3, 0, -4, 0});
  expect_near(run("LpNormalization", {{"axis", number(0)}}, {x}), floats({2, 2}, {0.6F, 0, -0.8F, 0}));
  expect_near(run("LpNormalization", {{"axis", number(0)}, {"p", number(1)}}, {x}),
              floats({2, 2}, {3.0F / 7.0F, 0, -4.0F / 7.0F, 0}));
}

// Axis 1 is kept: its two slices hold {1, 5} and {2, 2}.
TEST(MeanVarianceNormalization, ReducesTheNamedAxes) {
  const Attrs attrs{{"axes", Ints{0, 2}}};
  expect_near(run("MeanVarianceNormalization", attrs, {floats({1, 2, 2}, {1, 5, 2, 2})}),
              floats({1, 2, 2}, {-1, 1, 0, 0}));
  EXPECT_THAT(error_of("MeanVarianceNormalization", {}, {floats({1, 2, 1}, {1, 2})}), HasSubstr("axis 3"));
}

}  // namespace
}  // namespace halfstep::ops
