// requantize_test.cpp: rows of codes against numerics::requantize(), bit for bit, on every instruction set.
#include "kernels/requantize.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

using numerics::FixedPoint;
using numerics::Int128;
using numerics::Requantizer;
using numerics::Rounding;

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();
constexpr std::array kRoundings = {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway, Rounding::kDoubling,
                                   Rounding::kFloatEven};
constexpr std::array kCodeTypes = {DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16};
constexpr std::array<std::int64_t, 14> kCounts = {0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 49, 64, 100, 196};

struct Limits {
  std::int32_t q_min;
  std::int32_t q_max;
};

Limits limits_of(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return {-128, 127};
    case DType::kUint8:
      return {0, 255};
    case DType::kInt16:
      return {-32768, 32767};
    default:
      return {0, 65535};
  }
}

std::int32_t code_at(const std::vector<std::uint8_t>& bytes, DType dtype, std::int64_t i) {
  return visit_dtype(dtype, [&]<class T>() {
    T code;
    std::memcpy(&code, bytes.data() + static_cast<std::size_t>(i) * sizeof code, sizeof code);
    return static_cast<std::int32_t>(code);
  });
}

std::string describe(const Requantizer& r, DType dtype, std::int64_t count, std::int64_t bias) {
  return "multiplier " + std::to_string(r.factor.multiplier_q31) + ", right_shift " +
         std::to_string(r.factor.right_shift) + ", zero point " + std::to_string(r.zero_point) + ", grid " +
         std::to_string(r.q_min) + ".." + std::to_string(r.q_max) + ", rounding " +
         std::to_string(static_cast<int>(r.rounding)) + ", " + std::string(name_of(dtype)) + ", count " +
         std::to_string(count) + ", bias " + std::to_string(bias);
}

/// What is left of a multiplier under `rounding`: the 24 bits of a float32 for kFloatEven.
std::int32_t multiplier_for(Rounding rounding, std::int32_t multiplier) {
  return rounding == Rounding::kFloatEven ? multiplier & ~0x7F : multiplier;
}

class RequantizeOnEachIsa : public EachIsa {
 protected:
  // Also checks that nothing behind the row is written.
  void expect_row(const std::vector<std::int32_t>& acc, std::int64_t count, std::int32_t bias, const Requantizer& r,
                  DType dtype) {
    const std::size_t size = static_cast<std::size_t>(count) * size_in_bytes(dtype);
    std::vector<std::uint8_t> q(size + 8, 0xA5);
    // Exactly `count` values on the heap, so that a sanitizer sees reads behind them.
    const std::vector<std::int32_t> row(acc.begin(), acc.begin() + count);
    table().requantize_row(row.data(), count, bias, r, dtype, q.data());
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(code_at(q, dtype, i), numerics::requantize(row[static_cast<std::size_t>(i)] + bias, r))
          << describe(r, dtype, count, bias) << ", acc " << row[static_cast<std::size_t>(i)];
    }
    for (std::size_t i = size; i < q.size(); ++i) ASSERT_EQ(q[i], 0xA5) << describe(r, dtype, count, bias);
  }

  void expect_wide_row(const std::vector<std::int64_t>& acc, std::int64_t bias, const Requantizer& r, DType dtype) {
    const auto count = static_cast<std::int64_t>(acc.size());
    std::vector<std::uint8_t> q(acc.size() * size_in_bytes(dtype));
    table().requantize_row_wide(acc.data(), count, bias, r, dtype, q.data());
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(code_at(q, dtype, i), numerics::requantize_wide(acc[static_cast<std::size_t>(i)] + bias, r))
          << describe(r, dtype, count, bias) << ", acc " << acc[static_cast<std::size_t>(i)];
    }
  }
};

Requantizer random_requantizer(std::mt19937& rng, DType dtype, Rounding rounding) {
  const auto pick = [&](std::int32_t low, std::int32_t high) {
    return std::uniform_int_distribution<std::int32_t>(low, high)(rng);
  };
  Requantizer r;
  const Limits limits = limits_of(dtype);
  r.q_min = limits.q_min;
  r.q_max = limits.q_max;
  if (pick(0, 1) == 0) {
    r.q_min = pick(limits.q_min, limits.q_max);
    r.q_max = pick(r.q_min, limits.q_max);
  }
  r.zero_point = pick(limits.q_min, limits.q_max);
  switch (pick(0, 9)) {
    case 0:
      break;  // 0.
    case 1:
      r.factor = {1 << 30, pick(numerics::kMinRightShift, numerics::kMaxRightShift)};
      break;
    case 2:
      r.factor = {kHighest, pick(numerics::kMinRightShift, numerics::kMaxRightShift)};
      break;
    default:
      r.factor = {pick(1 << 30, kHighest), pick(numerics::kMinRightShift, numerics::kMaxRightShift)};
  }
  r.factor.multiplier_q31 = multiplier_for(rounding, r.factor.multiplier_q31);
  r.rounding = rounding;
  return r;
}

