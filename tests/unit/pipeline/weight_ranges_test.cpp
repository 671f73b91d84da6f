// Contract under test: pipeline/weight_ranges.hpp.
#include "pipeline/weight_ranges.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// x -> Conv by a [2, 1, 1, 2] -> y -> MatMul by b [2, 3] -> z, as a Conv and a MatMul keep their output channels.
class WeightRanges : public ::testing::Test {
 protected:
  WeightRanges() {
    before_.constant("a", Tensor::of<float>(Shape{2, 1, 1, 2}, {1.0F, -4.0F, 0.5F, 0.25F}));
    before_.constant("b", Tensor::of<float>(Shape{2, 3}, {1.0F, 2.0F, -3.0F, -6.0F, 0.0F, 1.0F}));
    before_.input("x").node("Conv", {"x", "a"}, {"y"}).node("MatMul", {"y", "b"}, {"z"}).output("z");
    after_ = before_.graph();
  }

  void set(const char* name, Tensor tensor) {
    after_.value(graph::find_value(after_, name)).constant = std::move(tensor);
  }

  exec::SmallGraph before_;
  graph::Graph after_;
};

TEST_F(WeightRanges, UnchangedWeightsAreLeftOut) {
  EXPECT_THAT(weight_ranges(before_.graph(), after_), IsEmpty());
  set("a", Tensor::of<float>(Shape{2, 1, 1, 2}, {1.0F, -4.0F, 0.5F, 0.25F}));
  EXPECT_THAT(weight_ranges(before_.graph(), after_), IsEmpty());
}

TEST_F(WeightRanges, LargestMagnitudeOfEachOutputChannel) {
  set("a", Tensor::of<float>(Shape{2, 1, 1, 2}, {0.5F, -2.0F, 1.0F, 0.5F}));
  set("b", Tensor::of<float>(Shape{2, 3}, {2.0F, 4.0F, -6.0F, -3.0F, 0.0F, 0.5F}));
  const std::vector<report::WeightRanges> ranges = weight_ranges(before_.graph(), after_);
  ASSERT_THAT(ranges, SizeIs(2));
  EXPECT_EQ(ranges[0].name, "a");
  EXPECT_EQ(ranges[0].node, "node 'y_node' (Conv)");
  EXPECT_THAT(ranges[0].before, ElementsAre(4.0, 0.5));
  EXPECT_THAT(ranges[0].after, ElementsAre(2.0, 1.0));
  EXPECT_THAT(ranges[1].before, ElementsAre(6.0, 2.0, 3.0));
  EXPECT_THAT(ranges[1].after, ElementsAre(3.0, 4.0, 6.0));
}

TEST_F(WeightRanges, ASharedWeightStandsOnceAndOneOfAnotherShapeNotAtAll) {
  before_.node("Conv", {"x", "a"}, {"again"}).output("again");
  set("a", Tensor::of<float>(Shape{2, 1, 1, 2}, {0.5F, -2.0F, 1.0F, 0.5F}));
  set("b", Tensor::of<float>(Shape{3, 2}, {0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F}));
  const std::vector<report::WeightRanges> ranges = weight_ranges(before_.graph(), after_);
  ASSERT_THAT(ranges, SizeIs(1));
  EXPECT_EQ(ranges[0].name, "a");
}

}  // namespace
}  // namespace halfstep::pipeline
