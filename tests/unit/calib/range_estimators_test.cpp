// range_estimators_test.cpp: every estimator against a search of its own kind over the raw values.
//
// The oracles know nothing of histograms, fit_grid() or the search of calib: they build grids from formulas written
// down here and try all candidates on all values.
#include "calib/range_estimators.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace halfstep::calib {
namespace {

// The oracle's grids.

struct Grid {
  double scale;
  double lowest;  // Codes relative to the zero point.
  double highest;
};

enum class Kind { kAsymmetric, kSymmetric, kNarrow, kUnsigned, kPowerSigned, kPowerUnsigned };

struct Case {
  std::string name;
  Kind kind;
  int bits;
  GridRequest request() const {
    GridRequest r{.bits = bits};
    if (kind == Kind::kSymmetric || kind == Kind::kNarrow || kind == Kind::kPowerSigned) r.schema = Schema::kSymmetric;
    if (kind == Kind::kUnsigned || kind == Kind::kPowerUnsigned) r.schema = Schema::kUnsignedSymmetric;
    if (kind == Kind::kNarrow) r.signed_grid = SignedGrid::kNarrow;
    if (kind == Kind::kPowerSigned || kind == Kind::kPowerUnsigned) r.scale = ScaleKind::kPowerOfTwo;
    return r;
  }
  bool one_end(const std::vector<float>& values) const {
    return kind != Kind::kAsymmetric || *std::ranges::min_element(values) >= 0.0F;
  }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int bits : {4, 8, 16}) {
    const std::string width = std::to_string(bits);
    all.push_back({"asymmetric" + width, Kind::kAsymmetric, bits});
    all.push_back({"symmetric" + width, Kind::kSymmetric, bits});
    all.push_back({"narrow" + width, Kind::kNarrow, bits});
    all.push_back({"unsigned" + width, Kind::kUnsigned, bits});
    all.push_back({"power_signed" + width, Kind::kPowerSigned, bits});
    all.push_back({"power_unsigned" + width, Kind::kPowerUnsigned, bits});
  }
  return all;
}

Grid grid_for(const Case& c, double low, double high, bool has_negatives) {
  const double steps = std::pow(2.0, c.bits) - 1.0;
  const double half = std::pow(2.0, c.bits - 1);
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const double reach = std::max(-low, high);
  switch (c.kind) {
    case Kind::kAsymmetric: {
      const double zero = std::clamp(std::round(-low * steps / (high - low)), 0.0, steps);
      return {(high - low) / steps, -zero, steps - zero};
    }
    case Kind::kNarrow:
      return {reach / (half - 1.0), -(half - 1.0), half - 1.0};
    case Kind::kUnsigned:
      if (!has_negatives) return {reach / steps, 0.0, steps};
      [[fallthrough]];
    case Kind::kSymmetric:
      return {reach / (half - 1.0), -half, half - 1.0};
    case Kind::kPowerUnsigned:
      if (!has_negatives) return {std::pow(2.0, std::ceil(std::log2(reach)) - c.bits), 0.0, steps};
      [[fallthrough]];
    case Kind::kPowerSigned:
      return {std::pow(2.0, std::ceil(std::log2(reach)) - c.bits + 1), -half, half - 1.0};
  }
  return {};
}

double squared_error(const std::vector<float>& values, const Grid& grid, double clip_weight) {
  double sum = 0.0;
  for (const float x : values) {
    const double code = std::min(std::max(std::round(x / grid.scale), grid.lowest), grid.highest);
    const double error = x - code * grid.scale;
    sum += error * error * (std::abs(error) > 0.50001 * grid.scale ? clip_weight : 1.0);
  }
  return sum;
}

// Data.

struct Data {
  std::string name;
  std::vector<float> values;
};

std::vector<Data> data_sets() {
  std::mt19937_64 rng(20261129);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<Data> all;
  const auto add = [&](const char* name, int count, auto&& draw) {
    Data data{name, {}};
    for (int i = 0; i < count; ++i) data.values.push_back(draw(i));
    all.push_back(std::move(data));
  };
  add("normal", 2000, [&](int) { return normal(rng); });
  add("relu", 2000, [&](int) { return std::max(0.0F, normal(rng) * 3.0F); });
  add("relu6", 2000, [&](int) { return std::clamp(normal(rng) * 4.0F, 0.0F, 6.0F); });
  add("heavy_tails", 2000, [&](int) { return std::pow(normal(rng), 3.0F) * 0.01F; });
  add("one_outlier", 2000, [&](int i) { return i == 1234 ? 400.0F : uniform(rng); });
  add("skewed", 2000, [&](int) { return std::exp(normal(rng)) - 0.3F; });
  add("negative", 2000, [&](int) { return -std::abs(normal(rng)) - 0.1F; });
  add("weights_of_a_slice", 27, [&](int) { return normal(rng) * 1e-3F; });
  return all;
}

