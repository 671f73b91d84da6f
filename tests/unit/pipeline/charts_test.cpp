// Contract under test: pipeline/charts.hpp.
#include "pipeline/charts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

using testing::ElementsAre;

/// x [1, 4] times w [2, 4] per channel along axis 0 -> y; x and y have encodings.
class Charts : public ::testing::Test {
 protected:
  Charts() {
    small_.constant("w", Tensor::of<float>(Shape{2, 4}, {4.0F, 1.0F, 3.0F, 2.0F, -1.0F, -1.0F, -1.0F, 7.0F}));
    small_.input("x", {1, 4}).node("Mul", {"x", "w"}, {"y"}).output("y");
    add("x", TensorRole::kActivation, *Encoding::per_tensor({0, 255}, {0.5, 10}));
    add("y", TensorRole::kActivation, *Encoding::per_channel({-128, 127}, 0, {{1.0, 0}, {2.0, 0}}));
    add("w", TensorRole::kWeight, *Encoding::per_channel({-127, 127}, 0, {{0.1, 0}, {0.1, 0}}));
    request_.reference = &small_.graph();
    request_.quantized = &small_.graph();
    request_.encodings = &encodings_;
    request_.samples.count = 50;
    request_.samples.load = [](std::int64_t i) -> Result<std::vector<Tensor>> {
      const auto v = static_cast<float>(i);
      return std::vector<Tensor>{Tensor::of<float>(Shape{1, 4}, {v, 0.0F, 0.25F, -v})};
    };
    for (const char* name : {"x", "y"}) {
      comparison_.layers.emplace_back();
      comparison_.layers.back().name = name;
    }
    // y is the worse one.
    const float one = 1.0F;
    const float off = 1.5F;
    comparison_.layers[0].sums.add({&one, 1}, {&one, 1});
    comparison_.layers[1].sums.add({&one, 1}, {&off, 1});
  }

  void add(const char* name, TensorRole role, Encoding encoding) {
    encodings_.insert_or_assign(
        name,
        TensorEncoding{.encoding = std::move(encoding), .role = role, .provenance = {}, .codes = {}, .frozen = false});
  }

  exec::SmallGraph small_;
  EncodingSet encodings_;
  FloatComparison request_;
  compare::Comparison comparison_;
};

TEST_F(Charts, RangesOfTheFirstSamplesBesideTheirGrids) {
  const Result<report::Charts> charts = make_charts(request_, comparison_, {});
  ASSERT_TRUE(charts.ok()) << charts.error().message;
  ASSERT_EQ(charts->activation_ranges.size(), 2U);
  const report::RangeLine& x = charts->activation_ranges[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.max, 31.0);  // 32 of the 50 samples.
  EXPECT_EQ(x.min, -31.0);
  EXPECT_EQ(x.grid_min, -5.0);
  EXPECT_EQ(x.grid_max, 122.5);
  EXPECT_EQ(charts->activation_ranges[1].grid_min, -256.0);
  EXPECT_EQ(charts->activation_ranges[1].grid_max, 254.0);
}

TEST_F(Charts, HistogramsOfTheWorstTensorsHoldEveryValue) {
  const Result<report::Charts> charts = make_charts(request_, comparison_, {});
  ASSERT_TRUE(charts.ok()) << charts.error().message;
  ASSERT_EQ(charts->histograms.size(), 2U);
  EXPECT_EQ(charts->histograms[0].name, "y");
  EXPECT_EQ(charts->histograms[0].step, 2.0);
  const report::TensorHistogram& x = charts->histograms[1];
  EXPECT_LE(x.counts.size(), 128U);
  EXPECT_EQ(std::accumulate(x.counts.begin(), x.counts.end(), std::int64_t{0}), 32 * 4);
  EXPECT_LE(x.first_edge, -31.0);
  EXPECT_GT(x.first_edge + x.bin_width * static_cast<double>(x.counts.size()), 31.0);
}

TEST_F(Charts, BoxesByChannel) {
  const Result<report::Charts> charts = make_charts(request_, comparison_, {});
  ASSERT_TRUE(charts.ok()) << charts.error().message;
  ASSERT_EQ(charts->weights.size(), 1U);
  ASSERT_EQ(charts->weights[0].channels.size(), 2U);
  const report::ChannelBox& first = charts->weights[0].channels[0];
  EXPECT_EQ(std::vector({first.min, first.lower_quartile, first.median, first.upper_quartile, first.max}),
            std::vector({1.0, 1.75, 2.5, 3.25, 4.0}));
  EXPECT_EQ(charts->weights[0].channels[1].max, 7.0);
  EXPECT_EQ(charts->weights[0].channels[1].upper_quartile, 1.0);
}

}  // namespace
}  // namespace halfstep::pipeline
