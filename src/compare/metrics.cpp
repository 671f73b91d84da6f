// metrics.cpp: error sums and ranking.
#include "compare/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::compare {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

void ErrorSums::add(std::span<const float> reference, std::span<const float> other) {
  // Four independent lanes: fixed order, and the compiler may vectorise.
  constexpr std::size_t kLanes = 4;
  double r2[kLanes] = {}, o2[kLanes] = {}, ro[kLanes] = {}, e2[kLanes] = {}, worst[kLanes] = {};
  const auto one = [&](std::size_t lane, std::size_t i) {
    const double r = reference[i];
    const double o = other[i];
    // Equal infinities differ by nothing.
    const double e = r == o ? 0.0 : o - r;
    r2[lane] += r * r;
    o2[lane] += o * o;
    ro[lane] += r * o;
    e2[lane] += e * e;
    worst[lane] = std::max(worst[lane], std::abs(e));
  };
  std::size_t i = 0;
  for (; i + kLanes <= reference.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) one(lane, i + lane);
  }
  for (; i < reference.size(); ++i) one(0, i);
  ErrorSums sums{.count = static_cast<std::int64_t>(reference.size())};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.reference_squared += r2[lane];
    sums.other_squared += o2[lane];
    sums.product += ro[lane];
    sums.error_squared += e2[lane];
    sums.max_abs_error = std::max(sums.max_abs_error, worst[lane]);
  }
  add(sums);
}

void ErrorSums::add(const ErrorSums& more) {
  count += more.count;
  reference_squared += more.reference_squared;
  other_squared += more.other_squared;
  product += more.product;
  error_squared += more.error_squared;
  max_abs_error = std::max(max_abs_error, more.max_abs_error);
}

double ErrorSums::sqnr_db() const {
  if (error_squared == 0.0) return kInfinity;
  if (reference_squared == 0.0) return -kInfinity;
  return 10.0 * std::log10(reference_squared / error_squared);
}

double ErrorSums::cosine() const {
  if (reference_squared == 0.0 && other_squared == 0.0) return 1.0;
  if (reference_squared == 0.0 || other_squared == 0.0) return 0.0;
  return product / (std::sqrt(reference_squared) * std::sqrt(other_squared));
}

double ErrorSums::mean_squared_error() const { return count == 0 ? 0.0 : error_squared / static_cast<double>(count); }

std::vector<std::int64_t> top_k(std::span<const float> scores, int k) {
  std::vector<std::int64_t> best;
  for (int rank = 0; rank < k; ++rank) {
    std::int64_t winner = -1;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const auto candidate = static_cast<std::int64_t>(i);
      if (std::isnan(scores[i]) || std::ranges::find(best, candidate) != best.end()) continue;
      if (winner < 0 || scores[i] > scores[static_cast<std::size_t>(winner)]) winner = candidate;
    }
    if (winner < 0) break;
    best.push_back(winner);
  }
  return best;
}

}  // namespace halfstep::compare