Distribution distribution_of(const std::vector<float>& values, int num_bins = DyadicHistogram::kNumBins) {
  Distribution distribution;
  const Moments moments = measure(values).moments;
  distribution.moments.add(moments);
  distribution.samples.add(moments);
  distribution.histogram = DyadicHistogram(num_bins);
  distribution.histogram.add(values);
  return distribution;
}

/// Cost of the best of many ranges within the extremes.
template <class Cost>
double brute_force(const Case& c, const std::vector<float>& values, Cost&& cost) {
  const double min = *std::ranges::min_element(values);
  const double max = *std::ranges::max_element(values);
  const bool negatives = min < 0.0;
  double best = std::numeric_limits<double>::infinity();
  const auto enter = [&](double low, double high) { best = std::min(best, cost(grid_for(c, low, high, negatives))); };
  if (c.one_end(values) || max <= 0.0) {
    for (int k = 1; k <= 400; ++k) enter(min * k / 400.0, max * k / 400.0);
    for (int k = 0; k <= 40; ++k) enter(min * std::pow(0.75, k), max * std::pow(0.75, k));
    if (c.kind == Kind::kPowerSigned || c.kind == Kind::kPowerUnsigned) enter(min * 2.0, max * 2.0);
    return best;
  }
  for (int i = 1; i <= 32; ++i) {
    for (int k = 1; k <= 32; ++k) enter(min * i / 32.0, max * k / 32.0);
  }
  return best;
}

/// The cost, to the oracle, of what the estimator chose.
template <class Cost>
double chosen(const Case& c, const std::vector<float>& values, const RangeRule& rule, int num_bins, Cost&& cost) {
  const RealRange range = estimate_range(distribution_of(values, num_bins), c.request(), rule);
  return cost(grid_for(c, range.min, range.max, *std::ranges::min_element(values) < 0.0F));
}

/// Below it, one value more or less outside decides.
double tolerance(const Data& data, const Case& c) {
  const bool few = data.values.size() < 100;
  return few ? 1.10 : c.bits == 16 ? 1.05 : 1.02;
}

TEST(RangeEstimators, MseIsAsGoodAsAnyRange) {
  for (const Data& data : data_sets()) {
    for (const Case& c : cases()) {
      const auto cost = [&](const Grid& grid) { return squared_error(data.values, grid, 1.0); };
      const double best = brute_force(c, data.values, cost);
      const double ours = chosen(c, data.values, {.method = RangeMethod::kMse}, DyadicHistogram::kNumBins, cost);
      EXPECT_LE(ours, best * tolerance(data, c)) << data.name << " " << c.name;
      // Channels are counted in fewer bins.
      const double coarse =
          chosen(c, data.values, {.method = RangeMethod::kMse}, DyadicHistogram::kNumChannelBins, cost);
      if (c.bits > 8) continue;
      EXPECT_LE(coarse, best * (tolerance(data, c) + 0.03)) << data.name << " " << c.name;
    }
  }
}

TEST(RangeEstimators, MseClipsWhatIsNotWorthItsRange) {
  std::vector<float> values;
  for (int i = -1500; i < 1500; ++i) values.push_back(static_cast<float>(i) / 1500.0F);
  values.push_back(8.0F);
  const Case c{"symmetric4", Kind::kSymmetric, 4};
  const RealRange range = estimate_range(distribution_of(values), c.request(), {.method = RangeMethod::kMse});
  EXPECT_LT(range.max, 3.0);
  EXPECT_GE(range.max, 0.9);
}

