// exact_rows_test.cpp: rows against their formulas in 128-bit integers, bit for bit, on every instruction set.
#include "kernels/exact_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

using numerics::Int128;
using numerics::Rounding;

constexpr std::array kRoundings = {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway, Rounding::kDoubling};
constexpr std::array kCodeTypes = {DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16};
constexpr std::array<std::int64_t, 12> kCounts = {1, 3, 15, 16, 17, 31, 32, 33, 64, 65, 100, 197};

std::int32_t lowest_of(DType dtype) { return dtype == DType::kInt8 ? -128 : (dtype == DType::kInt16 ? -32768 : 0); }
std::int32_t highest_of(DType dtype) { return lowest_of(dtype) + (size_in_bytes(dtype) == 1 ? 255 : 65535); }

std::int64_t pick(std::mt19937& rng, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
}

CodeTarget any_target(std::mt19937& rng) {
  CodeTarget target;
  target.dtype = kCodeTypes[rng() % kCodeTypes.size()];
  target.rounding = kRoundings[rng() % kRoundings.size()];
  target.q_min = lowest_of(target.dtype);
  target.q_max = highest_of(target.dtype);
  target.zero_point = static_cast<std::int32_t>(pick(rng, target.q_min, target.q_max));
  if (rng() % 3 == 0) {
    target.q_min = static_cast<std::int32_t>(pick(rng, target.q_min, target.q_max));
    target.q_max = static_cast<std::int32_t>(pick(rng, target.q_min, target.q_max));
  }
  return target;
}

/// numerator / denominator to nearest by comparing remainders, then the grid. `ties` counts halves.
std::int32_t oracle_code(Int128 numerator, Int128 denominator, const CodeTarget& target, int& ties) {
  Int128 floor = numerator / denominator;
  Int128 rest = numerator % denominator;
  if (rest < 0) {
    rest += denominator;
    --floor;
  }
  const bool is_tie = rest == denominator - rest;
  ties += is_tie ? 1 : 0;
  bool up = rest > denominator - rest;
  if (is_tie) {
    up = target.rounding == Rounding::kHalfEven ? (floor & 1) != 0
                                                : (target.rounding != Rounding::kHalfAway || numerator > 0);
  }
  const Int128 code = floor + (up ? 1 : 0) + target.zero_point;
  return static_cast<std::int32_t>(std::clamp<Int128>(code, target.q_min, target.q_max));
}

/// `count` codes and a guard that must stay as it is.
struct GuardedCodes {
  GuardedCodes(DType code_type, std::int64_t count)
      : dtype(code_type), size(static_cast<std::size_t>(count) * size_in_bytes(code_type)), bytes(size + 8, 0xA5) {}

  std::int32_t at(std::int64_t i) const {
    return visit_dtype(dtype, [&]<class T>() {
      T code;
      std::memcpy(&code, bytes.data() + static_cast<std::size_t>(i) * sizeof code, sizeof code);
      return static_cast<std::int32_t>(code);
    });
  }
  void set(std::int64_t i, std::int64_t code) {
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * size_in_bytes(dtype), &code, size_in_bytes(dtype));
  }
  bool guard_is_whole() const {
    return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(),
                       [](auto b) { return b == 0xA5; });
  }

  DType dtype;
  std::size_t size;
  std::vector<std::uint8_t> bytes;
};

GuardedCodes any_codes(std::mt19937& rng, DType dtype, std::int64_t count) {
  GuardedCodes codes(dtype, count);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto face = rng() % 8;
    codes.set(i, face == 0 ? lowest_of(dtype)
                           : (face == 1 ? highest_of(dtype) : pick(rng, lowest_of(dtype), highest_of(dtype))));
  }
  return codes;
}

