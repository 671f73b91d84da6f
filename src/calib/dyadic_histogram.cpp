// dyadic_histogram.cpp: covering, counting and merging.
#include "calib/dyadic_histogram.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "kernels/histogram.hpp"

namespace halfstep::calib {
namespace {

/// The bins that reach from min(min, 0) to max(max, 0).
struct Window {
  int log2_width;
  std::int64_t first_bin;
  std::int64_t last_bin;
};

/// floor(x / 2^log2_width). Exact: scaling by a power of two in double is, for float32 values.
std::int64_t bin_of(float x, int log2_width) {
  return static_cast<std::int64_t>(std::floor(std::ldexp(static_cast<double>(x), -log2_width)));
}

Window window_of(float min, float max, int num_bins) {
  const float low = std::min(min, 0.0F);
  const float high = std::max(max, 0.0F);
  const double span = static_cast<double>(high) - low;
  int log2_width = DyadicHistogram::kMinLog2Width;
  if (span > 0.0) {
    // At any smaller exponent all bins together are narrower than the span.
    log2_width = std::max(log2_width, std::ilogb(span) - std::ilogb(static_cast<double>(num_bins)));
  }
  for (;; ++log2_width) {
    const Window window{log2_width, bin_of(low, log2_width), bin_of(high, log2_width)};
    if (window.last_bin - window.first_bin < num_bins) return window;
  }
}

}  // namespace

void DyadicHistogram::cover(float min, float max) {
  if (count_ > 0 && min >= min_ && max <= max_) return;
  min_ = count_ == 0 ? min : std::min(min_, min);
  max_ = count_ == 0 ? max : std::max(max_, max);
  const Window window = window_of(min_, max_, num_bins_);
  const auto num_bins = static_cast<std::size_t>(window.last_bin - window.first_bin + 1);
  if (window.log2_width == log2_width_ && window.first_bin == first_bin_) {
    counts_.resize(num_bins);
    return;
  }
  std::vector<std::uint64_t> merged(num_bins);
  const int doublings = window.log2_width - log2_width_;  // >= 0: the extremes only move outwards.
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const std::int64_t bin = (first_bin_ + static_cast<std::int64_t>(i)) >> std::min(doublings, 62);
    merged[static_cast<std::size_t>(bin - window.first_bin)] += counts_[i];
  }
  counts_ = std::move(merged);
  log2_width_ = window.log2_width;
  first_bin_ = window.first_bin;
}

void DyadicHistogram::add(std::span<const float> values, float min, float max) {
  assert(!values.empty());
  cover(min, max);
  const auto count = static_cast<std::int64_t>(values.size());
  kernels::dyadic_bin_counts(values.data(), count, log2_width_, first_bin_, static_cast<std::int64_t>(counts_.size()),
                             counts_.data());
  count_ += count;
}

void DyadicHistogram::add_half(std::span<const float> values, float min, float max, int which) {
  assert(!values.empty());
  cover(min, max);
  const auto count = static_cast<std::int64_t>(values.size());
  kernels::dyadic_bin_counts_of_half(values.data(), count, which, log2_width_, first_bin_,
                                     static_cast<std::int64_t>(counts_.size()), counts_.data());
  count_ += count;
}

void DyadicHistogram::add(std::span<const float> values) {
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  add(values, *min, *max);
}

void DyadicHistogram::merge(const DyadicHistogram& other) {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    return;
  }
  assert(num_bins_ == other.num_bins_);
  cover(other.min_, other.max_);
  const int doublings = log2_width_ - other.log2_width_;
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    if (other.counts_[i] == 0) continue;
    const std::int64_t bin = (other.first_bin_ + static_cast<std::int64_t>(i)) >> std::min(doublings, 62);
    counts_[static_cast<std::size_t>(bin - first_bin_)] += other.counts_[i];
  }
  count_ += other.count_;
}

std::optional<DyadicHistogram> DyadicHistogram::restored(int num_bins, float min, float max,
                                                         std::vector<std::uint64_t> counts) {
  if (num_bins < 2 || num_bins > kNumBins || !std::isfinite(min) || !std::isfinite(max) || min > max) {
    return std::nullopt;
  }
  DyadicHistogram histogram(num_bins);
  histogram.cover(min, max);
  if (counts.size() != histogram.counts_.size()) return std::nullopt;
  for (const std::uint64_t count : counts) histogram.count_ += static_cast<std::int64_t>(count);
  histogram.counts_ = std::move(counts);
  return histogram;
}

double DyadicHistogram::lower_edge(std::size_t i) const {
  return std::ldexp(static_cast<double>(first_bin_ + static_cast<std::int64_t>(i)), log2_width_);
}

}  // namespace halfstep::calib
