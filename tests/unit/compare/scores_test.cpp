// Contract under test: compare/scores.hpp.
#include "compare/scores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfstep::compare {
namespace {

using testing::HasSubstr;

MaskSource mask_of(std::vector<std::uint8_t> classes) {
  return [classes](std::int64_t, std::int64_t height, std::int64_t width) -> Result<std::vector<std::uint8_t>> {
    EXPECT_EQ(static_cast<std::size_t>(height * width), classes.size());
    return classes;
  };
}

TEST(Scores, TopKAndAgreement) {
  const Tensor ours = Tensor::of<float>(Shape{1, 6}, {6.0F, 5.0F, 4.0F, 3.0F, 2.0F, 1.0F});
  const Tensor theirs = Tensor::of<float>(Shape{1, 6}, {5.0F, 6.0F, 4.0F, 3.0F, 2.0F, 1.0F});
  ScoreTally tally;
  ASSERT_TRUE(count_classes(ours.view(), theirs.view(), 0, tally).ok());
  ASSERT_TRUE(count_classes(ours.view(), ours.view(), 5, tally).ok());
  EXPECT_DOUBLE_EQ(*tally.agreement_percent(), 50.0);
  EXPECT_DOUBLE_EQ(tally.top1()->reference_percent, 50.0);
  EXPECT_DOUBLE_EQ(tally.top1()->other_percent, 0.0);
  EXPECT_DOUBLE_EQ(tally.top5()->reference_percent, 50.0);
  EXPECT_DOUBLE_EQ(tally.top1()->drop(), 50.0);
  EXPECT_FALSE(tally.miou());
}

TEST(Scores, NoRowOfScoresMeansNoAgreementAndIsAnErrorWithALabel) {
  const Tensor map = Tensor::of<float>(Shape{1, 2, 2}, {1.0F, 2.0F, 3.0F, 4.0F});
  ScoreTally tally;
  EXPECT_TRUE(count_classes(map.view(), map.view(), std::nullopt, tally).ok());
  EXPECT_FALSE(tally.agreement_percent());
  const Result<void> refused = count_classes(map.view(), map.view(), 1, tally);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("float32[1, 2, 2]"));
  const Tensor row = Tensor::of<float>(Shape{1, 2}, {1.0F, 2.0F});
  EXPECT_THAT(count_classes(row.view(), row.view(), 2, tally).error().message, HasSubstr("label 2 is out of range"));
}

TEST(Scores, ClassScoresHaveTheClassesOnTheirOnlyOrSecondAxis) {
  const auto is = [](const Shape& shape) { return is_class_scores(Tensor(TensorType{DType::kFloat32, shape}).view()); };
  EXPECT_TRUE(is(Shape{10}));
  EXPECT_TRUE(is(Shape{1, 10}));
  EXPECT_TRUE(is(Shape{1, 10, 1, 1}));
  EXPECT_FALSE(is(Shape{1, 1}));
  EXPECT_FALSE(is(Shape{10, 1}));
  EXPECT_FALSE(is(Shape{1, 1600, 1}));  // A detector's scores, one for each anchor.
  EXPECT_FALSE(is(Shape{1, 1, 1, 10}));
  EXPECT_FALSE(is(Shape{2, 10}));
}

// Two classes over 2 x 2 pixels; the last pixel is ignored.
TEST(Scores, MeanIouByHand) {
  const Tensor ours = Tensor::of<float>(Shape{1, 2, 2, 2}, {1.0F, 1.0F, 0.0F, 9.0F, 0.0F, 0.0F, 1.0F, 0.0F});
  const Tensor theirs = Tensor::of<std::int64_t>(Shape{1, 2, 2}, {0, 1, 1, 7});
  ScoreTally tally;
  ASSERT_TRUE(count_pixels(ours.view(), theirs.view(), 0, mask_of({0, 0, 1, 255}), tally).ok());
  ASSERT_TRUE(tally.miou());
  EXPECT_DOUBLE_EQ(tally.miou()->reference_percent, 100.0);
  // Class 0: 1 of {0, 1}; class 1: 1 of {1, 2}.
  EXPECT_DOUBLE_EQ(tally.miou()->other_percent, 50.0);

  ScoreTally twice;
  twice.add(tally);
  twice.add(tally);
  EXPECT_DOUBLE_EQ(twice.miou()->other_percent, 50.0);
  EXPECT_EQ(twice.labelled[0], 4);
}

// The mean runs over the classes of the masks: class 2, predicted only, costs class 0 a pixel and no term of its own.
TEST(Scores, ClassesOutsideTheMasksAddNoTerm) {
  const Tensor map = Tensor::of<std::uint8_t>(Shape{2, 2}, {0, 0, 0, 2});
  ScoreTally tally;
  ASSERT_TRUE(count_pixels(map.view(), map.view(), 0, mask_of({0, 0, 0, 0}), tally).ok());
  EXPECT_DOUBLE_EQ(tally.miou()->other_percent, 75.0);
}

TEST(Scores, OutputsThatAreNoMaps) {
  ScoreTally tally;
  const Tensor row = Tensor::of<float>(Shape{4}, {1.0F, 2.0F, 3.0F, 4.0F});
  EXPECT_THAT(count_pixels(row.view(), row.view(), 0, mask_of({}), tally).error().message, HasSubstr("float32[4]"));
  const Tensor many(TensorType{DType::kFloat32, Shape{1, 300, 1, 1}});
  EXPECT_THAT(count_pixels(many.view(), many.view(), 0, mask_of({0}), tally).error().message, HasSubstr("300"));
  const Tensor two = Tensor::of<float>(Shape{1, 2, 1, 1}, {1.0F, 0.0F});
  EXPECT_THAT(count_pixels(two.view(), two.view(), 0, mask_of({2}), tally).error().message, HasSubstr("class 2"));
}

}  // namespace
}  // namespace halfstep::compare