class ExactRowsOnEachIsa : public EachIsa {
 protected:
  // As a row, and as rows of columns whose sums differ.
  void expect_quotients(const std::vector<std::uint32_t>& e, std::uint64_t sum, const Quotient& factor,
                        const CodeTarget& target) {
    const auto count = static_cast<std::int64_t>(e.size());
    const auto expected = [&](std::int64_t i, std::uint64_t divisor) {
      const Int128 numerator = static_cast<Int128>(e[static_cast<std::size_t>(i)]) * factor.multiplier;
      return oracle_code(numerator, static_cast<Int128>(divisor) << factor.shift, target, ties_);
    };
    GuardedCodes q(target.dtype, count);
    table().quotient_row(e.data(), count, sum, factor, target, q.bytes.data());
    for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(q.at(i), expected(i, sum)) << "element " << i;
    ASSERT_TRUE(q.guard_is_whole());

    const std::int64_t columns = std::min<std::int64_t>(count, 1 + count % 64);
    const std::int64_t rows = count / columns;
    const std::int64_t stride = columns + 3;
    std::vector<std::uint64_t> sums(64);
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = sum + c * (sum / 8);
    GuardedCodes turned(target.dtype, (rows - 1) * stride + columns);
    table().quotient_columns(e.data(), rows, columns, sums.data(), factor, target, turned.bytes.data(), stride);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const std::int64_t c = i % columns;
      ASSERT_EQ(turned.at(i / columns * stride + c), expected(i, sums[static_cast<std::size_t>(c)])) << "element " << i;
    }
    ASSERT_TRUE(turned.guard_is_whole());
  }

  struct Affine {
    std::vector<std::int32_t> gamma;
    std::vector<std::int64_t> beta;
  };

  void expect_normalized(const GuardedCodes& x, std::int64_t count, const NormalizedRow& row, const Affine& affine,
                         const CodeTarget& target) {
    for (const AffineStep step : {AffineStep::kEach, AffineStep::kOne}) {
      GuardedCodes q(target.dtype, count);
      const bool in_place = size_in_bytes(x.dtype) == size_in_bytes(target.dtype);
      if (in_place) q.bytes = x.bytes;
      table().normalize_row(in_place ? q.bytes.data() : x.bytes.data(), x.dtype, count, row, affine.gamma.data(),
                            affine.beta.data(), step, target, q.bytes.data());
      const int shift = row.root_bits + row.gamma_bits;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::size_t at = step == AffineStep::kEach ? static_cast<std::size_t>(i) : 0;
        const Int128 product = static_cast<Int128>(row.columns * x.at(i) - row.sum) * row.root * affine.gamma[at];
        const Int128 raised = product + static_cast<Int128>(affine.beta[at]) * (static_cast<Int128>(1) << (shift - 20));
        ASSERT_EQ(q.at(i), oracle_code(raised, static_cast<Int128>(1) << shift, target, ties_)) << "element " << i;
      }
      ASSERT_TRUE(q.guard_is_whole());
    }
  }

  void expect_blended(const Blend& blend, std::int64_t count, const CodeTarget& target) {
    GuardedCodes q(target.dtype, count * blend.rows);
    table().blend_rows(blend, count, target, q.bytes.data());
    for (std::int64_t i = 0; i < count * blend.rows; ++i) {
      const std::int32_t* weights = blend.weights + i / count * 2;
      const std::int64_t sum =
          std::int64_t{weights[0]} * blend.a[i % count] + std::int64_t{weights[1]} * blend.b[i % count];
      const Int128 product = static_cast<Int128>(sum + blend.bias) * blend.factor.multiplier_q31;
      const Int128 unit = static_cast<Int128>(1) << (31 + blend.factor.right_shift);
      ASSERT_EQ(q.at(i), oracle_code(product, unit, target, ties_))
          << "row " << i / count << " of " << blend.rows << ", count " << count << ", sum " << sum << ", right_shift "
          << blend.factor.right_shift;
    }
    ASSERT_TRUE(q.guard_is_whole());
  }

  int ties_ = 0;
};

TEST_P(ExactRowsOnEachIsa, QuotientsMatchTheFormula) {
  std::mt19937 rng(11);
  for (int round = 0; round < 1500; ++round) {
    std::vector<std::uint32_t> e(static_cast<std::size_t>(kCounts[rng() % kCounts.size()]));
    const int bits = static_cast<int>(rng() % 31);
    for (std::uint32_t& value : e) value = static_cast<std::uint32_t>(pick(rng, 0, std::int64_t{1} << bits));
    Quotient factor;
    const std::int64_t sum = pick(rng, std::int64_t{1} << 30, std::int64_t{1} << (30 + rng() % 28));
    factor.multiplier = static_cast<std::uint32_t>(rng() % 20 == 0 ? 0 : pick(rng, 1 << 30, 0x7FFFFFFF));
    factor.shift = static_cast<int>(rng() % 4 == 0 ? pick(rng, 1, 62) : pick(rng, 10, 30));
    expect_quotients(e, static_cast<std::uint64_t>(sum), factor, any_target(rng));
    if (HasFatalFailure()) return;
  }
}

