// Contract under test: compare/metrics.hpp.
#include "compare/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep::compare {
namespace {

using testing::ElementsAre;

TEST(ErrorSums, HandComputedExample) {
  ErrorSums sums;
  const float reference[] = {3.0F, -4.0F};
  const float other[] = {3.0F, -3.0F};
  sums.add(reference, other);
  EXPECT_DOUBLE_EQ(sums.sqnr_db(), 10.0 * std::log10(25.0 / 1.0));
  EXPECT_DOUBLE_EQ(sums.cosine(), 21.0 / (5.0 * std::sqrt(18.0)));
  EXPECT_DOUBLE_EQ(sums.mean_squared_error(), 0.5);
  EXPECT_DOUBLE_EQ(sums.max_abs_error, 1.0);
}

TEST(ErrorSums, EdgesAreDefined) {
  const float zero[] = {0.0F, 0.0F};
  const float one[] = {1.0F, 0.0F};
  ErrorSums same;
  same.add(one, one);
  EXPECT_EQ(same.sqnr_db(), std::numeric_limits<double>::infinity());
  ErrorSums lost;
  lost.add(zero, one);
  EXPECT_EQ(lost.sqnr_db(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(lost.cosine(), 0.0);
  ErrorSums nothing;
  nothing.add(zero, zero);
  EXPECT_EQ(nothing.cosine(), 1.0);
}

TEST(ErrorSums, OneSidedPairsAreCountedAndHaveNoAngle) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const float reference[] = {1.0F, 2.0F, nan, infinity, 5.0F, infinity};
  const float other[] = {1.0F, nan, nan, infinity, -infinity, -infinity};
  ErrorSums sums;
  sums.add(reference, other);
  EXPECT_EQ(sums.one_sided, 3);
  EXPECT_EQ(sums.cosine(), 0.0);
  EXPECT_EQ(sums.sqnr_db(), -std::numeric_limits<double>::infinity());
  ErrorSums more;
  more.add(sums);
  more.add(sums);
  EXPECT_EQ(more.one_sided, 6);
}

// All samples together, not the mean of their ratios.
TEST(ErrorSums, AddingSumsIsAddingPairs) {
  const float reference[] = {1.0F, 2.0F, 3.0F, 4.0F, 5.0F};
  const float other[] = {1.5F, 2.0F, 2.0F, 4.0F, 5.25F};
  ErrorSums whole;
  whole.add(reference, other);
  ErrorSums first;
  first.add(std::span(reference).first(2), std::span(other).first(2));
  ErrorSums second;
  second.add(std::span(reference).subspan(2), std::span(other).subspan(2));
  first.add(second);
  EXPECT_DOUBLE_EQ(first.sqnr_db(), whole.sqnr_db());
  EXPECT_EQ(first.count, 5);
}

TEST(ErrorSums, NonFinitePairsAreEqualOrInfinitelyWrong) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float reference[] = {inf, nan, 3.0F, -inf};
  const float same[] = {inf, nan, 2.0F, -inf};
  ErrorSums equal;
  equal.add(reference, same);
  EXPECT_DOUBLE_EQ(equal.error_squared, 1.0);
  EXPECT_DOUBLE_EQ(equal.reference_squared, 9.0);
  EXPECT_DOUBLE_EQ(equal.max_abs_error, 1.0);
  EXPECT_EQ(equal.count, 4);
  for (const float wrong : {nan, -inf, 1.0F}) {
    const float other[] = {wrong, nan, 3.0F, -inf};
    ErrorSums sums;
    sums.add(reference, other);
    EXPECT_EQ(sums.sqnr_db(), -std::numeric_limits<double>::infinity());
    EXPECT_EQ(sums.max_abs_error, std::numeric_limits<double>::infinity());
    EXPECT_EQ(sums.cosine(), 0.0);
  }
}

TEST(TopK, TiesGoToTheLowerIndexAndNanNeverWins) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float scores[] = {1.0F, 3.0F, nan, 3.0F, 2.0F};
  EXPECT_THAT(top_k(scores, 3), ElementsAre(1, 3, 4));
  EXPECT_THAT(top_k(scores, 9), ElementsAre(1, 3, 4, 0));
}

}  // namespace
}  // namespace halfstep::compare
