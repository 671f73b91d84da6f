// channel_histograms_test.cpp: gathered or not, the counts are those of each channel's values.
#include "calib/channel_histograms.hpp"

#include <gtest/gtest.h>

#include <random>

namespace halfstep::calib {
namespace {

std::vector<Moments> moments_of(const ConstView& x, int axis) {
  std::vector<Moments> channels(static_cast<std::size_t>(x.shape()[axis]));
  for_each_channel_run(x, axis,
                       [&](std::size_t c, std::span<const float> run) { channels[c].merge(measure(run).moments); });
  return channels;
}

// Samples of several shapes in turn: short runs that are gathered, of one length and then another, more channels than
// before, long runs, and two runs a channel.
TEST(ChannelHistograms, AreThoseOfTheValues) {
  std::mt19937 rng(31);
  std::normal_distribution<float> normal;
  ChannelHistograms histograms;
  std::vector<DyadicHistogram> expected(5, DyadicHistogram(DyadicHistogram::kNumChannelBins));
  const std::vector<Shape> shapes{{1, 3, 7, 7}, {1, 3, 4, 5}, {1, 5, 7, 7}, {1, 3, 20, 20}, {2, 3, 7, 7}};
  for (int sample = 0; sample < 137; ++sample) {
    const Shape& shape = shapes[static_cast<std::size_t>(sample < 60 ? 0 : rng() % shapes.size())];
    Tensor x({DType::kFloat32, shape});
    for (std::int64_t i = 0; i < x.num_elements(); ++i) {
      x.mutable_data<float>()[i] = normal(rng) * static_cast<float>(1 + sample % 9);
    }
    histograms.add(x.view(), 1, moments_of(x.view(), 1), 1);
    for_each_channel_run(x.view(), 1, [&](std::size_t c, std::span<const float> run) { expected[c].add(run); });
  }
  for (std::size_t c = 0; c < expected.size(); ++c) EXPECT_TRUE(histograms.take(c) == expected[c]) << c;
}

}  // namespace
}  // namespace halfstep::calib
