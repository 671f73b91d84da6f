// metrics.cpp: error sums and ranking.
#include "compare/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::compare {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::size_t kLanes = 8;

/// Independent partial sums, so that the order of additions is fixed and the
/// compiler may still use vectors: one short loop a quantity.
struct Lanes {
  double reference_squared[kLanes] = {};
  double other_squared[kLanes] = {};
  double product[kLanes] = {};
  double error_squared[kLanes] = {};
  double max_abs_error[kLanes] = {};

  void add(const float* reference, const float* other) {
    double r[kLanes];
    double o[kLanes];
    double e[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) r[l] = reference[l];
    for (std::size_t l = 0; l < kLanes; ++l) o[l] = other[l];
    // Equal infinities differ by nothing.
    for (std::size_t l = 0; l < kLanes; ++l) e[l] = r[l] == o[l] ? 0.0 : std::abs(o[l] - r[l]);
    for (std::size_t l = 0; l < kLanes; ++l) reference_squared[l] += r[l] * r[l];
    for (std::size_t l = 0; l < kLanes; ++l) other_squared[l] += o[l] * o[l];
    for (std::size_t l = 0; l < kLanes; ++l) product[l] += r[l] * o[l];
    for (std::size_t l = 0; l < kLanes; ++l) error_squared[l] += e[l] * e[l];
    for (std::size_t l = 0; l < kLanes; ++l) max_abs_error[l] = e[l] > max_abs_error[l] ? e[l] : max_abs_error[l];
  }
};

/// The slow way, for data that hold NaN or infinities.
ErrorSums sums_of_nonfinite(std::span<const float> reference, std::span<const float> other) {
  ErrorSums sums{.count = static_cast<std::int64_t>(reference.size())};
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = reference[i];
    const double o = other[i];
    if ((std::isnan(r) && std::isnan(o)) || (std::isinf(r) && r == o)) continue;
    if (!std::isfinite(r) || !std::isfinite(o)) {
      sums.error_squared = kInfinity;
      sums.max_abs_error = kInfinity;
      ++sums.one_sided;
      continue;
    }
    sums.reference_squared += r * r;
    sums.other_squared += o * o;
    sums.product += r * o;
    sums.error_squared += (o - r) * (o - r);
    sums.max_abs_error = std::max(sums.max_abs_error, std::abs(o - r));
  }
  return sums;
}

}  // namespace

void ErrorSums::add(std::span<const float> reference, std::span<const float> other) {
  Lanes lanes;
  std::size_t i = 0;
  for (; i + kLanes <= reference.size(); i += kLanes) lanes.add(reference.data() + i, other.data() + i);
  float last_reference[kLanes] = {};
  float last_other[kLanes] = {};
  std::copy(reference.begin() + static_cast<std::ptrdiff_t>(i), reference.end(), last_reference);
  std::copy(other.begin() + static_cast<std::ptrdiff_t>(i), other.end(), last_other);
  lanes.add(last_reference, last_other);
  ErrorSums sums{.count = static_cast<std::int64_t>(reference.size())};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.reference_squared += lanes.reference_squared[lane];
    sums.other_squared += lanes.other_squared[lane];
    sums.product += lanes.product[lane];
    sums.error_squared += lanes.error_squared[lane];
    sums.max_abs_error = std::max(sums.max_abs_error, lanes.max_abs_error[lane]);
  }
  // Squares of finite float32 values do not overflow in double.
  const bool finite = std::isfinite(sums.reference_squared) && std::isfinite(sums.other_squared);
  add(finite ? sums : sums_of_nonfinite(reference, other));
}

void ErrorSums::add(const ErrorSums& more) {
  count += more.count;
  reference_squared += more.reference_squared;
  other_squared += more.other_squared;
  product += more.product;
  error_squared += more.error_squared;
  max_abs_error = std::max(max_abs_error, more.max_abs_error);
  one_sided += more.one_sided;
}

double ErrorSums::sqnr_db() const {
  if (error_squared == 0.0) return kInfinity;
  if (reference_squared == 0.0) return -kInfinity;
  return 10.0 * std::log10(reference_squared / error_squared);
}

double ErrorSums::cosine() const {
  if (one_sided > 0) return 0.0;
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
