// fixed_point_test.cpp: every rounding rule at its ties, at the limits of its types, and against exact division.
#include "numerics/fixed_point.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace halfstep::numerics {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();
constexpr std::array kRoundings = {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway, Rounding::kDoubling};
constexpr FixedPoint kOneHalf = {1 << 30, 0};
constexpr FixedPoint kOneQuarter = {1 << 30, 1};

// The oracle divides and compares rests; it shifts nothing.
Int128 power_of_two(int exponent) {
  Int128 power = 1;
  for (; exponent > 0; --exponent) power *= 2;
  return power;
}

Int128 rounded_quotient(Int128 numerator, Int128 denominator, Rounding rounding) {
  Int128 below = numerator / denominator;  // Towards zero.
  Int128 rest = numerator % denominator;
  if (rest < 0) {
    below -= 1;
    rest += denominator;
  }
  if (2 * rest < denominator) return below;
  if (2 * rest > denominator) return below + 1;
  switch (rounding) {
    case Rounding::kHalfUp:
      return below + 1;
    case Rounding::kHalfEven:
      return below % 2 == 0 ? below : below + 1;
    default:
      return numerator < 0 ? below : below + 1;
  }
}

Int128 saturated(Int128 x) { return x < kLowest ? kLowest : (x > kHighest ? kHighest : x); }

Int128 expected_steps(std::int64_t acc, FixedPoint factor, Rounding rounding) {
  if (rounding == Rounding::kDoubling) {
    const Int128 left = factor.right_shift < 0 ? power_of_two(-factor.right_shift) : 1;
    const Int128 right = factor.right_shift > 0 ? power_of_two(factor.right_shift) : 1;
    const Int128 once =
        rounded_quotient(saturated(acc * left) * factor.multiplier_q31, power_of_two(31), Rounding::kHalfUp);
    return saturated(rounded_quotient(once, right, Rounding::kHalfAway));
  }
  return saturated(rounded_quotient(static_cast<Int128>(acc) * factor.multiplier_q31,
                                    power_of_two(31 + factor.right_shift), rounding));
}

// -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 under each rule.
TEST(Rescale, EachRuleRoundsItsHalvesItsOwnWay) {
  const std::array<std::int32_t, 6> halves = {-5, -3, -1, 1, 3, 5};
  const auto all = [&](Rounding rounding) {
    std::array<std::int32_t, 6> steps{};
    for (std::size_t i = 0; i < halves.size(); ++i) steps[i] = rescale(halves[i], kOneHalf, rounding);
    return steps;
  };
  EXPECT_EQ(all(Rounding::kHalfUp), (std::array<std::int32_t, 6>{-2, -1, 0, 1, 2, 3}));
  EXPECT_EQ(all(Rounding::kHalfEven), (std::array<std::int32_t, 6>{-2, -2, 0, 0, 2, 2}));
  EXPECT_EQ(all(Rounding::kHalfAway), (std::array<std::int32_t, 6>{-3, -2, -1, 1, 2, 3}));
  EXPECT_EQ(all(Rounding::kDoubling), (std::array<std::int32_t, 6>{-2, -1, 0, 1, 2, 3}));  // The first rounding.
}

// gemmlowp by hand, factor 1/4. First acc / 2 with halves up, then that / 2 with halves away from zero:
//    1:  0.5 ->  1;  0.5 ->  1  (0.25 rounded twice; once gives 0)
//    5:  2.5 ->  3;  1.5 ->  2  (1.25; once gives 1)
//   -5: -2.5 -> -2; -1        (-1.25; once gives -1)
//   -6: -3        ; -1.5 -> -2  (-1.5; once, halves up, gives -1)
//   -1: -0.5 ->  0;  0
//   -3: -1.5 -> -1; -0.5 -> -1  (-0.75)
TEST(Rescale, DoublingRoundsTwice) {
  const std::array<std::array<std::int32_t, 3>, 6> rows = {
      {{1, 1, 0}, {5, 2, 1}, {-5, -1, -1}, {-6, -2, -1}, {-1, 0, 0}, {-3, -1, -1}}};
  for (const auto& [acc, twice, once] : rows) {
    EXPECT_EQ(rescale(acc, kOneQuarter, Rounding::kDoubling), twice) << acc;
    EXPECT_EQ(rescale(acc, kOneQuarter, Rounding::kHalfUp), once) << acc;
  }
}