// With a sum and a multiplier of 2^30 the factor is 2^-shift: every odd multiple of 2^(shift - 1) is a tie.
TEST_P(ExactRowsOnEachIsa, QuotientTiesFollowTheRule) {
  std::mt19937 rng(12);
  for (int shift = 1; shift <= 24; ++shift) {
    std::vector<std::uint32_t> e;
    for (std::uint32_t i = 0; i < 40; ++i) {
      for (const std::uint32_t off : {0U, 1U, 2U}) e.push_back(((2 * i + 1) << (shift - 1)) + off - 1);
    }
    for (int round = 0; round < 12; ++round) expect_quotients(e, 1U << 30, {1U << 30, shift}, any_target(rng));
  }
  EXPECT_GT(ties_, 10000);
}

TEST_P(ExactRowsOnEachIsa, ExponentialsComeFromTheTable) {
  std::mt19937 rng(13);
  std::vector<std::uint32_t> exponentials(65537);
  for (std::uint32_t& value : exponentials) value = static_cast<std::uint32_t>(pick(rng, 0, 1 << 30));
  for (const DType dtype : kCodeTypes) {
    for (const std::int64_t size : {1, 2, 200, 40000, 65536}) {
      const std::int64_t count = kCounts[rng() % kCounts.size()];
      const GuardedCodes q = any_codes(rng, dtype, count);
      std::vector<std::uint32_t> some(exponentials.begin(), exponentials.begin() + size);
      some.push_back(0);
      std::vector<std::uint32_t> e(static_cast<std::size_t>(count));
      const std::uint64_t sum = table().exponentials_row(q.bytes.data(), dtype, count, some.data(), size, e.data());
      std::int32_t largest = q.at(0);
      for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, q.at(i));
      std::uint64_t expected_sum = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t distance = largest - q.at(i);
        const std::uint32_t expected = distance < size ? some[static_cast<std::size_t>(distance)] : 0;
        ASSERT_EQ(e[static_cast<std::size_t>(i)], expected);
        expected_sum += expected;
      }
      ASSERT_EQ(sum, expected_sum);
    }
  }
}

TEST_P(ExactRowsOnEachIsa, MomentsOfExtremeRowsDoNotOverflow) {
  for (const DType dtype : kCodeTypes) {
    for (const std::int32_t code : {lowest_of(dtype), highest_of(dtype)}) {
      const std::int64_t count = 100003;
      GuardedCodes q(dtype, count);
      for (std::int64_t i = 0; i < count; ++i) q.set(i, code);
      const CodeMoments moments = table().code_moments(q.bytes.data(), dtype, count);
      EXPECT_EQ(moments.sum, count * code);
      EXPECT_EQ(moments.squares, static_cast<std::uint64_t>(count * code * code));
    }
  }
}

TEST_P(ExactRowsOnEachIsa, NormalizedRowsMatchTheFormula) {
  std::mt19937 rng(14);
  for (int round = 0; round < 1500; ++round) {
    const std::int64_t count = kCounts[rng() % kCounts.size()];
    const DType x_dtype = kCodeTypes[rng() % kCodeTypes.size()];
    const GuardedCodes x = any_codes(rng, x_dtype, count);
    NormalizedRow row;
    row.columns = round % 10 == 0 ? 1 << 20 : count;
    row.sum = row.columns * pick(rng, lowest_of(x_dtype), highest_of(x_dtype)) + pick(rng, 0, row.columns - 1);
    row.root = pick(rng, 1 << 30, 0xFFFFFFFF);
    row.root_bits = static_cast<int>(pick(rng, 36, 60));
    row.gamma_bits = static_cast<int>(pick(rng, 0, 24));
    row.most_gamma = static_cast<std::int32_t>(pick(rng, 1, 0x7FFFFFFF));
    Affine affine;
    for (std::int64_t i = 0; i < count; ++i) {
      affine.gamma.push_back(static_cast<std::int32_t>(pick(rng, -row.most_gamma, row.most_gamma)));
      affine.beta.push_back(pick(rng, -(std::int64_t{1} << 37), std::int64_t{1} << 37));
    }
    expect_normalized(x, count, row, affine, any_target(rng));
    if (HasFatalFailure()) return;
  }
}