/// -x has the mirror image of x's range; so few values that each bin weighs.
TEST(RangeEstimators, SignsDoNotMatterToSymmetricGrids) {
  std::mt19937 rng(3);
  std::normal_distribution<float> normal(1.0F, 0.4F);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> values(9);
    std::ranges::generate(values,
                          [&] { return round % 2 == 0 ? std::abs(normal(rng)) : std::round(normal(rng) * 8.0F); });
    std::vector<float> negated = values;
    for (float& x : negated) x = -x;
    for (const RangeMethod method : {RangeMethod::kMse, RangeMethod::kSqnr, RangeMethod::kEntropy}) {
      const Case c{"narrow8", Kind::kNarrow, 8};
      const RangeRule rule{.method = method};
      const auto cost = [&](const Grid& grid) { return squared_error(values, grid, 1.0); };
      const auto mirrored = [&](const Grid& grid) { return squared_error(negated, grid, 1.0); };
      const double one = chosen(c, values, rule, DyadicHistogram::kNumBins, cost);
      const double other = chosen(c, negated, rule, DyadicHistogram::kNumBins, mirrored);
      EXPECT_LE(std::max(one, other), 1.5 * std::min(one, other) + 1e-9) << name_of(method) << " round " << round;
    }
  }
}

/// The candidates of AIMET's tf-enhanced on raw values.
double cheapest_of_aimet(const Case& c, const std::vector<float>& values) {
  const double min = std::min(0.0F, *std::ranges::min_element(values));
  const double max = std::max(0.0F, *std::ranges::max_element(values));
  const bool negatives = min < 0.0;
  double best = std::numeric_limits<double>::infinity();
  const auto enter = [&](double low, double high) {
    best = std::min(best, squared_error(values, grid_for(c, low, high, negatives), 3.0));
  };
  const double reach = std::max(-min, max);
  if (c.kind == Kind::kPowerSigned || c.kind == Kind::kPowerUnsigned) {
    for (int e = -16; e <= 1; ++e) enter(negatives ? -reach * std::pow(2.0, e) : 0.0, reach * std::pow(2.0, e));
    return best;
  }
  if (c.kind != Kind::kAsymmetric) {
    for (int k = 1; k <= 101; ++k) enter(negatives ? -reach * k / 100.0 : 0.0, reach * k / 100.0);
    return best;
  }
  const double steps = std::pow(2.0, c.bits) - 1.0;
  enter(min, max);
  for (int k = 1; k <= 17; ++k) {
    for (int i = 0; i <= 20; ++i) {
      const double step = (max - min) / steps * k / 16.0;
      const double low = step * std::trunc(-steps + steps / 20.0 * i);
      const double high = low + step * steps;
      if ((low < min && high > max) || std::min(high, max) <= std::max(low, min)) continue;
      enter(std::max(low, min), std::min(high, max));
    }
  }
  return best;
}

TEST(RangeEstimators, SqnrIsAsGoodAsAnyCandidateOfAimet) {
  for (const Data& data : data_sets()) {
    for (const Case& c : cases()) {
      const auto cost = [&](const Grid& grid) { return squared_error(data.values, grid, 3.0); };
      const double ours = chosen(c, data.values, {.method = RangeMethod::kSqnr}, DyadicHistogram::kNumBins, cost);
      EXPECT_LE(ours, cheapest_of_aimet(c, data.values) * tolerance(data, c)) << data.name << " " << c.name;
    }
  }
}

/// D(P || Q) by its definition, over bins of the width the histogram has.
double divergence(const std::vector<float>& values, double width, const Grid& grid) {
  const double min = *std::ranges::min_element(values);
  const auto first = static_cast<long>(std::floor(std::min(min, 0.0) / width));
  const double max = std::max(0.0, static_cast<double>(*std::ranges::max_element(values)));
  std::vector<double> counts(static_cast<std::size_t>(static_cast<long>(std::floor(max / width)) - first + 1));
  for (const float x : values) ++counts[static_cast<std::size_t>(static_cast<long>(std::floor(x / width)) - first)];
  // Zeros are no news to any grid.
  const auto at_zero = static_cast<std::size_t>(-first);
  double beside = at_zero > 0 ? counts[at_zero - 1] : 0.0;
  if (at_zero + 1 < counts.size()) beside = std::max(beside, counts[at_zero + 1]);
  if (min <= 0.0) counts[at_zero] = std::min(counts[at_zero], beside);

  double total = 0.0;
  double inside = 0.0;
  long begin = -1;
  long end = -1;
  std::vector<double> code_of(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const double centre = (static_cast<double>(first) + static_cast<double>(i) + 0.5) * width;
    if (centre < (grid.lowest - 0.5) * grid.scale || centre >= (grid.highest + 0.5) * grid.scale) continue;
    if (begin < 0) begin = static_cast<long>(i);
    end = static_cast<long>(i) + 1;
    inside += counts[i];
    code_of[i] = std::floor(centre / grid.scale + 0.5);
  }
  if (begin < 0 || inside == 0.0) return std::log(1e4);
  if (grid.scale <= width && inside < total) return std::log(1e4);  // Steps finer than bins: not to be judged.
  std::vector<double> p(counts.size());
  std::vector<double> q(counts.size());
  for (long i = begin; i < end; ++i) {
    double mass = 0.0;
    double occupied = 0.0;
    for (long k = begin; k < end; ++k) {
      if (code_of[static_cast<std::size_t>(k)] != code_of[static_cast<std::size_t>(i)]) continue;
      mass += counts[static_cast<std::size_t>(k)];
      occupied += counts[static_cast<std::size_t>(k)] > 0.0 ? 1.0 : 0.0;
    }
    const double count = counts[static_cast<std::size_t>(i)];
    p[static_cast<std::size_t>(i)] = count / total;
    q[static_cast<std::size_t>(i)] = count > 0.0 ? mass / occupied / inside : 1e-4;
  }
  for (long i = 0; i < begin; ++i) p[static_cast<std::size_t>(begin)] += counts[static_cast<std::size_t>(i)] / total;
  for (std::size_t i = static_cast<std::size_t>(end); i < counts.size(); ++i) {
    p[static_cast<std::size_t>(end - 1)] += counts[i] / total;
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i) sum += p[i] > 0.0 ? p[i] * std::log(p[i] / q[i]) : 0.0;
  return sum;
}

