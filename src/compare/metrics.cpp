// metrics.cpp: error sums and ranking.
#include "compare/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::compare {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The slow way, for data that hold NaN or infinities.
void add_nonfinite(std::span<const float> reference, std::span<const float> other, ErrorSums& sums) {
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
}

}  // namespace

// Squares of finite float32 values do not overflow in double.
bool ErrorSums::is_valid() const { return std::isfinite(reference_squared) && std::isfinite(other_squared); }

ErrorSums sums_of_lanes(const kernels::ErrorLanes& lanes, std::int64_t count) {
  ErrorSums sums{.count = count};
  for (int lane = 0; lane < kernels::ErrorLanes::kCount; ++lane) {
    sums.reference_squared += lanes.reference_squared[lane];
    sums.other_squared += lanes.other_squared[lane];
    sums.product += lanes.product[lane];
    sums.error_squared += lanes.error_squared[lane];
    sums.max_abs_error = std::max(sums.max_abs_error, lanes.max_abs_error[lane]);
  }
  return sums;
}

ErrorSums sums_of_pieces(const ForEachPiece& for_each_piece) {
  kernels::ErrorLanes lanes;
  std::int64_t count = 0;
  for_each_piece([&](std::span<const float> reference, std::span<const float> other) {
    kernels::add_errors(reference.data(), other.data(), static_cast<std::int64_t>(reference.size()), lanes);
    count += static_cast<std::int64_t>(reference.size());
  });
  const ErrorSums sums = sums_of_lanes(lanes, count);
  if (sums.is_valid()) return sums;
  ErrorSums slow{.count = count};
  for_each_piece(
      [&](std::span<const float> reference, std::span<const float> other) { add_nonfinite(reference, other, slow); });
  return slow;
}

void ErrorSums::add(std::span<const float> reference, std::span<const float> other) {
  add(sums_of_pieces([&](const AddPiece& add_piece) { add_piece(reference, other); }));
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
