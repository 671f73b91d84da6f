// Contract under test: pipeline/effort.hpp, through resolve_options().
#include "pipeline/effort.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfstep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// What a command line comes to.
struct Decided {
  QuantizeRequest request;
  OptionOrigins origins;

  OptionSource source(const std::string& name) const {
    const auto at = origins.find(name);
    return at == origins.end() ? OptionSource::kDefault : at->second.source;
  }
};
Decided decided(const GivenOptions& command_line) {
  Decided result;
  const auto origins = resolve_options(result.request, {}, command_line);
  EXPECT_TRUE(origins.ok()) << (origins.ok() ? "" : origins.error().message);
  if (origins.ok()) result.origins = *origins;
  return result;
}

TEST(Effort, FastIsRangesAlone) {
  const Decided fast = decided({{"effort", "fast"}});
  EXPECT_EQ(fast.request.options, QuantizationOptions{});
  EXPECT_THAT(fast.request.tuning.algorithms, IsEmpty());
  for (const auto& [name, origin] : fast.origins) EXPECT_NE(origin.source, OptionSource::kEffort) << name;
}

TEST(Effort, DefaultIsPercentilesGridsByChannelAndBiases) {
  const Decided plain = decided({});
  EXPECT_EQ(plain.request.options.act_range.method, RangeMethod::kPercentile);
  EXPECT_EQ(plain.request.options.param_range.method, RangeMethod::kMinMax);
  EXPECT_EQ(plain.request.options.act_per_channel, ActPerChannel::kDepthwise);
  EXPECT_TRUE(plain.request.options.channels_keep_range);
  EXPECT_THAT(plain.request.tuning.algorithms, ElementsAre(Algorithm::kBiasCorrection));
  EXPECT_FALSE(plain.request.tuning.asked_for);
  for (const char* name : {"act_quantizer_calibration", "param_quantizer_calibration", "act_per_channel",
                           "act_per_channel_calibration", "algorithms"}) {
    EXPECT_EQ(plain.source(name), OptionSource::kEffort) << name;
  }
  EXPECT_EQ(decided({{"effort", "default"}}).request.options, plain.request.options);
}

TEST(Effort, BestRunsEverythingOnMoreSamples) {
  const Decided best = decided({{"effort", "best"}});
  EXPECT_EQ(best.request.options, decided({}).request.options);
  EXPECT_THAT(best.request.tuning.algorithms,
              ElementsAre(Algorithm::kEqualize, Algorithm::kRound, Algorithm::kBiasCorrection));
  EXPECT_EQ(best.source("tuning_samples"), OptionSource::kEffort);
  EXPECT_GT(best.request.tuning.num_samples, decided({}).request.tuning.num_samples);
}

TEST(Effort, CoarseGridsAreWorthEveryAlgorithmAndSearchedRanges) {
  for (const auto& coarse : {GivenOptions{{"scale", "power_of_two"}}, GivenOptions{{"weights_bitwidth", "4"}}}) {
    const Decided result = decided(coarse);
    EXPECT_EQ(result.request.options.param_range.method, RangeMethod::kMse);
    EXPECT_EQ(result.request.tuning.algorithms.size(), 3U);
  }
  EXPECT_EQ(decided({{"scale", "power_of_two"}}).request.options.act_range.method, RangeMethod::kMse);
  EXPECT_EQ(decided({{"scale", "power_of_two"}}).request.options.act_per_channel, ActPerChannel::kNone);
  const Decided one_grid = decided({{"use_per_channel_quantization", "false"}});
  EXPECT_EQ(one_grid.request.options.act_per_channel, ActPerChannel::kNone);
  EXPECT_EQ(one_grid.request.tuning.algorithms.size(), 3U);
}

TEST(Effort, SixteenBitsNeedNoPercentile) {
  const Decided wide = decided({{"act_bitwidth", "16"}});
  EXPECT_EQ(wide.request.options.act_range.method, RangeMethod::kMinMax);
  EXPECT_EQ(wide.request.options.act_per_channel, ActPerChannel::kNone);
}

TEST(Effort, WhatIsDecidedStays) {
  const Decided mine = decided({{"effort", "best"},
                                {"algorithms", "none"},
                                {"act_quantizer_calibration", "entropy"},
                                {"act_per_channel", "none"}});
  EXPECT_THAT(mine.request.tuning.algorithms, IsEmpty());
  EXPECT_EQ(mine.request.options.act_range.method, RangeMethod::kEntropy);
  EXPECT_EQ(mine.request.options.act_per_channel, ActPerChannel::kNone);
  EXPECT_FALSE(decided({{"act_quantizer_calibration", "percentile"}}).request.options.channels_keep_range);
  EXPECT_FALSE(decided({{"act_per_channel_calibration", "same"}}).request.options.channels_keep_range);
  EXPECT_EQ(mine.source("algorithms"), OptionSource::kCommandLine);
  // An older spelling stands for the method.
  EXPECT_EQ(decided({{"act_quantizer", "tf"}}).request.options.act_range.method, RangeMethod::kMinMax);
}

TEST(Effort, ParametersOfWhatDoesNotRunAreRefused) {
  const auto refusal = [](const GivenOptions& command_line) {
    QuantizeRequest request;
    const auto origins = resolve_options(request, {}, command_line);
    EXPECT_FALSE(origins.ok());
    if (origins.ok()) return std::string();
    EXPECT_EQ(origins.error().code, ErrorCode::kUsage);
    return origins.error().message;
  };
  EXPECT_EQ(refusal({{"bias_calibration_frames", "5"}, {"algorithms", "round"}}),
            "--bias_calibration_frames has no effect with --algorithms round");
  EXPECT_EQ(refusal({{"bias_calibration_frames", "5"}, {"effort", "fast"}}),
            "--bias_calibration_frames has no effect with --algorithms none");
  EXPECT_EQ(refusal({{"equalize_alpha", "0.5"}}), "--equalize_alpha has no effect with --algorithms bias-correction");
  EXPECT_EQ(refusal({{"tuning_samples", "5"}, {"algorithms", "cle"}}),
            "--tuning_samples has no effect with --algorithms cle");
  EXPECT_EQ(refusal({{"weight_clip_method", "median"}}),
            "--weight_clip_method has no effect with --algorithms bias-correction");
  EXPECT_EQ(refusal({{"bias_calibration_frames", "5"}, {"bias_correction_method", "empirical"}}),
            "--bias_calibration_frames has no effect with --bias_correction_method empirical");
  EXPECT_EQ(decided({{"bias_calibration_frames", "5"}}).request.tuning.bias_method, BiasMethod::kIterative);
}

}  // namespace
}  // namespace halfstep