TEST(RangeEstimators, EntropyDivergesAsLittleAsAnyRange) {
  for (const Data& data : data_sets()) {
    const double width = std::ldexp(1.0, distribution_of(data.values, 256).histogram.log2_width());
    for (const Case& c : cases()) {
      if (c.bits != 4) continue;  // 256 bins and 15 steps: as 4096 and 255, and slow enough.
      const auto cost = [&](const Grid& grid) { return divergence(data.values, width, grid); };
      double best = std::numeric_limits<double>::infinity();
      if (c.kind == Kind::kAsymmetric && !c.one_end(data.values)) {
        const double min = *std::ranges::min_element(data.values);
        const double max = *std::ranges::max_element(data.values);
        for (int k = 1; k <= 100; ++k) best = std::min(best, cost(grid_for(c, min * k / 100, max * k / 100, true)));
      } else {
        const double min = *std::ranges::min_element(data.values);
        const double max = *std::ranges::max_element(data.values);
        for (int k = 1; k <= 100; ++k) {
          best = std::min(best, cost(grid_for(c, min * k / 100, max * k / 100, min < 0.0)));
        }
      }
      const double ours = chosen(c, data.values, {.method = RangeMethod::kEntropy}, 256, cost);
      // The divergence is rough between neighbouring ranges; of few values, each bin is a step.
      EXPECT_LE(ours, best * (data.values.size() < 100 ? 1.25 : 1.15) + 1e-3) << data.name << " " << c.name;
    }
  }
}

TEST(RangeEstimators, PercentileLeavesItsShareOutsideAtEachEnd) {
  for (const Data& data : data_sets()) {
    for (const double percentile : {90.0, 99.0, 99.9, 100.0}) {
      const Distribution distribution = distribution_of(data.values);
      const RealRange range =
          estimate_range(distribution, {}, {.method = RangeMethod::kPercentile, .percentile = percentile});
      std::vector<float> sorted = data.values;
      std::ranges::sort(sorted);
      const auto outside =
          static_cast<std::size_t>((100.0 - percentile) / 100.0 * static_cast<double>(sorted.size()) + 1e-9);
      const double bin = std::ldexp(1.0, distribution.histogram.log2_width());
      const double low = sorted.front() >= 0.0F ? sorted.front() : std::min(0.0F, sorted[outside]);
      const double high = sorted.back() <= 0.0F ? sorted.back() : std::max(0.0F, sorted[sorted.size() - 1 - outside]);
      EXPECT_NEAR(range.min, low, bin) << data.name << " " << percentile;
      EXPECT_NEAR(range.max, high, bin) << data.name << " " << percentile;
      if (percentile < 100.0) continue;
      EXPECT_EQ(range.max, sorted.back()) << data.name;
    }
  }
}

