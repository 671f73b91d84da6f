// histogram_test.cpp: one-pass statistics, against plain loops and between instruction sets.
#include "kernels/histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::int64_t size_of(const std::vector<float>& x) { return static_cast<std::int64_t>(x.size()); }

class HistogramOnEachIsa : public EachIsa {};

TEST_P(HistogramOnEachIsa, MomentsMatchPlainLoops) {
  std::mt19937 rng(911);
  for (const std::int64_t count : {0, 1, 7, 8, 15, 16, 17, 31, 1000, 4099}) {
    std::vector<float> x = random_floats(rng, count, -3.0F, 5.0F);
    for (std::size_t i = 5; i < x.size(); i += 11) x[i] = i % 3 == 0 ? kNan : (i % 3 == 1 ? kInfinity : -kInfinity);
    FiniteSums expected;
    expected.count = count;
    for (const float value : x) {
      if (!std::isfinite(value)) {
        ++expected.num_nonfinite;
        continue;
      }
      expected.min = std::min(expected.min, value);
      expected.max = std::max(expected.max, value);
      expected.sum += double{value};
      expected.sum_of_squares += double{value} * double{value};
    }
    const FiniteSums actual = table().minmax_sum(x.data(), count);
    EXPECT_EQ(actual.count, count);
    EXPECT_EQ(actual.num_nonfinite, expected.num_nonfinite);
    EXPECT_EQ(actual.min, expected.min);
    EXPECT_EQ(actual.max, expected.max);
    EXPECT_NEAR(actual.sum, expected.sum, 1e-9);
    EXPECT_NEAR(actual.sum_of_squares, expected.sum_of_squares, 1e-9);
  }
}

TEST_P(HistogramOnEachIsa, MomentsAreTheSameToTheBitOnEverySet) {
  std::mt19937 rng(912);
  const std::vector<float> x = random_floats(rng, 100'003, -1e3F, 1e-3F);
  const FiniteSums here = table().minmax_sum(x.data(), size_of(x));
  const FiniteSums there = table_for(Isa::kBaseline).minmax_sum(x.data(), size_of(x));
  EXPECT_EQ(here.sum, there.sum);
  EXPECT_EQ(here.sum_of_squares, there.sum_of_squares);
}

// Width 0.5 from -1: bins [-1, -0.5), [-0.5, 0), [0, 0.5), [0.5, 1).
TEST_P(HistogramOnEachIsa, EdgesBelongToTheBinAbove) {
  const float below_zero = -std::numeric_limits<float>::denorm_min();
  const std::vector<float> x = {-1.0F,
                                -0.5F,
                                -0.0F,
                                0.0F,
                                0.5F,
                                std::nextafter(0.5F, 0.0F),
                                below_zero,
                                1.0F,
                                std::nextafter(-1.0F, -2.0F),
                                std::nextafter(1.0F, 0.0F),
                                kNan,
                                kInfinity,
                                -kInfinity};
  std::vector<std::uint32_t> counts(4);
  EXPECT_EQ(table().dyadic_bin_counts(x.data(), size_of(x), -1, -2, 4, counts.data()), 5);
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{1, 2, 3, 2}));
}

TEST_P(HistogramOnEachIsa, RandomBinsMatchExactFloor) {
  std::mt19937 rng(913);
  for (const int log2_width : {-300, -149, -20, -5, 0, 3, 100, 300}) {
    for (const std::int64_t first_bin : {std::int64_t{-2048}, std::int64_t{0}, std::int64_t{1} << 40}) {
      std::vector<float> x = random_floats(rng, 2000, -70.0F, 70.0F);
      std::vector<std::uint32_t> counts(4096);
      std::vector<std::uint32_t> expected(4096);
      // Values next to the wanted bins, where those are within reach of a float.
      for (std::int64_t i = -2; i < 40; ++i) {
        x.push_back(std::ldexp(static_cast<float>(first_bin + 103 * i), log2_width));
      }
      std::int64_t outside = 0;
      for (const float value : x) {
        const double bin = std::floor(std::ldexp(double{value}, -log2_width)) - static_cast<double>(first_bin);
        if (bin >= 0.0 && bin < 4096.0) {
          ++expected[static_cast<std::size_t>(bin)];
        } else {
          ++outside;
        }
      }
      EXPECT_EQ(table().dyadic_bin_counts(x.data(), size_of(x), log2_width, first_bin, 4096, counts.data()), outside);
      EXPECT_EQ(counts, expected) << log2_width << " " << first_bin;
    }
  }
}

