// rounding_test.cpp: ties and limits of rounding.
#include "numerics/rounding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace halfstep::numerics {
namespace {

// 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, and the same below zero: to the even neighbour.
TEST(RoundHalfEven, TiesGoToTheEvenNeighbour) {
  for (int i = -1000; i <= 1000; ++i) {
    const double tie = i + 0.5;
    const double even = i % 2 == 0 ? i : i + 1;
    EXPECT_EQ(round_half_even(tie), even);
    EXPECT_EQ(round_half_even(static_cast<float>(tie)), static_cast<float>(even));
  }
}

TEST(RoundHalfEven, MatchesNearbyintIncludingNeighboursOfTies) {
  std::mt19937_64 rng(1);
  std::uniform_int_distribution<int> whole(-70000, 70000);
  for (int i = 0; i < 20000; ++i) {
    const float tie = static_cast<float>(whole(rng)) + 0.5F;
    for (const float x : {tie, std::nextafter(tie, 1e9F), std::nextafter(tie, -1e9F)}) {
      ASSERT_EQ(round_half_even(x), std::nearbyint(x)) << x;
      ASSERT_EQ(round_half_even(static_cast<double>(x)), std::nearbyint(static_cast<double>(x))) << x;
    }
  }
  EXPECT_EQ(round_half_even(2147483646.5), 2147483646.0);
}

TEST(RoundHalfAway, TiesLeaveZero) {
  EXPECT_EQ(round_half_away(0.5), 1.0);
  EXPECT_EQ(round_half_away(-0.5), -1.0);
  EXPECT_EQ(round_half_away(2.5), 3.0);
}

TEST(ToFloat32, OverflowsToInfinity) {
  EXPECT_EQ(to_float32(1e39), std::numeric_limits<double>::infinity());
  EXPECT_EQ(to_float32(-1e39), -std::numeric_limits<double>::infinity());
  const double largest = std::numeric_limits<float>::max();
  EXPECT_EQ(to_float32(largest), largest);
  EXPECT_EQ(to_float32(std::nextafter(largest, 1e39)), largest);
  EXPECT_TRUE(std::isnan(to_float32(std::nan(""))));
}

TEST(ToFloat32Up, NeverRoundsDown) {
  EXPECT_EQ(to_float32_up(0.5), 0.5);
  EXPECT_EQ(to_float32_up(0.1), static_cast<double>(0.1F));  // float(0.1) is above 0.1 already.
  const double third = 1.0 / 3.0 + 1e-9;
  EXPECT_GE(to_float32_up(third), third);
  EXPECT_LT(to_float32_up(third) - third, 1e-7);
}

TEST(CeilLog2, IsExactAtPowersOfTwo) {
  for (int e = -140; e < 128; ++e) {
    const double power = std::ldexp(1.0, e);
    EXPECT_EQ(ceil_log2(power), e);
    EXPECT_EQ(ceil_log2(std::nextafter(power, 1e300)), e + 1);
    EXPECT_EQ(ceil_log2(std::nextafter(power, 0.0)), e);
  }
}

}  // namespace
}  // namespace halfstep::numerics
