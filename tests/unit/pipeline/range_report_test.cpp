// Contract under test: pipeline/range_report.hpp.
#include "pipeline/range_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "unit/exec/small_graph.hpp"

namespace halfstep::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

calib::Distribution distribution_of(const std::vector<float>& values, bool histogram) {
  calib::Distribution distribution;
  const calib::Moments moments = calib::measure(values).moments;
  distribution.moments.add(moments);
  distribution.samples.add(moments);
  if (histogram) distribution.histogram.add(values);
  return distribution;
}

calib::Observation observation_of(const std::vector<float>& values, bool histogram) {
  calib::Observation observation;
  static_cast<calib::Distribution&>(observation) = distribution_of(values, histogram);
  return observation;
}

std::vector<std::string> names_of(const std::vector<report::TensorHistogram>& histograms) {
  std::vector<std::string> names;
  for (const report::TensorHistogram& histogram : histograms) names.push_back(histogram.name);
  return names;
}

/// x -> Mul by w [2, 2] -> y -> Relu -> z.
class RangeReport : public ::testing::Test {
 protected:
  RangeReport() {
    small_.constant("w", Tensor::of<float>(Shape{2, 2}, {1.0F, -1.06F, 0.25F, 2.0F}));
    small_.input("x").node("Mul", {"x", "w"}, {"y"}).node("Relu", {"y"}, {"z"}).output("z");
  }

  void encode(const char* name, Encoding encoding, Provenance provenance = {Origin::kCalibrated, "min-max"},
              TensorRole role = TensorRole::kActivation) {
    encodings_.insert_or_assign(
        name, TensorEncoding{
                  .encoding = std::move(encoding), .role = role, .provenance = std::move(provenance), .codes = {}});
  }

  const report::Report& put() {
    put_ranges(small_.graph(), encodings_, seen_, report_);
    return report_;
  }

  exec::SmallGraph small_;
  EncodingSet encodings_;
  calib::Observations seen_;
  report::Report report_;
};

// The grid ends at 0 and 10 in steps of 1: 10.375 still rounds to 10, 10.75 and 12 do not.
TEST_F(RangeReport, SharesComeFromTheHistogramWithHalfAStepBeyondTheGrid) {
  encode("x", *Encoding::per_tensor({0, 10}, {1.0, 0}), {Origin::kCalibrated, "percentile"});
  seen_.emplace("x", observation_of({0.0F, 1.0F, 5.0F, 10.375F, 10.25F, 3.0F, 10.75F, 12.0F}, true));
  const report::Report& report = put();
  ASSERT_THAT(report.ranges, SizeIs(1));
  const report::TensorRange& x = report.ranges[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.role, report::RangeRole::kActivation);
  EXPECT_EQ(std::vector({x.min, x.max, x.grid_min, x.grid_max}), std::vector({0.0, 12.0, 0.0, 10.0}));
  EXPECT_EQ(x.by, "calibrated (percentile)");
  EXPECT_EQ(x.num_values, 8);
  EXPECT_EQ(x.clipped_percent, 25.0);
  EXPECT_EQ(x.num_channels, std::nullopt);
}

TEST_F(RangeReport, ExtremesTellOnlyThatNothingIsClipped) {
  encode("x", *Encoding::per_tensor({0, 10}, {1.0, 0}));
  encode("y", *Encoding::per_tensor({0, 10}, {1.0, 0}));
  seen_.emplace("x", observation_of({0.0F, 10.5F}, false));
  seen_.emplace("y", observation_of({0.0F, 10.75F}, false));
  const report::Report& report = put();
  EXPECT_EQ(report.ranges[0].clipped_percent, 0.0);
  EXPECT_EQ(report.ranges[1].clipped_percent, std::nullopt);
  EXPECT_THAT(report.histograms, IsEmpty());
}

// One of 4 values in channel 0, none of 12 in channel 1: 1 of 16.
TEST_F(RangeReport, ChannelsCountByTheirValues) {
  encode("x", *Encoding::per_channel({0, 10}, 1, {{1.0, 0}, {2.0, 0}}), {Origin::kCalibrated, "mse, by channel"});
  const std::vector<float> few{0.0F, 1.0F, 2.0F, 12.0F};
  const std::vector<float> many(12, 20.0F);
  std::vector<float> all = few;
  all.insert(all.end(), many.begin(), many.end());
  calib::Observation observation = observation_of(all, true);
  observation.channels = {distribution_of(few, true), distribution_of(many, false)};
  seen_.emplace("x", observation);
  const report::Report& report = put();
  ASSERT_THAT(report.ranges, SizeIs(1));
  EXPECT_EQ(report.ranges[0].clipped_percent, 6.25);
  EXPECT_EQ(report.ranges[0].num_channels, 2U);
  EXPECT_EQ(report.ranges[0].grid_max, 20.0);
  EXPECT_EQ(report.histograms[0].clipped_percent, 6.25);
}

