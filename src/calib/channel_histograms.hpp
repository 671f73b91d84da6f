// channel_histograms.hpp: a histogram for each channel of a tensor.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "calib/distribution.hpp"
#include "calib/dyadic_histogram.hpp"
#include "core/tensor.hpp"

namespace halfstep::calib {

/// Calls f(channel, run) for the runs of `x` in memory order, each within one slice along `axis`. Nothing if `x` has no
/// such axis.
template <class F>
void for_each_channel_run(const ConstView& x, int axis, F&& f) {
  const Shape& shape = x.shape();
  if (axis >= shape.rank()) return;
  const std::int64_t outer = shape.num_elements(0, axis);
  const auto num_channels = static_cast<std::size_t>(shape[axis]);
  const auto inner = static_cast<std::size_t>(shape.num_elements(axis + 1, shape.rank()));
  std::size_t offset = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < num_channels; ++c, offset += inner) f(c, x.values<float>().subspan(offset, inner));
  }
}

/// Counts values whose extremes are known; of large tensors one in so many blocks, which speaks for all. Which one, the
/// values decide: neither order nor split does.
void count_values(DyadicHistogram& histogram, std::span<const float> values, const Moments& moments, int one_in);

/// Histograms of all channels, counted by several threads: thousands of them are more than caches hold, so short runs
/// of several samples are gathered before one histogram after the other is fetched.
class ChannelHistograms {
 public:
  /// Counts x's slices along `axis`; `channels` are their moments. Thread-safe.
  void add(const ConstView& x, int axis, const std::vector<Moments>& channels, int one_in);

  /// The histogram of `channel`; called once for each, when all is added. Requires: add() has seen such a channel.
  DyadicHistogram take(std::size_t channel);

 private:
  /// Runs of one length that are not counted yet: values[sample][channel][length].
  struct Gathered {
    std::size_t num_channels = 0;
    std::size_t length = 0;
    std::size_t capacity = 0;  ///< Samples there is room for.
    std::size_t num_samples = 0;
    std::vector<float> values;
    std::vector<Moments> extremes;  ///< By channel; of all samples.
  };

  void count_gathered();

  std::mutex mutex_;
  std::vector<DyadicHistogram> histograms_;  // As long as the largest number of channels yet.
  Gathered gathered_;
};

}  // namespace halfstep::calib