// Of each group of blocks one counts so many times, whichever; what fills no group counts once.
TEST_P(HistogramOnEachIsa, SomeBlocksSpeakForAll) {
  constexpr std::int64_t kBlock = 512;
  // Every block has a bin of its own, so that counts tell which were looked at.
  for (const std::int64_t one_in : {1, 2, 4, 8}) {
    for (const std::int64_t num_blocks : {1, 2, 5, 70, 3000}) {
      const std::int64_t count = num_blocks * kBlock + 17;
      std::vector<float> x(static_cast<std::size_t>(count));
      for (std::int64_t i = 0; i < count; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i / kBlock);
      std::int64_t num_first = 0;
      for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0x7ff123456789abcd}}) {
        std::vector<std::uint32_t> counts(4096);
        EXPECT_EQ(table().dyadic_bin_counts_of_part(x.data(), count, one_in, seed, 0, 0, 4096, counts.data()), 0);
        const std::int64_t num_groups = num_blocks / one_in;
        for (std::int64_t group = 0; group < num_groups; ++group) {
          const auto first = counts.begin() + group * one_in;
          EXPECT_EQ(std::count(first, first + one_in, one_in * kBlock), 1);
          EXPECT_EQ(std::count(first, first + one_in, 0), one_in - 1);
          num_first += *first > 0 ? 1 : 0;
        }
        for (std::int64_t block = num_groups * one_in; block < num_blocks; ++block) {
          EXPECT_EQ(counts[static_cast<std::size_t>(block)], kBlock);
        }
        EXPECT_EQ(counts[static_cast<std::size_t>(num_blocks)], 17U);
      }
      if (num_blocks > 1000) {
        const double share = static_cast<double>(num_first) / (2.0 * static_cast<double>(num_blocks / one_in));
        EXPECT_NEAR(share, 1.0 / static_cast<double>(one_in), 0.04);
      }
    }
  }
}

// So many values that several sets of counters are worth it; widths at the ends of
// what single precision can do, and beyond.
TEST_P(HistogramOnEachIsa, ManyValuesMatchExactFloor) {
  std::mt19937 rng(914);
  for (const int log2_width : {-127, -126, -20, 0, 104, 105, 116}) {
    for (const std::int64_t num_bins : {1, 100, 4096}) {
      for (const std::int64_t first_bin : {std::int64_t{-50}, std::int64_t{0}, std::int64_t{1} << 22}) {
        std::vector<float> x = random_floats(rng, 9000, -60.0F, 60.0F);
        for (float& value : x) value = std::ldexp(value, log2_width);
        for (std::size_t i = 0; i < x.size(); i += 3) x[i] = 0.0F;
        for (std::size_t i = 1; i < x.size(); i += 50) x[i] = -std::numeric_limits<float>::denorm_min();
        x[7] = kNan;
        x[8] = kInfinity;
        x[9] = -kInfinity;
        for (std::int64_t i = -2; i < 102; ++i) {
          x.push_back(std::ldexp(static_cast<float>(first_bin + i), log2_width));
        }
        std::vector<std::uint32_t> counts(static_cast<std::size_t>(num_bins), 5);
        std::vector<std::uint32_t> expected = counts;
        std::int64_t outside = 0;
        for (const float value : x) {
          const double bin = std::floor(std::ldexp(double{value}, -log2_width)) - static_cast<double>(first_bin);
          if (bin >= 0.0 && bin < static_cast<double>(num_bins)) {
            ++expected[static_cast<std::size_t>(bin)];
          } else {
            ++outside;
          }
        }
        EXPECT_EQ(table().dyadic_bin_counts(x.data(), size_of(x), log2_width, first_bin, num_bins, counts.data()),
                  outside);
        EXPECT_EQ(counts, expected) << log2_width << " " << num_bins << " " << first_bin;
      }
    }
  }
}

TEST_P(HistogramOnEachIsa, MomentsWithNonFiniteValuesAreTheSameToTheBitOnEverySet) {
  std::mt19937 rng(915);
  std::vector<float> x = random_floats(rng, 5'013, -1e3F, 1e-3F);
  for (const std::size_t i : {3, 2000, 2001, 5012}) x[i] = i % 2 == 0 ? kNan : kInfinity;
  const FiniteSums here = table().minmax_sum(x.data(), size_of(x));
  const FiniteSums there = table_for(Isa::kBaseline).minmax_sum(x.data(), size_of(x));
  EXPECT_EQ(here.num_nonfinite, 4);
  EXPECT_EQ(here.min, there.min);
  EXPECT_EQ(here.max, there.max);
  EXPECT_EQ(here.sum, there.sum);
  EXPECT_EQ(here.sum_of_squares, there.sum_of_squares);
}

INSTANTIATE_TEST_SUITE_P(Isas, HistogramOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