// Accumulators whose steps lie near the grid, some on constructed ties, some extreme; acc + bias stays in int32.
std::vector<std::int32_t> hard_accumulators(std::mt19937& rng, std::int64_t count, std::int32_t bias,
                                            const Requantizer& r) {
  const int shift = 31 + r.factor.right_shift;
  const auto in_range = [&](Int128 value) {
    const Int128 low = static_cast<Int128>(kLowest) - (bias < 0 ? bias : 0);
    const Int128 high = static_cast<Int128>(kHighest) - (bias > 0 ? bias : 0);
    return static_cast<std::int32_t>(value < low ? low : (value > high ? high : value));
  };
  std::uniform_int_distribution<std::int32_t> any(kLowest, kHighest);
  std::uniform_int_distribution<int> kind(0, 7);
  std::uniform_int_distribution<std::int64_t> steps(-400, 400);
  std::vector<std::int32_t> acc;
  for (std::int64_t i = 0; i < count; ++i) {
    switch (kind(rng)) {
      case 0:
        acc.push_back(in_range(any(rng)));
        break;
      case 1:
        acc.push_back(in_range((any(rng) & 1) != 0 ? kHighest : kLowest));
        break;
      case 2:
        acc.push_back(in_range(steps(rng)));
        break;
      default: {  // (step + 1/2) / factor and its neighbours: a tie if the division leaves no rest.
        const std::int64_t multiplier = r.factor.multiplier_q31 == 0 ? 1 : r.factor.multiplier_q31;
        const Int128 twice = static_cast<Int128>(2 * steps(rng) + 1) * (static_cast<Int128>(1) << shift);
        acc.push_back(in_range(twice / (2 * multiplier) - bias + any(rng) % 2));
      }
    }
  }
  return acc;
}

TEST_P(RequantizeOnEachIsa, RandomRowsMatchTheDefinition) {
  std::mt19937 rng(4001);
  std::uniform_int_distribution<std::int32_t> any_bias(-100000, 100000);
  for (int round = 0; round < 400; ++round) {
    for (const Rounding rounding : kRoundings) {
      const DType dtype = kCodeTypes[rng() % 4];
      const Requantizer r = random_requantizer(rng, dtype, rounding);
      const std::int64_t count = kCounts[rng() % kCounts.size()];
      const std::int32_t bias = any_bias(rng);
      expect_row(hard_accumulators(rng, count, bias, r), count, bias, r, dtype);
      if (HasFatalFailure()) return;
    }
  }
}

