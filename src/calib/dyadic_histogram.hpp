// dyadic_histogram.hpp: a histogram that does not depend on the order its values arrive in.
//
// Bin k covers [k * 2^e, (k+1) * 2^e). A window of num_bins consecutive bins
// around 0 exists; e is the smallest exponent (not below kMinLog2Width) at which
// the window reaches from the smallest to the largest value seen. Since bin k at
// exponent e lies inside bin floor(k / 2) at e + 1, doubling the width merges
// bins exactly, and since e depends on the extremes alone, so does the result:
// any order, any split over threads or machines gives the same state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace halfstep::calib {

class DyadicHistogram {
 public:
  static constexpr int kNumBins = 4096;        ///< Of a whole tensor.
  static constexpr int kNumChannelBins = 512;  ///< Of each of its channels.
  /// 2^-126: the smallest normal float32.
  static constexpr int kMinLog2Width = -126;

  DyadicHistogram() : DyadicHistogram(kNumBins) {}
  /// Requires: 2 <= num_bins <= kNumBins.
  explicit DyadicHistogram(int num_bins) : num_bins_(num_bins) {}

  /// Counts `values`; `min` and `max` are their extremes.
  /// Requires: values finite, not empty.
  void add(std::span<const float> values, float min, float max);

  /// The same at a fraction of the cost: one of each `one_in` neighbouring blocks of 512 values counts so many times,
  /// by a hash of `seed`. Requires: one_in is 1, 2, 4 or 8.
  void add_part(std::span<const float> values, float min, float max, int one_in, std::uint64_t seed);

  /// add() with the extremes found here.
  void add(std::span<const float> values);

  /// Asks for its counts to be fetched into the cache: of many histograms, the next to be added to.
  void prefetch() const {
    constexpr std::size_t kLine = 64 / sizeof(std::uint32_t);
    for (std::size_t i = 0; i < counts_.size(); i += kLine) __builtin_prefetch(counts_.data() + i, 1);
  }

  /// As if every value of `other` had been added here. Exact. An empty histogram takes over the number of bins.
  /// Requires: else both have as many.
  void merge(const DyadicHistogram& other);

  /// The histogram of so many bins with these extremes and counts(). Empty if there is none: the number of counts does
  /// not follow from the extremes.
  static std::optional<DyadicHistogram> restored(int num_bins, float min, float max, std::vector<std::uint64_t> counts);

  int num_bins() const { return num_bins_; }
  std::int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  float min() const { return min_; }  ///< Exact. Requires: not empty.
  float max() const { return max_; }  ///< Exact. Requires: not empty.

  /// e: bins are 2^e wide.
  int log2_width() const { return log2_width_; }
  /// k of the lowest bin that can hold a value: floor(min(min, 0) / 2^e).
  std::int64_t first_bin() const { return first_bin_; }
  /// Counts of bins first_bin(), first_bin() + 1, ...; at most num_bins(), the last one holds max(max, 0).
  std::vector<std::uint64_t> counts() const;
  /// Lower edge of counts()[i], exact.
  double lower_edge(std::size_t i) const;

  friend bool operator==(const DyadicHistogram& a, const DyadicHistogram& b);

 private:
  void cover(float min, float max);
  void make_room_for(std::int64_t count);
  template <class Kernel>
  void add_with(Kernel&& kernel, std::span<const float> values, float min, float max);

  int num_bins_;
  std::int64_t count_ = 0;
  float min_ = 0.0F;
  float max_ = 0.0F;
  int log2_width_ = kMinLog2Width;
  std::int64_t first_bin_ = 0;
  // Narrow counters, since caches hold twice as many; what would overflow them moves on.
  std::vector<std::uint32_t> counts_;
  std::int64_t num_in_counts_ = 0;
  std::vector<std::uint64_t> carried_;  // Empty, or as long as counts_.
};

}  // namespace halfstep::calib
