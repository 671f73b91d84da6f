// factor_test.cpp: real factors as integers: exactness, limits, and what each Arithmetic accepts.
#include "numerics/factor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace halfstep::numerics {
namespace {

FixedPoint fixed_of(double real) {
  const Result<FixedPoint> factor = fixed_point_from_real(real);
  EXPECT_TRUE(factor.ok()) << real;
  return factor.ok() ? *factor : FixedPoint{};
}

TEST(FixedPointFromReal, KnownValues) {
  EXPECT_EQ(fixed_of(1.0), (FixedPoint{1 << 30, -1}));
  EXPECT_EQ(fixed_of(0.5), (FixedPoint{1 << 30, 0}));
  EXPECT_EQ(fixed_of(0.75), (FixedPoint{3 << 29, 0}));
  EXPECT_EQ(fixed_of(0.25), (FixedPoint{1 << 30, 1}));
  EXPECT_EQ(fixed_of(3.0), (FixedPoint{3 << 29, -2}));
  EXPECT_EQ(fixed_of(0.0), FixedPoint{});
  // 1/3 = 0.666... * 2^-1; 0.666... * 2^31 = 1431655765.33.
  EXPECT_EQ(fixed_of(1.0 / 3.0), (FixedPoint{1431655765, 1}));
}

TEST(FixedPointFromReal, PowersOfTwoAndAll31BitFactorsRoundTrip) {
  for (int e = -63; e < 30; ++e) {
    const FixedPoint factor = fixed_of(std::ldexp(1.0, e));
    EXPECT_EQ(factor.multiplier_q31, 1 << 30);
    EXPECT_EQ(real_of(factor), std::ldexp(1.0, e));
  }
  std::mt19937 rng(3011);
  std::uniform_int_distribution<std::int32_t> multiplier(1 << 30, std::numeric_limits<std::int32_t>::max());
  std::uniform_int_distribution<std::int32_t> shift(kMinRightShift, kMaxRightShift);
  for (int i = 0; i < 10000; ++i) {
    const FixedPoint factor = {multiplier(rng), shift(rng)};
    ASSERT_EQ(fixed_of(real_of(factor)), factor);
  }
}

TEST(FixedPointFromReal, IsWithinHalfAUnitAndInItsRange) {
  std::mt19937 rng(3012);
  std::uniform_real_distribution<double> mantissa(0.5, 1.0);
  std::uniform_int_distribution<int> exponent(-61, 29);
  for (int i = 0; i < 10000; ++i) {
    const double real = std::ldexp(mantissa(rng), exponent(rng));
    const FixedPoint factor = fixed_of(real);
    ASSERT_GE(factor.multiplier_q31, 1 << 30);
    ASSERT_GE(factor.right_shift, kMinRightShift);
    ASSERT_LE(factor.right_shift, kMaxRightShift);
    ASSERT_LE(std::abs(real_of(factor) - real), std::ldexp(0.5, -31 - factor.right_shift));
  }
}

// The 32nd bit of the mantissa is a tie: away from zero. A mantissa that rounds up to 1 moves to the next power.
TEST(FixedPointFromReal, TiesOfTheMantissaGoUp) {
  EXPECT_EQ(fixed_of(0.5 + 0x1p-32), (FixedPoint{(1 << 30) + 1, 0}));
  EXPECT_EQ(fixed_of(0.5 + 0x3p-32), (FixedPoint{(1 << 30) + 2, 0}));
  EXPECT_EQ(fixed_of(1.0 - 0x1p-32), (FixedPoint{1 << 30, -1}));
  EXPECT_EQ(fixed_of(1.0 - 0x1.8p-32), (FixedPoint{std::numeric_limits<std::int32_t>::max(), 0}));
}

TEST(FixedPointFromReal, TinyFactorsBecomeZero) {
  EXPECT_EQ(fixed_of(0x1p-63), (FixedPoint{1 << 30, 62}));
  EXPECT_EQ(fixed_of(0x1.8p-64), FixedPoint{});
  EXPECT_EQ(fixed_of(std::numeric_limits<double>::denorm_min()), FixedPoint{});
  // Rounds up to 2^-63.
  EXPECT_EQ(fixed_of(std::nextafter(0x1p-63, 0.0)), (FixedPoint{1 << 30, 62}));
}

TEST(FixedPointFromReal, WhatNoFactorExpressesIsRefused) {
  for (const double real : {-1.0, -0x1p-70, 0x1p30, 1e300, std::numeric_limits<double>::infinity(), std::nan(""),
                            // Their mantissas would round up to 2^30.
                            std::nextafter(0x1p30, 0.0), 0x1p30 - 0.25}) {
    const Result<FixedPoint> factor = fixed_point_from_real(real);
    ASSERT_FALSE(factor.ok()) << real;
    EXPECT_EQ(factor.error().code, ErrorCode::kUnsupported);
  }
  EXPECT_EQ(fixed_of(0x1p30 - 0.5), (FixedPoint{std::numeric_limits<std::int32_t>::max(), kMinRightShift}));
}

TEST(ScaleFactor, ShiftRulesRefuseOtherThanPowersOfTwo) {
  for (const Arithmetic arithmetic :
       {Arithmetic::kShiftHalfUp, Arithmetic::kShiftHalfEven, Arithmetic::kShiftHalfAway}) {
    for (const double real : {0.75, 3.0, std::nextafter(0.5, 1.0), std::nextafter(0.5, 0.0), 0.1}) {
      const Result<FixedPoint> factor = scale_factor(real, arithmetic);
      ASSERT_FALSE(factor.ok()) << real;
      EXPECT_EQ(factor.error().code, ErrorCode::kUnsupported);
      EXPECT_NE(factor.error().message.find(name_of(arithmetic)), std::string::npos);
      EXPECT_TRUE(plain_factor(real, arithmetic).ok());
    }
    for (const double real : {0x1p-20, 0.5, 1.0, 8.0}) {
      const Result<FixedPoint> factor = scale_factor(real, arithmetic);
      ASSERT_TRUE(factor.ok()) << real;
      EXPECT_EQ(real_of(*factor), real);
    }
    EXPECT_FALSE(scale_factor(0x1p30, arithmetic).ok());
  }
}

// 0.1 in float32 is 13421773 * 2^-27; in 31 bits it is 1717986918 * 2^-34.
TEST(ScaleFactor, FloatHalfEvenRoundsToFloat32First) {
  const Result<FixedPoint> single = scale_factor(0.1, Arithmetic::kFloatHalfEven);
  ASSERT_TRUE(single.ok());
  EXPECT_EQ(*single, (FixedPoint{13421773 << 7, 3}));
  EXPECT_EQ(real_of(*single), static_cast<double>(0.1F));
  for (const Arithmetic arithmetic : {Arithmetic::kQ31Single, Arithmetic::kQ31Double}) {
    const Result<FixedPoint> factor = scale_factor(0.1, arithmetic);
    ASSERT_TRUE(factor.ok());
    EXPECT_EQ(*factor, (FixedPoint{1717986918, 3}));
  }
  // Every float32 is exact: 24 bits fit the multiplier.
  std::mt19937 rng(3013);
  std::uniform_real_distribution<float> any(1e-6F, 8.0F);
  for (int i = 0; i < 1000; ++i) {
    const double real = any(rng);
    ASSERT_EQ(real_of(*scale_factor(real, Arithmetic::kFloatHalfEven)), real);
  }
}

TEST(RoundingOf, EveryArithmeticHasItsRule) {
  EXPECT_EQ(rounding_of(Arithmetic::kFloatHalfEven), Rounding::kHalfEven);
  EXPECT_EQ(rounding_of(Arithmetic::kQ31Single), Rounding::kHalfUp);
  EXPECT_EQ(rounding_of(Arithmetic::kQ31Double), Rounding::kDoubling);
  EXPECT_EQ(rounding_of(Arithmetic::kShiftHalfUp), Rounding::kHalfUp);
  EXPECT_EQ(rounding_of(Arithmetic::kShiftHalfEven), Rounding::kHalfEven);
  EXPECT_EQ(rounding_of(Arithmetic::kShiftHalfAway), Rounding::kHalfAway);
}

}  // namespace
}  // namespace halfstep::numerics
