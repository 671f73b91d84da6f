// Contract under test: tune/channel_means.hpp, against plain sums.
#include "tune/channel_means.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

/// One by one, in double.
std::vector<double> plain_means(const Tensor& real, int axis, const Encoding* grid = nullptr) {
  const Shape& shape = real.shape();
  const std::int64_t inner = shape.num_elements(axis + 1, shape.rank());
  std::vector<double> means(static_cast<std::size_t>(shape[axis]));
  for (std::int64_t i = 0; i < real.num_elements(); ++i) {
    const auto c = static_cast<std::size_t>(i / inner % shape[axis]);
    auto value = static_cast<double>(real.data<float>()[i]);
    if (grid != nullptr) {
      const std::size_t channel = grid->axis() ? c : 0;
      value = std::clamp(value, grid->real_min(channel), grid->real_max(channel));
    }
    means[c] += value;
  }
  for (double& mean : means) mean /= static_cast<double>(real.num_elements() / shape[axis]);
  return means;
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t c = 0; c < a.size(); ++c) EXPECT_NEAR(a[c], b[c], 1e-5) << c;
}

TEST(ChannelMeans, ArePlainMeansOfAnyLayout) {
  RandomGraph draws(41);
  for (const Shape& shape : {Shape{1, 3, 5, 7}, Shape{2, 3, 100, 97}, Shape{4, 3}, Shape{2, 17, 3}, Shape{1, 2, 1}}) {
    const Tensor real = draws.draw(shape, 2.0F);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      expect_near(channel_means(real.view(), axis), plain_means(real, axis));
    }
  }
}

TEST(ChannelMeans, ValuesBeyondTheGridCountAsItsEnds) {
  RandomGraph draws(42);
  const Tensor real = draws.draw({2, 3, 50, 41}, 2.0F);
  const Encoding whole = *Encoding::per_tensor({0, 255}, {0.01, 100});
  expect_near(channel_means(real.view(), 1, &whole), plain_means(real, 1, &whole));
  const Encoding channels = *Encoding::per_channel({0, 255}, 1, {{0.01, 100}, {0.001, 0}, {1.0, 128}});
  expect_near(channel_means(real.view(), 1, &channels), plain_means(real, 1, &channels));
}

TEST(ChannelMeans, OverTheFirstSamples) {
  const ChannelMeans means{{{1.0, 2.0}, {3.0, 6.0}, {5.0, 1.0}}};
  EXPECT_EQ(means.over(2), (std::vector<double>{2.0, 4.0}));
  EXPECT_EQ(means.over(100), (std::vector<double>{3.0, 3.0}));
  EXPECT_TRUE(ChannelMeans{}.over(4).empty());
}

TEST(ReferenceMeans, AreThoseOfTheFloatModelSampleBySample) {
  RandomGraph small = residual_graph();
  small.constant("first", Tensor::of<std::int64_t>(Shape{1}, {0})).node("Gather", {"y", "first"}, {"picked"});
  small.node("ArgMax", {"y"}, {"places"}).output("places").output("picked");
  const SweptCase swept(small, 5);
  const std::vector<WantedMeans> wanted{
      {swept.id("a"), 1, nullptr}, {swept.id("c"), 3, nullptr}, {swept.id("places"), 1, nullptr}};
  const auto means = reference_means(swept.graph, source_of(swept.samples), {}, wanted, 1);
  ASSERT_TRUE(means.ok()) << means.error().message;
  EXPECT_EQ(means->size(), 2U);  // places are integers.
  for (std::size_t s = 0; s < 5; ++s) {
    const StoredTensors real = run_float(swept.graph, swept.samples[s]);
    expect_near(means->at("a").by_sample[s], plain_means(real.at("a").tensor, 1));
    expect_near(means->at("c").by_sample[s], plain_means(real.at("c").tensor, 3));
  }
  for (const int num_threads : {2, 5}) {
    const auto again = reference_means(swept.graph, source_of(swept.samples), {}, wanted, num_threads);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->at("a").by_sample, means->at("a").by_sample);
    EXPECT_EQ(again->at("c").by_sample, means->at("c").by_sample);
  }
}

TEST(ReferenceMeans, SamplesOfAnotherShapeAreNamed) {
  RandomGraph small = residual_graph();
  SweptCase swept(small, 2);
  swept.samples[1] = {small.draw({1, 3, 5, 6})};
  const auto means = reference_means(swept.graph, source_of(swept.samples), {}, {{swept.id("a"), 1, nullptr}}, 2);
  ASSERT_FALSE(means.ok());
  EXPECT_THAT(means.error().message, testing::HasSubstr("list.txt:2: input 'x' is float32[1, 3, 5, 6]"));
}

}  // namespace
}  // namespace halfstep::tune
