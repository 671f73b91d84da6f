// dyadic_histogram_test.cpp: the same state for any order and any split.
#include "calib/dyadic_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

namespace halfstep::calib {
namespace {

DyadicHistogram histogram_of(const std::vector<float>& values) {
  DyadicHistogram histogram;
  histogram.add(values);
  return histogram;
}

/// Oracle: tries every exponent from the bottom, one value at a time.
void expect_canonical(const DyadicHistogram& histogram, const std::vector<float>& values) {
  const auto bin = [](double x, int e) { return std::floor(x / std::ldexp(1.0, e)); };
  const double low = std::min(0.0F, *std::min_element(values.begin(), values.end()));
  const double high = std::max(0.0F, *std::max_element(values.begin(), values.end()));
  int e = DyadicHistogram::kMinLog2Width;
  while (bin(high, e) - bin(low, e) >= DyadicHistogram::kNumBins) ++e;
  ASSERT_EQ(histogram.log2_width(), e);
  ASSERT_EQ(static_cast<double>(histogram.first_bin()), bin(low, e));
  ASSERT_EQ(static_cast<double>(histogram.counts().size()), bin(high, e) - bin(low, e) + 1);
  std::map<double, std::uint64_t> expected;
  for (const float x : values) ++expected[bin(x, e)];
  const std::vector<std::uint64_t> counts = histogram.counts();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto at = expected.find(static_cast<double>(histogram.first_bin()) + static_cast<double>(i));
    ASSERT_EQ(counts[i], at == expected.end() ? 0 : at->second) << "bin " << i;
    ASSERT_EQ(histogram.lower_edge(i), std::ldexp(bin(low, e) + static_cast<double>(i), e));
  }
  ASSERT_EQ(histogram.count(), static_cast<std::int64_t>(values.size()));
}

TEST(DyadicHistogram, CountsIntoBinsOfPowerOfTwoWidth) {
  // 0 to 4095 needs 4096 bins of width 1.
  std::vector<float> values(4096);
  std::iota(values.begin(), values.end(), 0.0F);
  const DyadicHistogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.log2_width(), 0);
  EXPECT_EQ(histogram.counts().size(), 4096U);
  EXPECT_EQ(std::ranges::max(histogram.counts()), 1U);
}

TEST(DyadicHistogram, OneValueTooManyDoublesTheWidth) {
  std::vector<float> values(4096);
  std::iota(values.begin(), values.end(), 0.0F);
  DyadicHistogram histogram = histogram_of(values);
  histogram.add(std::vector<float>{4096.0F});
  EXPECT_EQ(histogram.log2_width(), 1);
  EXPECT_EQ(histogram.counts()[0], 2U);
  EXPECT_EQ(histogram.counts().back(), 1U);
}

TEST(DyadicHistogram, HoldsTheExtremesOfFloat32) {
  const float max = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> values = {max, -max, tiny, -tiny, 0.0F, -0.0F, 1.0F};
  expect_canonical(histogram_of(values), values);
  expect_canonical(histogram_of({tiny, -tiny}), {tiny, -tiny});
  expect_canonical(histogram_of({0.0F}), {0.0F});
  expect_canonical(histogram_of({-0.0F}), {-0.0F});
  // From the finest to the coarsest bins in one step.
  DyadicHistogram grown = histogram_of({tiny, -tiny, 0.0F});
  grown.add(std::vector<float>{max, -max, -0.0F, 1.0F});
  EXPECT_EQ(grown, histogram_of(values));
}

TEST(DyadicHistogram, CountsBeyond32Bits) {
  // The same histogram merged into itself again and again: 3 * 2^40 zeros, 2^40 ones.
  DyadicHistogram histogram = histogram_of({0.0F, 0.0F, 0.0F, 1.0F});
  for (int round = 0; round < 40; ++round) {
    const DyadicHistogram same = histogram;
    histogram.merge(same);
  }
  EXPECT_EQ(histogram.count(), std::int64_t{4} << 40);
  EXPECT_EQ(histogram.counts().front(), std::uint64_t{3} << 40);
  EXPECT_EQ(histogram.counts().back(), std::uint64_t{1} << 40);
  const auto restored = DyadicHistogram::restored(DyadicHistogram::kNumBins, 0.0F, 1.0F, histogram.counts());
  ASSERT_TRUE(restored);
  EXPECT_EQ(*restored, histogram);
  // A wider range moves them all.
  histogram.add(std::vector<float>{-100.0F, 0.0F});
  EXPECT_EQ(std::ranges::max(histogram.counts()), (std::uint64_t{3} << 40) + 1);
}

TEST(DyadicHistogram, MergingNothingChangesNothing) {
  const DyadicHistogram some = histogram_of({1.0F, 2.5F});
  DyadicHistogram merged = some;
  merged.merge({});
  EXPECT_EQ(merged, some);
  DyadicHistogram empty;
  empty.merge(some);
  EXPECT_EQ(empty, some);
}

std::vector<float> generated(std::mt19937_64& rng, int kind) {
  std::uniform_int_distribution<int> size(1, 400);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-150, 120);
  std::vector<float> values(static_cast<std::size_t>(size(rng)));
  const int common = exponent(rng);
  for (float& x : values) {
    switch (kind % 4) {
      case 0:
        x = normal(rng) * 3.0F;
        break;
      case 1:  // Many magnitudes: bins merge often.
        x = std::ldexp(normal(rng), exponent(rng));
        break;
      case 2:  // Edges of bins.
        x = std::ldexp(std::round(normal(rng) * 2000.0F), common);
        break;
      default:
        x = std::max(0.0F, normal(rng)) * std::ldexp(1.0F, common);
    }
    if (!std::isfinite(x)) x = 0.0F;
  }
  return values;
}

TEST(DyadicHistogramProperty, AnyOrderAndAnySplitGiveTheSameState) {
  std::mt19937_64 rng(20240601);
  for (int round = 0; round < 300; ++round) {
    std::vector<float> values = generated(rng, round);
    const DyadicHistogram whole = histogram_of(values);
    expect_canonical(whole, values);

    std::shuffle(values.begin(), values.end(), rng);
    DyadicHistogram streamed;
    std::vector<DyadicHistogram> workers(3);
    std::size_t at = 0;
    while (at < values.size()) {
      const std::size_t chunk = std::min<std::size_t>(values.size() - at, 1 + rng() % 20);
      const std::span<const float> part = std::span<const float>(values).subspan(at, chunk);
      streamed.add(part);
      workers[rng() % workers.size()].add(part);
      at += chunk;
    }
    ASSERT_EQ(streamed, whole) << "round " << round;
    DyadicHistogram merged = workers[2];
    merged.merge(workers[0]);
    merged.merge(workers[1]);
    ASSERT_EQ(merged, whole) << "round " << round;
  }
}

}  // namespace
}  // namespace halfstep::calib