// 2^29 * 2^3 leaves int32: saturated before the multiplication, 2^31 - 1 halves to 2^30 - 1/2, which rounds up.
TEST(Rescale, DoublingSaturatesItsLeftShift) {
  EXPECT_EQ(rescale(1 << 29, {1 << 30, -3}, Rounding::kDoubling), 1 << 30);
  EXPECT_EQ(rescale(-(1 << 29), {1 << 30, -3}, Rounding::kDoubling), -(1 << 30));
  EXPECT_EQ(rescale(1 << 27, {1 << 30, -3}, Rounding::kDoubling), 1 << 29);
}

TEST(Rescale, ExtremeAccumulatorsSaturateInsteadOfOverflowing) {
  for (const Rounding rounding : {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway}) {
    EXPECT_EQ(rescale(kHighest, {kHighest, kMinRightShift}, rounding), kHighest);
    EXPECT_EQ(rescale(kLowest, {kHighest, kMinRightShift}, rounding), kLowest);
    // 2^31 * (1 - 2^-31) is whole.
    EXPECT_EQ(rescale(kLowest, {kHighest, 0}, rounding), -kHighest);
    EXPECT_EQ(rescale(kHighest, {kHighest, kMaxRightShift}, rounding), 0);
    EXPECT_EQ(rescale(kLowest, {kHighest, kMaxRightShift}, rounding), 0);
  }
}

// -2^31 * 2^30 / 2^62 = -1/2 is the last tie there is; beyond that everything is 0.
TEST(Rescale, TheLastTieLiesAtShift31) {
  EXPECT_EQ(rescale(kLowest, {1 << 30, 31}, Rounding::kHalfUp), 0);
  EXPECT_EQ(rescale(kLowest, {1 << 30, 31}, Rounding::kHalfEven), 0);
  EXPECT_EQ(rescale(kLowest, {1 << 30, 31}, Rounding::kHalfAway), -1);
  EXPECT_EQ(rescale(kLowest, {1 << 30, 31}, Rounding::kDoubling), -1);  // -2^30, then -1/2.
  EXPECT_EQ(rescale(kLowest + 1, {1 << 30, 31}, Rounding::kHalfAway), 0);
  EXPECT_EQ(rescale(kLowest, {kHighest, 32}, Rounding::kHalfAway), 0);
}

TEST(Rescale, AFactorOfZeroGivesZero) {
  for (const Rounding rounding : kRoundings) {
    for (const std::int32_t acc : {kLowest, -1, 0, 1, kHighest}) {
      EXPECT_EQ(rescale(acc, FixedPoint{}, rounding), 0);
      EXPECT_EQ(rescale_wide(acc, FixedPoint{}, rounding), 0);
    }
  }
}

// Every shift; accumulators at and next to constructed ties, at powers of two, and extreme ones.
TEST(Rescale, MatchesExactDivisionAtEveryShift) {
  std::mt19937 rng(3001);
  std::uniform_int_distribution<std::int32_t> any_multiplier(1 << 30, kHighest);
  std::int64_t num_ties = 0;
  for (int right_shift = kMinRightShift; right_shift <= kMaxRightShift; ++right_shift) {
    for (int round = 0; round < 12; ++round) {
      const std::int32_t multiplier = round < 4    ? 1 << 30
                                      : round == 4 ? kHighest
                                      : round < 7  ? 3 << 29
                                                   : any_multiplier(rng);
      const FixedPoint factor = {multiplier, right_shift};
      const Int128 divisor = power_of_two(31 + right_shift);
      std::vector<std::int32_t> accs = {kLowest, kLowest + 1, -1, 0, 1, kHighest - 1, kHighest};
      for (int i = 0; i < 30; ++i) {
        accs.push_back(static_cast<std::int32_t>(rng()));
        const Int128 odd = 2 * static_cast<int>(rng() % 600) - 599;
        const Int128 tie = odd * divisor / (2 * static_cast<Int128>(multiplier));
        if (tie <= kLowest || tie >= kHighest) continue;
        for (const int near : {-1, 0, 1}) accs.push_back(static_cast<std::int32_t>(tie) + near);
        num_ties += 2 * tie * multiplier == odd * divisor ? 1 : 0;
      }
      for (const Rounding rounding : kRoundings) {
        for (const std::int32_t acc : accs) {
          ASSERT_EQ(rescale(acc, factor, rounding), expected_steps(acc, factor, rounding))
              << acc << ", multiplier " << multiplier << ", right_shift " << right_shift << ", rounding "
              << static_cast<int>(rounding);
        }
      }
    }
  }
  EXPECT_GT(num_ties, 2000);  // The construction reaches them.
}