// Power-of-two factors: half of all accumulators of the form (2 i + 1) * 2^(shift - 1) are ties, and the
// number of ties is counted, so that the test is known to reach them.
TEST_P(RequantizeOnEachIsa, TiesMatchForEveryShiftAndRounding) {
  std::int64_t num_ties = 0;
  for (int right_shift = -29; right_shift <= 33; ++right_shift) {
    const int shift = right_shift + 1;  // The factor 2^30 * 2^-31 * 2^-right_shift is 2^-shift.
    std::vector<std::int32_t> acc;
    for (std::int64_t i = -90; i <= 90; ++i) {
      const std::int64_t half = shift >= 1 && shift <= 32 ? std::int64_t{1} << (shift - 1) : 1;
      for (const std::int64_t value : {(2 * i + 1) * half, (2 * i + 1) * half - 1, (2 * i + 1) * half + 1}) {
        if (value < kLowest + 2000 || value > kHighest - 2000) continue;
        acc.push_back(static_cast<std::int32_t>(value - 1000));
        num_ties += shift >= 1 && value == (2 * i + 1) * half ? 1 : 0;
      }
    }
    for (const Rounding rounding : kRoundings) {
      for (const DType dtype : kCodeTypes) {
        const Limits limits = limits_of(dtype);
        const Requantizer r = {.factor = {1 << 30, right_shift},
                               .zero_point = limits.q_min / 2 + limits.q_max / 2,
                               .q_min = limits.q_min,
                               .q_max = limits.q_max,
                               .rounding = rounding};
        expect_row(acc, static_cast<std::int64_t>(acc.size()), 1000, r, dtype);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(num_ties, 4000);
}

// Ties of other multipliers: acc = odd * 2^(shift - 1) / multiplier is whole for multiplier = 3 * 2^29 and odd = 3 j.
TEST_P(RequantizeOnEachIsa, TiesOfMultipliersThatAreNoPowersOfTwoMatch) {
  for (int right_shift = 1; right_shift <= 25; ++right_shift) {
    std::vector<std::int32_t> acc;
    for (std::int64_t j = -101; j <= 101; j += 2) {  // acc * 3 * 2^29 = 3 j * 2^(30 + right_shift)
      const std::int64_t value = j << (right_shift + 1);
      if (value > kLowest && value < kHighest) acc.push_back(static_cast<std::int32_t>(value));
    }
    for (const Rounding rounding : kRoundings) {
      const Requantizer r = {.factor = {3 << 29, right_shift}, .q_min = -128, .q_max = 127, .rounding = rounding};
      expect_row(acc, static_cast<std::int64_t>(acc.size()), 0, r, DType::kInt8);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(RequantizeOnEachIsa, EveryShiftTakesExtremeAccumulators) {
  std::vector<std::int32_t> acc;
  for (int i = 0; i < 31; ++i) {
    for (const std::int32_t near : {-1, 0, 1}) {
      acc.push_back((1 << i) + (i == 30 && near == 1 ? 0 : near));
      acc.push_back(-(1 << i) + near);
    }
  }
  acc.insert(acc.end(), {kLowest, kLowest + 1, kHighest, kHighest - 1});
  const auto count = static_cast<std::int64_t>(acc.size());
  for (int right_shift = numerics::kMinRightShift; right_shift <= numerics::kMaxRightShift; ++right_shift) {
    for (const std::int32_t multiplier : {1 << 30, (1 << 30) + 1, 1518500250, kHighest}) {
      for (const Rounding rounding : kRoundings) {
        for (const DType dtype : kCodeTypes) {
          const Limits limits = limits_of(dtype);
          for (const std::int32_t zero_point : {limits.q_min, limits.q_max, 3}) {
            const Requantizer r = {.factor = {multiplier_for(rounding, multiplier), right_shift},
                                   .zero_point = zero_point,
                                   .q_min = limits.q_min,
                                   .q_max = limits.q_max,
                                   .rounding = rounding};
            expect_row(acc, count, 0, r, dtype);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Zero points far off the grid leave the 32-bit range; the sums saturate instead.
TEST_P(RequantizeOnEachIsa, ZeroPointsOffTheGridSaturate) {
  std::mt19937 rng(4002);
  for (const std::int32_t zero_point : {kLowest, -70000, -33000, -32513, 33000, 131072, 200000, kHighest}) {
    for (const DType dtype : kCodeTypes) {
      for (const Rounding rounding : kRoundings) {
        if (rounding == Rounding::kFloatEven) continue;  // Its zero points lie on the grid.
        Requantizer r = random_requantizer(rng, dtype, rounding);
        r.zero_point = zero_point;
        r.factor.right_shift = static_cast<int>(rng() % 40) - 30;
        expect_row(hard_accumulators(rng, 100, 0, r), 100, 0, r, dtype);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// The bias enters before the multiplication, also where acc alone would leave the grid by far.
TEST_P(RequantizeOnEachIsa, LargeBiasesCancel) {
  for (const Rounding rounding : kRoundings) {
    for (const int right_shift : {-3, 0, 1, 5, 20}) {
      for (const std::int32_t bias : {kLowest, kHighest}) {
        std::vector<std::int32_t> acc;
        for (std::int32_t i = 0; i < 70; ++i) acc.push_back(bias < 0 ? i * 1001 : -i * 1001);
        acc.push_back(bias < 0 ? kHighest : kLowest);
        const Requantizer r = {.factor = {multiplier_for(rounding, 1518500250), right_shift},
                               .zero_point = 7,
                               .q_max = 255,
                               .rounding = rounding};
        expect_row(acc, static_cast<std::int64_t>(acc.size()), bias, r, DType::kUint8);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(RequantizeOnEachIsa, WideRowsMatchTheDefinition) {
  std::mt19937_64 rng(4003);
  std::mt19937 small(4004);
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (int round = 0; round < 400; ++round) {
    for (const Rounding rounding : kRoundings) {
      const DType dtype = kCodeTypes[rng() % 4];
      const Requantizer r = random_requantizer(small, dtype, rounding);
      const auto bias = static_cast<std::int64_t>(rng()) >> (1 + rng() % 60);
      const int shift = 31 + r.factor.right_shift;
      std::vector<std::int64_t> acc;
      for (int i = 0; i < 20; ++i) {
        auto value = static_cast<std::int64_t>(rng()) >> (1 + rng() % 60);
        if (i % 3 == 0 && r.factor.multiplier_q31 != 0) {  // A tie or next to one.
          const Int128 twice = static_cast<Int128>(static_cast<int>(rng() % 801) * 2 - 801) << shift;
          const Int128 tie = twice / (2 * static_cast<std::int64_t>(r.factor.multiplier_q31)) - bias;
          if (tie < kHuge / 2 && tie > -kHuge / 2) value = static_cast<std::int64_t>(tie);
        }
        acc.push_back(value);
      }
      if (bias <= 0) acc.push_back(kHuge);
      if (bias >= 0) acc.push_back(-kHuge);
      acc.push_back(-bias + kHighest);
      acc.push_back(-bias + kLowest);
      acc.push_back(-bias + kHighest + 1);
      acc.push_back(-bias + kLowest - 1);
      expect_wide_row(acc, bias, r, dtype);
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, RequantizeOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
