// dyadic_histogram.cpp: covering, counting and merging.
#include "calib/dyadic_histogram.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/histogram.hpp"

namespace halfstep::calib {
namespace {

/// What is counted in one go: less than a counter holds, and whole pairs of blocks.
constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;

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

/// Counts of bins that start at `first_bin` become those of `window`, which reaches as far or farther.
template <class Count>
void move_into(const Window& window, int log2_width, std::int64_t first_bin, std::vector<Count>& counts) {
  const auto num_bins = static_cast<std::size_t>(window.last_bin - window.first_bin + 1);
  if (window.log2_width == log2_width && window.first_bin == first_bin) {
    counts.resize(num_bins);
    return;
  }
  std::vector<Count> moved(num_bins);
  const int doublings = window.log2_width - log2_width;  // >= 0: the extremes only move outwards.
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const std::int64_t bin = (first_bin + static_cast<std::int64_t>(i)) >> std::min(doublings, 62);
    moved[static_cast<std::size_t>(bin - window.first_bin)] += counts[i];
  }
  counts = std::move(moved);
}

}  // namespace

void DyadicHistogram::cover(float min, float max) {
  if (count_ > 0 && min >= min_ && max <= max_) return;
  min_ = count_ == 0 ? min : std::min(min_, min);
  max_ = count_ == 0 ? max : std::max(max_, max);
  const Window window = window_of(min_, max_, num_bins_);
  move_into(window, log2_width_, first_bin_, counts_);
  if (!carried_.empty()) move_into(window, log2_width_, first_bin_, carried_);
  log2_width_ = window.log2_width;
  first_bin_ = window.first_bin;
}

/// So that `count` more of one value overflow no counter.
void DyadicHistogram::make_room_for(std::int64_t count) {
  if (num_in_counts_ + count > std::numeric_limits<std::uint32_t>::max()) {
    carried_.resize(counts_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) carried_[i] += std::exchange(counts_[i], 0U);
    num_in_counts_ = 0;
  }
  num_in_counts_ += count;
}

/// `kernel` counts (x, count, log2_width, first_bin, num_bins, counts).
template <class Kernel>
void DyadicHistogram::add_with(Kernel&& kernel, std::span<const float> values, float min, float max) {
  assert(!values.empty());
  cover(min, max);
  for (; !values.empty(); values = values.subspan(std::min(values.size(), kMaxAtOnce))) {
    const auto count = static_cast<std::int64_t>(std::min(values.size(), kMaxAtOnce));
    make_room_for(count);
    kernel(values.data(), count, log2_width_, first_bin_, static_cast<std::int64_t>(counts_.size()), counts_.data());
    count_ += count;
  }
}

void DyadicHistogram::add(std::span<const float> values, float min, float max) {
  add_with(kernels::dyadic_bin_counts, values, min, max);
}

void DyadicHistogram::add_part(std::span<const float> values, float min, float max, int one_in, std::uint64_t seed) {
  const auto count_part = [one_in, seed](const float* x, std::int64_t count, auto... bins) {
    return kernels::dyadic_bin_counts_of_part(x, count, one_in, seed, bins...);
  };
  add_with(count_part, values, min, max);
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
  make_room_for(other.num_in_counts_);
  const Window window{log2_width_, first_bin_, first_bin_ + static_cast<std::int64_t>(counts_.size()) - 1};
  const auto add_moved = [&](auto counts, auto& into) {
    move_into(window, other.log2_width_, other.first_bin_, counts);
    into.resize(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) into[i] += counts[i];
  };
  add_moved(other.counts_, counts_);
  if (!other.carried_.empty()) add_moved(other.carried_, carried_);
  count_ += other.count_;
}

std::vector<std::uint64_t> DyadicHistogram::counts() const {
  std::vector<std::uint64_t> all = carried_;
  all.resize(counts_.size());
  for (std::size_t i = 0; i < counts_.size(); ++i) all[i] += counts_[i];
  return all;
}

bool operator==(const DyadicHistogram& a, const DyadicHistogram& b) {
  return a.num_bins_ == b.num_bins_ && a.count_ == b.count_ && a.min_ == b.min_ && a.max_ == b.max_ &&
         a.log2_width_ == b.log2_width_ && a.first_bin_ == b.first_bin_ && a.counts() == b.counts();
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
  if (histogram.count_ > std::numeric_limits<std::uint32_t>::max()) {
    histogram.carried_ = std::move(counts);
    return histogram;
  }
  std::ranges::transform(counts, histogram.counts_.begin(),
                         [](std::uint64_t count) { return static_cast<std::uint32_t>(count); });
  histogram.num_in_counts_ = histogram.count_;
  return histogram;
}

double DyadicHistogram::lower_edge(std::size_t i) const {
  return std::ldexp(static_cast<double>(first_bin_ + static_cast<std::int64_t>(i)), log2_width_);
}

}  // namespace halfstep::calib