TEST(RescaleWide, MatchesExactDivisionAtEveryShift) {
  std::mt19937_64 rng(3002);
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  std::int64_t num_ties = 0;
  for (int right_shift = kMinRightShift; right_shift <= kMaxRightShift; ++right_shift) {
    for (int round = 0; round < 12; ++round) {
      const auto multiplier = static_cast<std::int32_t>(round < 6 ? 1 << 30 : (1 << 30) + rng() % (1U << 30));
      const FixedPoint factor = {multiplier, right_shift};
      const Int128 divisor = power_of_two(31 + right_shift);
      std::vector<std::int64_t> accs = {-kHuge, -kHuge + 1, kLowest, 0, kHighest, kHuge};
      for (int i = 0; i < 30; ++i) {
        accs.push_back(static_cast<std::int64_t>(rng()) >> (1 + rng() % 62));
        const Int128 odd = 2 * static_cast<int>(rng() % 600) - 599;
        const Int128 tie = odd * divisor / (2 * static_cast<Int128>(multiplier));
        if (tie <= -kHuge || tie >= kHuge) continue;
        for (const int near : {-1, 0, 1}) accs.push_back(static_cast<std::int64_t>(tie) + near);
        num_ties += 2 * tie * multiplier == odd * divisor ? 1 : 0;
      }
      for (const Rounding rounding : kRoundings) {
        const Rounding once = rounding == Rounding::kDoubling ? Rounding::kHalfUp : rounding;
        for (const std::int64_t acc : accs) {
          ASSERT_EQ(rescale_wide(acc, factor, rounding), expected_steps(acc, factor, once))
              << acc << ", multiplier " << multiplier << ", right_shift " << right_shift << ", rounding "
              << static_cast<int>(rounding);
        }
      }
    }
  }
  EXPECT_GT(num_ties, 2000);
}

// Rounding::kFloatEven against the processor's own float32 arithmetic.
float float_of(FixedPoint factor) {
  return std::ldexp(static_cast<float>(factor.multiplier_q31), -31 - factor.right_shift);
}

Int128 float_steps(std::int64_t acc, FixedPoint factor) {
  return saturated(static_cast<Int128>(std::nearbyint(static_cast<float>(acc) * float_of(factor))));
}

bool is_float_tie(std::int64_t acc, FixedPoint factor) {
  const float product = static_cast<float>(acc) * float_of(factor);
  return std::fabs(product - std::nearbyint(product)) == 0.5F;
}