// Nothing says that the channels seen lie along the axis that the file means.
TEST_F(RangeReport, ChannelsOfAnImportedEncodingAreNotTheObservedOnes) {
  encode("x", *Encoding::per_channel({0, 10}, 1, {{1.0, 0}, {2.0, 0}}), {Origin::kImported, "encodings.json"});
  calib::Observation observation = observation_of({0.0F, 20.0F}, true);
  observation.channels = {distribution_of({0.0F}, true), distribution_of({20.0F}, true)};
  seen_.emplace("x", observation);
  EXPECT_EQ(put().ranges[0].clipped_percent, std::nullopt);
}

// Row 0 ends at +-1 in steps of 0.1: -1.06 is clipped. Row 1 ends at +-2 and holds all.
TEST_F(RangeReport, WeightsAreCountedExactlyByChannel) {
  encode("w", *Encoding::per_channel({-10, 10}, 0, {{0.1, 0}, {0.2, 0}}), {Origin::kWeights, ""}, TensorRole::kWeight);
  const report::Report& report = put();
  ASSERT_THAT(report.ranges, SizeIs(1));
  const report::TensorRange& w = report.ranges[0];
  EXPECT_EQ(w.role, report::RangeRole::kWeight);
  EXPECT_EQ(w.num_values, 4);
  EXPECT_EQ(w.clipped_percent, 25.0);
  EXPECT_EQ(w.num_channels, 2U);
  EXPECT_FLOAT_EQ(w.min, -1.06F);
  EXPECT_EQ(w.max, 2.0);
  EXPECT_EQ(w.grid_max, encodings_.at("w").encoding.real_max(1));
}

TEST_F(RangeReport, WhatWasNotSeenHasNoRangeButAPlace) {
  encode("x", *Encoding::per_tensor({0, 10}, {1.0, 0}));
  encode("y", *Encoding::per_tensor({0, 10}, {1.0, 0}));
  encode("z", *Encoding::per_tensor({0, 10}, {1.0, 0}), {Origin::kShared, "y"});
  seen_.emplace("x", calib::Observation{});
  seen_.emplace("y", observation_of({1.0F}, false));
  const report::Report& report = put();
  ASSERT_THAT(report.ranges, SizeIs(1));
  EXPECT_EQ(report.ranges[0].name, "y");
  EXPECT_THAT(report.activation_order, ElementsAre("x", "y", "z"));
}

TEST_F(RangeReport, WorstHistogramsFirst) {
  // The same values on grids of 1, 4 and 2: expected noise y > z > x.
  const std::vector<float> values{0.0F, 3.0F, 5.0F, 6.5F, 9.0F};
  const char* names[] = {"x", "y", "z"};
  const double scales[] = {1.0, 4.0, 2.0};
  for (std::size_t i = 0; i < 3; ++i) {
    encode(names[i], *Encoding::per_tensor({0, 10}, {scales[i], 0}));
    seen_.emplace(names[i], observation_of(values, true));
  }
  EXPECT_THAT(names_of(put().histograms), ElementsAre("y", "z", "x"));
  const report::TensorHistogram& y = report_.histograms[0];
  EXPECT_EQ(y.step, 4.0);
  EXPECT_EQ(y.grid_max, 40.0);
  EXPECT_EQ(std::accumulate(y.counts.begin(), y.counts.end(), std::int64_t{0}), 5);

  // What was measured goes before what is expected.
  const float one = 1.0F;
  const float off = 2.0F;
  report_ = {};
  report_.comparison.emplace();
  report_.comparison->layers.emplace_back().name = "x";
  report_.comparison->layers[0].sums.add({&one, 1}, {&off, 1});
  EXPECT_THAT(names_of(put().histograms), ElementsAre("x", "y", "z"));
}

TEST_F(RangeReport, AtMostTwelveHistograms) {
  exec::SmallGraph chain;
  chain.input("t0");
  for (int i = 0; i < 20; ++i) {
    const std::string name = "t" + std::to_string(i);
    chain.node("Relu", {name}, {"t" + std::to_string(i + 1)});
    encode(name.c_str(), *Encoding::per_tensor({0, 10}, {1.0, 0}));
    seen_.emplace(name, observation_of({0.0F, 1.0F}, true));
  }
  put_ranges(chain.graph(), encodings_, seen_, report_);
  EXPECT_THAT(report_.ranges, SizeIs(20));
  EXPECT_THAT(report_.histograms, SizeIs(12));
}

}  // namespace
}  // namespace halfstep::pipeline