TEST(RangeEstimators, MomentsOfSamplesGiveTheOthers) {
  const std::vector<std::vector<float>> samples{{-1.0F, 0.5F, 2.0F}, {-3.0F, 1.0F, 1.5F}, {0.25F, -0.5F, 8.0F}};
  Distribution distribution;
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Moments moments = measure(samples[i]).moments;
    distribution.moments.add(moments);
    distribution.samples.add(moments);
    distribution.samples.each.push_back({static_cast<std::int64_t>(i), moments.min, moments.max});
    for (const float x : samples[i]) {
      sum += x;
      squares += static_cast<double>(x) * x;
    }
  }
  const RealRange widest = estimate_range(distribution, {}, {});
  EXPECT_EQ(widest.min, -3.0);
  EXPECT_EQ(widest.max, 8.0);
  const RealRange mean = estimate_range(distribution, {}, {.method = RangeMethod::kMeanMinMax});
  EXPECT_DOUBLE_EQ(mean.min, (-1.0 - 3.0 - 0.5) / 3.0);
  EXPECT_DOUBLE_EQ(mean.max, (2.0 + 1.5 + 8.0) / 3.0);
  const RealRange moving =
      estimate_range(distribution, {}, {.method = RangeMethod::kMovingAverage, .moving_average_constant = 0.25});
  EXPECT_DOUBLE_EQ(moving.min, 0.75 * (0.75 * -1.0 + 0.25 * -3.0) + 0.25 * -0.5);
  EXPECT_DOUBLE_EQ(moving.max, 0.75 * (0.75 * 2.0 + 0.25 * 1.5) + 0.25 * 8.0);
  const double deviation = std::sqrt(squares / 9.0 - sum / 9.0 * (sum / 9.0));
  const RealRange around = estimate_range(distribution, {}, {.method = RangeMethod::kMeanStd, .mean_std_factor = 1.5});
  EXPECT_NEAR(around.max, sum / 9.0 + 1.5 * deviation, 1e-12);
  EXPECT_EQ(around.min, -3.0);  // The extreme is nearer.
}

TEST(RangeEstimators, AdjustedHasBothExtremesOnItsGrid) {
  for (const Data& data : data_sets()) {
    for (const Case& c : cases()) {
      const double min = std::min(0.0F, *std::ranges::min_element(data.values));
      const double max = std::max(0.0F, *std::ranges::max_element(data.values));
      const RealRange range =
          estimate_range(distribution_of(data.values), c.request(), {.method = RangeMethod::kAdjusted});
      const Grid grid = grid_for(c, range.min, range.max, min < 0.0);
      const double slack = 1e-9 * (max - min);
      EXPECT_LE(grid.lowest * grid.scale, min + slack) << data.name << " " << c.name;
      EXPECT_GE(grid.highest * grid.scale, max - slack) << data.name << " " << c.name;
      // And no wider than needed: the next smaller grid of its kind would not.
      if (c.kind != Kind::kAsymmetric) continue;
      EXPECT_LE(range.max - range.min, (max - min) * (1.0 + 2.0 / (std::pow(2.0, c.bits) - 2.0)) * 1.1);
    }
  }
}

TEST(RangeEstimators, NothingSeenIsARangeOfNothing) {
  for (const RangeMethod method :
       {RangeMethod::kMinMax, RangeMethod::kMse, RangeMethod::kEntropy, RangeMethod::kSqnr, RangeMethod::kPercentile,
        RangeMethod::kMovingAverage, RangeMethod::kMeanMinMax, RangeMethod::kMeanStd, RangeMethod::kAdjusted}) {
    const RealRange range = estimate_range({}, {}, {.method = method});
    EXPECT_EQ(range.min, 0.0);
    EXPECT_EQ(range.max, 0.0);
    for (const float only : {0.0F, 3.5F, -2e-20F, 3e38F}) {
      const RealRange one = estimate_range(distribution_of({only, only}), {}, {.method = method});
      EXPECT_TRUE(std::isfinite(one.min) && std::isfinite(one.max) && one.min <= one.max) << name_of(method) << only;
      EXPECT_TRUE(fit_grid(one, {}).ok()) << name_of(method) << only;
    }
  }
}

TEST(RangeEstimators, ShareOutsideCountsTheValuesBeyond) {
  for (const Data& data : data_sets()) {
    const Distribution distribution = distribution_of(data.values);
    const double reach =
        std::max(std::abs(*std::ranges::min_element(data.values)), *std::ranges::max_element(data.values));
    for (const double share : {0.05, 0.5, 1.0}) {
      const RealRange range{-reach * share, reach * share};
      const auto beyond = std::ranges::count_if(data.values, [&](float x) { return x < range.min || x > range.max; });
      EXPECT_NEAR(share_outside(distribution, range),
                  static_cast<double>(beyond) / static_cast<double>(data.values.size()), 0.02)
          << data.name << " " << share;
    }
  }
}

}  // namespace
}  // namespace halfstep::calib
