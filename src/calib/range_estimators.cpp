// range_estimators.cpp: the methods of RangeMethod.
#include "calib/range_estimators.hpp"

#include <algorithm>
#include <cmath>

#include "calib/entropy_cost.hpp"
#include "calib/grid_error.hpp"
#include "calib/range_search.hpp"

namespace halfstep::calib {
namespace {

RealRange extremes_of(const Distribution& distribution) { return {distribution.moments.min, distribution.moments.max}; }

/// Each sample pulls the range so far by a constant share of the difference. Without single extremes (constants are one
/// sample), the mean is all there is to average.
RealRange moving_average(const Distribution& distribution, double constant) {
  const std::vector<Extremes>& each = distribution.samples.each;
  if (each.empty()) return {distribution.samples.mean_min(), distribution.samples.mean_max()};
  RealRange range{each.front().min, each.front().max};
  for (const Extremes& sample : each) {
    range.min += constant * (sample.min - range.min);
    range.max += constant * (sample.max - range.max);
  }
  return range;
}

RealRange around_mean(const Distribution& distribution, double factor) {
  const RealRange extremes = extremes_of(distribution);
  const double reach = factor * distribution.moments.standard_deviation();
  const double mean = distribution.moments.mean();
  return {std::max(extremes.min, mean - reach), std::min(extremes.max, mean + reach)};
}

/// Where `num_outside` values lie beyond, counted from the end of the bins that `at(i)` lists first; from that end's
/// extreme where they are less than one.
template <class At>
double cut_end(std::size_t num_bins, double extreme, double num_outside, At&& bin_at) {
  if (num_outside < 1.0) return extreme;
  double outside = 0.0;
  for (std::size_t i = 0; i < num_bins; ++i) {
    const auto [count, near_edge, far_edge] = bin_at(i);
    if (count > 0.0 && outside + count > num_outside) {
      const double share = (num_outside - outside) / count;
      return near_edge + (far_edge - near_edge) * share;
    }
    outside += count;
  }
  return extreme;
}

struct BinFromEnd {
  double count;
  double near_edge;
  double far_edge;
};

RealRange percentile_range(const Distribution& distribution, double percentile) {
  const DyadicHistogram& histogram = distribution.histogram;
  const RealRange extremes = extremes_of(distribution);
  const std::vector<std::uint64_t> counts = histogram.counts();
  // Shares like 0.1 % are not exact in binary: 4 of 4000 are 4.
  const double share_outside = (100.0 - percentile) / 100.0 + 1e-12;
  const double num_outside = std::floor(share_outside * static_cast<double>(histogram.count()));
  const auto edge = [&](std::size_t i) { return std::clamp(histogram.lower_edge(i), extremes.min, extremes.max); };
  RealRange range;
  range.min = cut_end(counts.size(), extremes.min, num_outside, [&](std::size_t i) {
    return BinFromEnd{static_cast<double>(counts[i]), edge(i), edge(i + 1)};
  });
  range.max = cut_end(counts.size(), extremes.max, num_outside, [&](std::size_t i) {
    const std::size_t from_top = counts.size() - 1 - i;
    return BinFromEnd{static_cast<double>(counts[from_top]), edge(from_top + 1), edge(from_top)};
  });
  // Unsigned data ends at 0, and so does what is left of data whose negatives are fewer.
  return {extremes.min >= 0.0 ? extremes.min : std::min(range.min, 0.0),
          extremes.max <= 0.0 ? extremes.max : std::max(range.max, 0.0)};
}

/// Min-max widened just so far that both extremes are numbers of the grid: an asymmetric one slides by up to half a
/// step to have 0, and a power-of-two one lacks its upper end.
RealRange adjusted_range(RealRange extremes, const GridRequest& request) {
  const RealRange range{std::min(extremes.min, 0.0), std::max(extremes.max, 0.0)};
  if (request.scale == ScaleKind::kPowerOfTwo) {
    const Result<FittedGrid> grid = fit_grid(range, request);
    if (!grid.ok()) return range;
    const bool covers = range.max <= grid->params.scale * grid->grid.q_max;
    return covers ? range : RealRange{range.min * 2.0, range.max * 2.0};
  }
  if (request.schema != Schema::kAsymmetric || range.min == 0.0 || range.max == 0.0) return range;
  const double num_steps = std::exp2(request.bits) - 1.0;
  const double zero = -range.min * num_steps / (range.max - range.min);
  double step = 0.0;
  double zero_point = 0.0;
  for (const double z : {std::floor(zero), std::ceil(zero)}) {
    if (z < 1.0 || z > num_steps - 1.0) continue;
    const double needed = std::max(-range.min / z, range.max / (num_steps - z));
    if (step == 0.0 || needed < step) {
      step = needed;
      zero_point = z;
    }
  }
  if (step == 0.0) return range;
  return {-step * zero_point, step * (num_steps - zero_point)};
}

RealRange searched_range(const Distribution& distribution, const GridRequest& request, RangeMethod method) {
  RealRange extremes = extremes_of(distribution);
  extremes = {std::min(extremes.min, 0.0), std::max(extremes.max, 0.0)};
  if (extremes.min == 0.0 && extremes.max == 0.0) return extremes;
  const BinnedValues values(distribution.histogram);
  if (method == RangeMethod::kEntropy) {
    // Bins must be much finer than codes to say what codes can't tell apart.
    constexpr double kMinBinsPerCode = 8.0;
    if (distribution.histogram.num_bins() < kMinBinsPerCode * std::exp2(request.bits)) return extremes;
    const EntropyCost cost(values);
    return cheapest_range(extremes, request, [&](const FittedGrid& grid) { return cost.divergence(grid); });
  }
  const GridError error(values);
  if (method == RangeMethod::kMse) {
    return cheapest_range(extremes, request, [&](const FittedGrid& grid) { return error.squared_error(grid); });
  }
  constexpr double kSaturationWeight = 3.0;  // AIMET's GAMMA.
  return cheapest_aimet_range(extremes, request,
                              [&](const FittedGrid& grid) { return error.squared_error(grid, kSaturationWeight); });
}

}  // namespace

std::string_view name_of(RangeMethod method) {
  switch (method) {
    case RangeMethod::kMinMax:
      return "min-max";
    case RangeMethod::kMovingAverage:
      return "moving-average";
    case RangeMethod::kMeanMinMax:
      return "mean-minmax";
    case RangeMethod::kMeanStd:
      return "mean-std";
    case RangeMethod::kPercentile:
      return "percentile";
    case RangeMethod::kEntropy:
      return "entropy";
    case RangeMethod::kMse:
      return "mse";
    case RangeMethod::kSqnr:
      return "sqnr";
    case RangeMethod::kAdjusted:
      return "adjusted";
  }
  return "unknown";
}

bool needs_histogram(const RangeRule& rule) {
  switch (rule.method) {
    case RangeMethod::kPercentile:
    case RangeMethod::kEntropy:
    case RangeMethod::kMse:
    case RangeMethod::kSqnr:
      return true;
    default:
      return false;
  }
}

bool needs_sample_extremes(const RangeRule& rule) { return rule.method == RangeMethod::kMovingAverage; }

RealRange estimate_range(const Distribution& distribution, const GridRequest& grid, const RangeRule& rule) {
  if (distribution.moments.count == 0) return {};
  switch (rule.method) {
    case RangeMethod::kMinMax:
      return extremes_of(distribution);
    case RangeMethod::kMovingAverage:
      return moving_average(distribution, rule.moving_average_constant);
    case RangeMethod::kMeanMinMax:
      return {distribution.samples.mean_min(), distribution.samples.mean_max()};
    case RangeMethod::kMeanStd:
      return around_mean(distribution, rule.mean_std_factor);
    case RangeMethod::kPercentile:
      return percentile_range(distribution, rule.percentile);
    case RangeMethod::kEntropy:
    case RangeMethod::kMse:
    case RangeMethod::kSqnr:
      return searched_range(distribution, grid, rule.method);
    case RangeMethod::kAdjusted:
      return adjusted_range(extremes_of(distribution), grid);
  }
  return {};
}

double share_outside(const Distribution& distribution, RealRange range) {
  const RealRange extremes = extremes_of(distribution);
  if (distribution.moments.count == 0 || (range.min <= extremes.min && range.max >= extremes.max)) return 0.0;
  double outside = 0.0;
  const BinnedValues values(distribution.histogram);
  for (const BinnedValues::Bin& bin : values.bins) {
    if (bin.high <= bin.low) {
      if (bin.low < range.min || bin.low > range.max) outside += bin.count;
      continue;
    }
    const double below = std::clamp(range.min - bin.low, 0.0, bin.high - bin.low);
    const double above = std::clamp(bin.high - range.max, 0.0, bin.high - bin.low);
    outside += bin.count * std::min(1.0, (below + above) / (bin.high - bin.low));
  }
  if (0.0 < range.min || 0.0 > range.max) outside += values.zeros;
  return outside / static_cast<double>(distribution.moments.count);
}

}  // namespace halfstep::calib
