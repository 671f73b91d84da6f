// Contract under test: sensitivity/curve_search.hpp.
#include "sensitivity/curve_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace halfstep::sensitivity {
namespace {

/// Searches `drops` and checks that the point found has been measured and holds.
FoundPoint found(const std::vector<double>& drops, double allowed, CurveSearch method, bool reverse) {
  std::vector<int> calls(drops.size(), 0);
  const Result<FoundPoint> point =
      find_point(drops.size(), allowed, method, reverse, [&](std::size_t i) -> Result<double> {
        ++calls[i];
        return drops[i];
      });
  EXPECT_TRUE(point.ok());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i], point->drops.contains(i) ? 1 : 0) << i;
  }
  if (point->index) {
    EXPECT_LE(point->drops.at(*point->index), allowed);
  }
  return *point;
}

constexpr CurveSearch kMethods[] = {CurveSearch::kBinary, CurveSearch::kInterpolation, CurveSearch::kBruteForce};

TEST(CurveSearch, FindsTheFirstPointThatHoldsOfAnySteadyCurve) {
  for (const CurveSearch method : kMethods) {
    for (const bool reverse : {false, true}) {
      for (std::size_t first = 0; first < 40; ++first) {
        std::vector<double> drops;
        for (std::size_t i = 0; i < 40; ++i)
          drops.push_back(i < first ? 2.0 + static_cast<double>(40 - i) : 0.5 - 0.01 * static_cast<double>(i));
        EXPECT_EQ(found(drops, 1.0, method, reverse).index, first) << static_cast<int>(method) << reverse;
      }
    }
  }
}

TEST(CurveSearch, SaysThatNothingHolds) {
  for (const CurveSearch method : kMethods) {
    for (const bool reverse : {false, true}) {
      EXPECT_EQ(found({5.0, 4.0, 3.0}, 1.0, method, reverse).index, std::nullopt);
      EXPECT_EQ(found({}, 1.0, method, reverse).index, std::nullopt);
      EXPECT_EQ(found({0.0}, 1.0, method, reverse).index, 0U);
    }
  }
}

TEST(CurveSearch, BinaryMeasuresFewPointsAndBruteForceOnlyUpToTheBorder) {
  std::vector<double> drops;
  for (int i = 0; i < 1000; ++i) drops.push_back(1000.0 - i);
  EXPECT_LE(found(drops, 400.0, CurveSearch::kBinary, false).drops.size(), 12U);
  EXPECT_LE(found(drops, 400.0, CurveSearch::kInterpolation, false).drops.size(), 12U);
  EXPECT_EQ(found(drops, 400.0, CurveSearch::kBruteForce, true).drops.size(), 601U);
  EXPECT_EQ(found(drops, 400.0, CurveSearch::kBruteForce, false).drops.size(), 401U);
}

TEST(CurveSearch, HandsErrorsOn) {
  for (const CurveSearch method : kMethods) {
    const Result<FoundPoint> point = find_point(3, 1.0, method, false, [](std::size_t) -> Result<double> {
      return Error{ErrorCode::kInvalidInput, "no"};
    });
    EXPECT_FALSE(point.ok());
  }
}

}  // namespace
}  // namespace halfstep::sensitivity