// N = 2, R = 2^31 with k = 31 and G / 2^g = 1/4 give q / 2: a tie for every odd code.
TEST_P(ExactRowsOnEachIsa, NormalizationTiesFollowTheRule) {
  std::mt19937 rng(15);
  for (int round = 0; round < 60; ++round) {
    const GuardedCodes x = any_codes(rng, DType::kInt16, 100);
    const NormalizedRow row = {2, 0, std::int64_t{1} << 31, 31, 20, 1 << 18};
    const Affine affine = {std::vector<std::int32_t>(100, 1 << 18), std::vector<std::int64_t>(100, 0)};
    expect_normalized(x, 100, row, affine, any_target(rng));
  }
  EXPECT_GT(ties_, 3000);
}

struct BlendDraw {
  std::vector<std::int32_t> a;
  std::vector<std::int32_t> b;
  std::vector<std::int32_t> weights;
  Blend blend;
};

BlendDraw draw_blend(std::mt19937& rng, std::int64_t count, bool is_plain) {
  BlendDraw draw;
  draw.blend.rows = pick(rng, 1, 9);
  // After one pass: 2^15 times codes that are unsigned, or signed. Multiples of 2^13 make ties with plain weights
  // frequent.
  const bool is_signed = rng() % 2 == 0;
  const std::int64_t lowest = is_signed ? -(1 << 30) : 0;
  const std::int64_t highest = lowest + std::int64_t{65535} * 32768;
  const auto any = [&] {
    const auto face = rng() % 8;
    const std::int64_t value = face == 0 ? lowest : (face == 1 ? highest : pick(rng, lowest, highest));
    return static_cast<std::int32_t>(is_plain ? value & ~0x1FFF : value);
  };
  for (std::int64_t i = 0; i < count; ++i) draw.a.push_back(any());
  for (std::int64_t i = 0; i < count; ++i) draw.b.push_back(any());
  for (std::int64_t r = 0; r < draw.blend.rows; ++r) {
    const auto w = static_cast<std::int32_t>(is_plain ? pick(rng, 0, 8) << 12 : pick(rng, 0, 32768));
    draw.weights.insert(draw.weights.end(), {32768 - w, w});
  }
  draw.blend.a = draw.a.data();
  draw.blend.b = draw.b.data();
  draw.blend.weights = draw.weights.data();
  const std::int64_t zero_point = pick(rng, 0, 65535) - (is_signed ? 32768 : 0);
  draw.blend.bias = -zero_point * (std::int64_t{1} << 30);
  return draw;
}

TEST_P(ExactRowsOnEachIsa, BlendsOnOneGridMatchTheFormula) {
  std::mt19937 rng(16);
  for (int round = 0; round < 1500; ++round) {
    const std::int64_t count = kCounts[rng() % kCounts.size()];
    BlendDraw draw = draw_blend(rng, count, round % 2 == 0);
    draw.blend.factor = {1 << 30, static_cast<std::int32_t>(round % 3 == 0 ? pick(rng, 10, 50) : 29)};
    expect_blended(draw.blend, count, any_target(rng));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(ties_, 1000);
}

TEST_P(ExactRowsOnEachIsa, BlendsBetweenGridsMatchTheFormula) {
  std::mt19937 rng(17);
  for (int round = 0; round < 1500; ++round) {
    const std::int64_t count = kCounts[rng() % kCounts.size()];
    BlendDraw draw = draw_blend(rng, count, round % 2 == 0);
    // Every third multiplier has few bits: exact products.
    const auto multiplier = static_cast<std::int32_t>(pick(rng, 1 << 30, 0x7FFFFFFF));
    draw.blend.factor = {round % 3 == 0 ? multiplier & ~0x3FFFFFF : multiplier,
                         static_cast<std::int32_t>(pick(rng, 24, 36))};
    expect_blended(draw.blend, count, any_target(rng));
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ExactRowsOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
