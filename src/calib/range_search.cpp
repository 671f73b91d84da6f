// range_search.cpp: candidates, coarse to fine.
#include "calib/range_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/rounding.hpp"

namespace halfstep::calib {
namespace {

/// The best range so far.
class Contest {
 public:
  Contest(const GridRequest& request, const GridCost& cost) : request_(request), cost_(cost) {}

  /// Its cost; the contest is won by the first of the cheapest.
  double enter(RealRange range) {
    const Result<FittedGrid> grid = fit_grid(range, request_);
    if (!grid.ok()) return std::numeric_limits<double>::infinity();
    const double cost = cost_(*grid);
    if (cost < best_cost_) {
      best_cost_ = cost;
      best_ = range;
    }
    return cost;
  }

  RealRange best() const { return best_; }

 private:
  const GridRequest& request_;
  const GridCost& cost_;
  double best_cost_ = std::numeric_limits<double>::infinity();
  RealRange best_;
};

double largest_magnitude(RealRange range) { return std::max(-range.min, range.max); }

RealRange scaled(RealRange range, double share) { return {range.min * share, range.max * share}; }

/// To `threshold` on the sides that have values.
RealRange up_to(RealRange extremes, double threshold) {
  return {extremes.min < 0.0 ? -threshold : 0.0, extremes.max > 0.0 ? threshold : 0.0};
}

/// The same, but not beyond the extremes.
RealRange limited(RealRange range, double threshold) {
  return {std::max(range.min, -threshold), std::min(range.max, threshold)};
}

bool is_asymmetric(const GridRequest& request) {
  return request.schema == Schema::kAsymmetric && request.scale == ScaleKind::kAffine;
}

RealRange cheapest_power_of_two(RealRange extremes, const GridRequest& request, const GridCost& cost) {
  constexpr int kNumSmaller = 16;
  Contest contest(request, cost);
  const int exponent = numerics::ceil_log2(largest_magnitude(extremes));
  const auto enter = [&](int e) { contest.enter(up_to(extremes, std::ldexp(1.0, e))); };
  enter(exponent);
  enter(exponent + 1);
  for (int smaller = 1; smaller <= kNumSmaller; ++smaller) enter(exponent - smaller);
  return contest.best();
}

/// Enters range_at(share) for shares of 1 down to 2^-10, then finer and finer between the neighbours of the best.
template <class RangeAt>
void enter_shares(Contest& contest, RangeAt&& range_at) {
  constexpr int kStepsPerOctave = 4;
  constexpr int kNumOctaves = 10;
  constexpr int kNumRounds = 3;
  constexpr int kStepsPerRound = 8;
  double best_cost = std::numeric_limits<double>::infinity();
  double best_share = 1.0;
  const auto enter = [&](double share) {
    const double cost = contest.enter(range_at(share));
    if (cost < best_cost) {
      best_cost = cost;
      best_share = share;
    }
  };
  for (int step = 0; step <= kStepsPerOctave * kNumOctaves; ++step) {
    enter(std::exp2(-static_cast<double>(step) / kStepsPerOctave));
  }
  double spread = std::exp2(1.0 / kStepsPerOctave) - 1.0;  // Relative distance of neighbours.
  for (int round = 0; round < kNumRounds; ++round) {
    const double low = best_share * (1.0 - spread);
    const double high = std::min(1.0, best_share * (1.0 + spread));
    for (int step = 1; step < kStepsPerRound; ++step) enter(low + (high - low) * step / kStepsPerRound);
    spread *= 2.0 / kStepsPerRound;
  }
}

}  // namespace

RealRange cheapest_range(RealRange extremes, const GridRequest& request, const GridCost& cost) {
  if (request.scale == ScaleKind::kPowerOfTwo) return cheapest_power_of_two(extremes, request, cost);
  Contest contest(request, cost);
  if (!is_asymmetric(request)) {
    const double largest = largest_magnitude(extremes);
    enter_shares(contest, [&](double share) { return limited(extremes, largest * share); });
    return contest.best();
  }
  enter_shares(contest, [&](double share) { return scaled(extremes, share); });
  if (extremes.min >= 0.0 || extremes.max <= 0.0) return contest.best();
  for (int round = 0; round < 2; ++round) {
    const double held_min = contest.best().min;
    enter_shares(contest, [&](double share) { return RealRange{held_min, extremes.max * share}; });
    const double held_max = contest.best().max;
    enter_shares(contest, [&](double share) { return RealRange{extremes.min * share, held_max}; });
  }
  return contest.best();
}

RealRange cheapest_aimet_range(RealRange extremes, const GridRequest& request, const GridCost& cost) {
  if (request.scale == ScaleKind::kPowerOfTwo) return cheapest_power_of_two(extremes, request, cost);
  Contest contest(request, cost);
  if (!is_asymmetric(request)) {
    const double largest = largest_magnitude(extremes);
    for (int k = 1; k <= 101; ++k) contest.enter(up_to(extremes, largest * k / 100.0));
    return contest.best();
  }
  const double num_steps = std::exp2(request.bits) - 1.0;
  const double observed_step = (extremes.max - extremes.min) / num_steps;
  contest.enter(extremes);
  for (int k = 1; k <= 17; ++k) {
    const double step = observed_step * k / 16.0;
    for (int i = 0; i <= 20; ++i) {
      const double offset = std::trunc(-num_steps + num_steps / 20.0 * i);
      const RealRange wanted{step * offset, step * (offset + num_steps)};
      const RealRange range{std::max(wanted.min, extremes.min), std::min(wanted.max, extremes.max)};
      const bool beyond_both = wanted.min < extremes.min && wanted.max > extremes.max;
      if (beyond_both || range.max - range.min <= 0.0) continue;
      contest.enter(range);
    }
  }
  return contest.best();
}

}  // namespace halfstep::calib