// Accumulators of every length, and some whose product lies beside a tie.
TEST(RescaleFloat, MatchesTheProcessor) {
  std::mt19937_64 rng(3003);
  std::int64_t num_ties = 0;
  std::int64_t num_unlike_exact = 0;
  for (int draw = 0; draw < 200000; ++draw) {
    const auto mantissa = static_cast<std::int32_t>(draw % 5 == 0 ? 1U << 23 : (1U << 23) + rng() % (1U << 23));
    const int shifts = kMaxRightShift - kMinRightShift + 1;
    const FixedPoint factor = {mantissa << 7, kMinRightShift + static_cast<int>(rng() % shifts)};
    std::int64_t acc = static_cast<std::int64_t>(rng()) >> (1 + rng() % 62);
    if (draw % 2 == 0) {
      const Int128 odd = 2 * static_cast<int>(rng() % 70000) - 69999;
      const Int128 near =
          odd * power_of_two(31 + factor.right_shift) / (2 * static_cast<Int128>(factor.multiplier_q31));
      if (near < power_of_two(62) && -near < power_of_two(62)) {
        acc = static_cast<std::int64_t>(near) + static_cast<int>(rng() % 3) - 1;
      }
    }
    const Int128 expected = float_steps(acc, factor);
    ASSERT_EQ(rescale_float(acc, factor), expected)
        << acc << ", multiplier " << factor.multiplier_q31 << ", right_shift " << factor.right_shift;
    ASSERT_EQ(rescale_wide(acc, factor, Rounding::kFloatEven), expected);
    if (acc >= kLowest && acc <= kHighest) {
      ASSERT_EQ(rescale(static_cast<std::int32_t>(acc), factor, Rounding::kFloatEven), expected);
    }
    num_ties += is_float_tie(acc, factor) ? 1 : 0;
    num_unlike_exact += expected != expected_steps(acc, factor, Rounding::kHalfEven) ? 1 : 0;
  }
  EXPECT_GT(num_ties, 2000);
  EXPECT_GT(num_unlike_exact, 2000);
}

TEST(RescaleFloat, TheEndsOfItsTypesMatchTheProcessor) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (int right_shift = kMinRightShift; right_shift <= kMaxRightShift; ++right_shift) {
    for (const std::int32_t multiplier : {1 << 30, (1 << 30) + 128, kHighest - 127}) {
      const FixedPoint factor = {multiplier, right_shift};
      for (const std::int64_t end : {std::int64_t{0}, std::int64_t{1} << 24, std::int64_t{1} << 25,
                                     std::int64_t{kHighest}, std::int64_t{1} << 62, kHuge - 3}) {
        for (int near = -3; near <= 3; ++near) {
          const std::int64_t acc = end + near;
          ASSERT_EQ(rescale_float(acc, factor), float_steps(acc, factor)) << acc << ", right_shift " << right_shift;
          ASSERT_EQ(rescale_float(-acc, factor), float_steps(-acc, factor)) << -acc << ", right_shift " << right_shift;
        }
      }
    }
  }
  EXPECT_EQ(rescale_float(kHuge, FixedPoint{}), 0);
}

// By hand. Beyond 2^24 only even numbers are floats: 2^24 + 1 -> 2^24, 2^24 + 3 -> 2^24 + 4; then halves to even.
TEST(RescaleFloat, RoundsAccumulatorProductAndSteps) {
  EXPECT_EQ(rescale_float(5, kOneHalf), 2);
  EXPECT_EQ(rescale_float(-5, kOneHalf), -2);
  EXPECT_EQ(rescale_float(7, kOneHalf), 4);
  constexpr std::int32_t kBase = 1 << 24;
  EXPECT_EQ(rescale_float(kBase + 1, {1 << 30, -1}), kBase);
  EXPECT_EQ(rescale_float(kBase + 3, {1 << 30, -1}), kBase + 4);
  EXPECT_EQ(rescale_float(-kBase - 3, {1 << 30, -1}), -kBase - 4);
  // (2^24 - 1) * (1/2 + 2^-24) = 2^23 + 1/2 - 2^-24; floats from 2^23 on are whole.
  EXPECT_EQ(rescale_float(kBase - 1, {(1 << 30) + 128, 0}), 1 << 23);
  // 3 * (1/2 - 2^-25) = 3/2 - 3 * 2^-25, with 24 bits 3/2 - 2^-23: no tie, as in real numbers.
  EXPECT_EQ(rescale_float(3, {kHighest - 127, 1}), 1);
  // 5 * (1/2 - 2^-25) = 5/2 - 5 * 2^-25, with 24 bits 5/2 - 2^-22: below the tie.
  EXPECT_EQ(rescale_float(5, {kHighest - 127, 1}), 2);
  // 7 * (1/2 + 2^-24) = 7/2 + 7 * 2^-24, with 24 bits 7/2 + 2^-22 * 2: above the tie.
  EXPECT_EQ(rescale_float(7, {(1 << 30) + 128, 0}), 4);
  // 65 * (1/130 as a float) is 1/2 as a float: a tie that real numbers do not have.
  const float one_130th = 1.0F / 130.0F;
  ASSERT_NE(static_cast<double>(one_130th) * 65.0, 0.5);
  ASSERT_EQ(one_130th * 65.0F, 0.5F);
  const auto multiplier = static_cast<std::int32_t>(std::ldexp(one_130th, 31 + 7));
  EXPECT_EQ(rescale_float(65, {multiplier, 7}), 0);
  EXPECT_EQ(rescale_float(195, {multiplier, 7}), static_cast<std::int32_t>(std::nearbyint(one_130th * 195.0F)));
}

