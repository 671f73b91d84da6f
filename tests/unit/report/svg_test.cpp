#include "report/svg.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep::report::svg {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pointwise;

TEST(SvgAxis, LinearTicksAreRound) {
  const Axis axis = Axis::linear(-3.0, 27.0);
  EXPECT_THAT(axis.ticks(), ElementsAre(0.0, 5.0, 10.0, 15.0, 20.0, 25.0));
  EXPECT_DOUBLE_EQ(axis.at(-3.0), 0.0);
  EXPECT_DOUBLE_EQ(axis.at(12.0), 0.5);
  EXPECT_DOUBLE_EQ(axis.at(1000.0), 1.0);
}

TEST(SvgAxis, SymmetricLogIsOddAndTicksArePowersOfTen) {
  const Axis axis = Axis::symmetric_log(-100.0, 100.0, 1.0);
  EXPECT_THAT(axis.ticks(), ElementsAre(-100.0, -10.0, -1.0, 0.0, 100.0, 10.0, 1.0));
  EXPECT_THAT(axis.at(0.0), DoubleNear(0.5, 1e-12));
  EXPECT_THAT(axis.at(10.0) + axis.at(-10.0), DoubleNear(1.0, 1e-12));
}

TEST(SvgAxis, LogarithmicEndsAndTicksAreRound) {
  const Axis decades = Axis::logarithmic(0.0011, 80.0);
  EXPECT_DOUBLE_EQ(decades.low(), 0.001);
  EXPECT_DOUBLE_EQ(decades.high(), 100.0);
  EXPECT_THAT(decades.at(1.0), DoubleNear(0.6, 1e-12));
  EXPECT_EQ(decades.at(0.0), 0.0);
  EXPECT_EQ(decades.at(-1.0), 0.0);
  EXPECT_EQ(decades.at(1000.0), 1.0);
  EXPECT_THAT(decades.ticks(), Pointwise(DoubleEq(), {0.001, 0.01, 0.1, 1.0, 10.0, 100.0}));
  EXPECT_THAT(Axis::logarithmic(0.3, 4.0).ticks(), Pointwise(DoubleEq(), {0.2, 0.5, 1.0, 2.0, 5.0}));
  EXPECT_THAT(Axis::logarithmic(2.0, 2.0).ticks(), Pointwise(DoubleEq(), {2.0, 5.0}));
  EXPECT_THAT(Axis::logarithmic(1e-9, 1.0).ticks(), Pointwise(DoubleEq(), {1e-8, 1e-6, 1e-4, 1e-2, 1.0}));
}

TEST(SvgAxis, ImpossibleRangesStillPlaceValues) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kTiny = std::numeric_limits<double>::denorm_min();
  for (const auto& [low, high] : {std::pair(0.0, 0.0), std::pair(5.0, 5.0), std::pair(3.0, -3.0), std::pair(kNaN, 1.0),
                                  std::pair(-kInfinity, kInfinity), std::pair(0.0, kTiny), std::pair(-1e308, 1e308)}) {
    for (const Axis& axis :
         {Axis::linear(low, high), Axis::symmetric_log(low, high, 0.01), Axis::logarithmic(low, high)}) {
      EXPECT_LE(axis.ticks().size(), 1300u);
      for (const double value : {low, high, 0.0, 1.0, kNaN, -kInfinity}) {
        EXPECT_GE(axis.at(value), 0.0) << low << " " << high << " " << value;
        EXPECT_LE(axis.at(value), 1.0) << low << " " << high << " " << value;
      }
    }
  }
}

TEST(Svg, NumbersAreShortAndWordsEscaped) {
  EXPECT_EQ(percent(0.5), "50%");
  EXPECT_EQ(percent(1.0 / 3), "33.33%");
  EXPECT_EQ(pixels(10.04), "10");
  EXPECT_THAT(text("tick", 0.5, 0, 1, "middle", "<&>"), HasSubstr(">&lt;&amp;&gt;</text>"));
  EXPECT_THAT(drawing(10, "\"><script>", ""), Not(HasSubstr("<script>")));
}

}  // namespace
}  // namespace halfstep::report::svg
