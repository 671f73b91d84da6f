// channel_histograms.cpp: few values each of many channels.
#include "calib/channel_histograms.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace halfstep::calib {
namespace {

/// Values of one channel that are worth fetching its histogram for.
constexpr std::size_t kGatheredLength = 512;

}  // namespace

void count_values(DyadicHistogram& histogram, std::span<const float> values, const Moments& moments, int one_in) {
  if (one_in == 1) return histogram.add(values, moments.min, moments.max);
  histogram.add_part(values, moments.min, moments.max, one_in, std::bit_cast<std::uint64_t>(moments.sum));
}

void ChannelHistograms::add(const ConstView& x, int axis, const std::vector<Moments>& channels, int one_in) {
  if (channels.empty()) return;  // There is no such axis.
  const std::lock_guard lock(mutex_);
  if (histograms_.size() < channels.size()) {
    histograms_.resize(channels.size(), DyadicHistogram(DyadicHistogram::kNumChannelBins));
  }
  const auto length = static_cast<std::size_t>(x.shape().num_elements(axis + 1, x.shape().rank()));
  const bool one_run_each = std::cmp_equal(channels.size() * length, x.num_elements());
  if (one_in > 1 || !one_run_each || 2 * length > kGatheredLength) {
    for_each_channel_run(x, axis, [&](std::size_t c, std::span<const float> run) {
      if (c + 1 < channels.size()) histograms_[c + 1].prefetch();
      count_values(histograms_[c], run, channels[c], one_in);
    });
    return;
  }
  Gathered& g = gathered_;
  if (g.num_channels != channels.size() || g.length != length) {
    count_gathered();
    g.num_channels = channels.size();
    g.length = length;
    g.capacity = kGatheredLength / length;
    g.values.resize(g.num_channels * g.capacity * length);
    g.extremes.assign(g.num_channels, {});
  }
  std::ranges::copy(x.values<float>(),
                    g.values.begin() + static_cast<std::ptrdiff_t>(g.num_samples) * x.num_elements());
  for (std::size_t c = 0; c < g.num_channels; ++c) g.extremes[c].merge(channels[c]);
  if (++g.num_samples == g.capacity) count_gathered();
}

void ChannelHistograms::count_gathered() {
  Gathered& g = gathered_;
  std::array<float, kGatheredLength> values;
  for (std::size_t c = 0; c < g.num_channels && g.num_samples > 0; ++c) {
    if (c + 1 < g.num_channels) histograms_[c + 1].prefetch();
    for (std::size_t s = 0; s < g.num_samples; ++s) {
      std::copy_n(g.values.data() + (s * g.num_channels + c) * g.length, g.length, values.data() + s * g.length);
    }
    histograms_[c].add({values.data(), g.num_samples * g.length}, g.extremes[c].min, g.extremes[c].max);
    g.extremes[c] = {};
  }
  g.num_samples = 0;
}

DyadicHistogram ChannelHistograms::take(std::size_t channel) {
  const std::lock_guard lock(mutex_);
  count_gathered();
  return std::move(histograms_[channel]);
}

}  // namespace halfstep::calib