TEST(RoundTo24Bits, IsTheConversionToFloat) {
  std::mt19937_64 rng(3005);
  for (int draw = 0; draw < 20000; ++draw) {
    const std::int64_t x = static_cast<std::int64_t>(rng()) >> (1 + rng() % 62);
    ASSERT_EQ(round_to_24_bits(static_cast<Int128>(x)), static_cast<Int128>(static_cast<float>(x))) << x;
  }
  for (const std::int64_t x : {std::int64_t{0}, std::int64_t{(1 << 24) - 1}, std::int64_t{(1 << 25) - 1}}) {
    EXPECT_EQ(round_to_24_bits<std::int64_t>(x), static_cast<std::int64_t>(static_cast<float>(x)));
    EXPECT_EQ(round_to_24_bits<std::int64_t>(-x), static_cast<std::int64_t>(static_cast<float>(-x)));
  }
}

// Small domains completely: 8-bit numbers by every shift.
TEST(RoundingShiftRight, MatchesExactDivisionForAllSmallNumbers) {
  for (int shift = 0; shift < 12; ++shift) {
    for (std::int64_t x = -600; x <= 600; ++x) {
      for (const Rounding rounding : kRoundings) {
        ASSERT_EQ(rounding_shift_right(x, shift, rounding), rounded_quotient(x, power_of_two(shift), rounding))
            << x << " by " << shift;
        ASSERT_EQ(rounding_shift_right<std::int32_t>(static_cast<std::int32_t>(x), shift, rounding),
                  rounded_quotient(x, power_of_two(shift), rounding));
      }
    }
  }
}

TEST(Requantize, AddsTheZeroPointAndClamps) {
  const Requantizer r = {.factor = kOneHalf, .zero_point = 10, .q_min = 4, .q_max = 20, .rounding = Rounding::kHalfUp};
  EXPECT_EQ(requantize(0, r), 10);
  EXPECT_EQ(requantize(7, r), 14);  // 3.5 -> 4
  EXPECT_EQ(requantize(20, r), 20);
  EXPECT_EQ(requantize(21, r), 20);
  EXPECT_EQ(requantize(-12, r), 4);
  EXPECT_EQ(requantize(-14, r), 4);
  EXPECT_EQ(requantize_wide(7, r), 14);
  static_assert(requantize(6, Requantizer{.factor = kOneHalf, .q_max = 255}) == 3);
}

// Saturated steps plus an extreme zero point need more than 32 bits.
TEST(Requantize, ExtremeZeroPointsDoNotOverflow) {
  Requantizer r = {.factor = {kHighest, kMinRightShift}, .zero_point = kHighest, .q_min = -128, .q_max = 127};
  EXPECT_EQ(requantize(kHighest, r), 127);
  EXPECT_EQ(requantize(kLowest, r), -1);
  EXPECT_EQ(requantize_wide(std::numeric_limits<std::int64_t>::max(), r), 127);
  r.zero_point = kLowest;
  EXPECT_EQ(requantize(kLowest, r), -128);
  EXPECT_EQ(requantize(kHighest, r), -1);
  EXPECT_EQ(requantize_wide(-std::numeric_limits<std::int64_t>::max(), r), -128);
}

}  // namespace
}  // namespace halfstep::numerics
