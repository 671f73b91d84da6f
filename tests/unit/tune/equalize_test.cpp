// Contract under test: tune/equalize.hpp and tune/predicted_error.hpp.
#include "tune/equalize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "precision/assign_encodings.hpp"
#include "precision/choose_tensors.hpp"
#include "tune/channel_scaling.hpp"
#include "tune/cross_layer.hpp"
#include "tune/predicted_error.hpp"
#include "tune/scale_channels.hpp"
#include "unit/tune/scaling_support.hpp"

namespace halfstep::tune {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

/// A graph, what is planned for it and what was seen of it.
struct Calibrated {
  const graph::Graph& graph;
  ops::Facts facts;
  precision::Plan plan;
  std::vector<Tensor> samples;
  calib::Observations observations;

  Calibrated(RandomGraph& small, const Shape& input, const precision::Options& options = {})
      : graph(small.graph()), facts(facts_of(small.graph())) {
    plan = precision::choose_tensors(graph, facts, options);
    for (int i = 0; i < 4; ++i) samples.push_back(small.draw(input, 2.0F));
    observations = observe_all(graph, watches_for_equalizing(graph, facts), samples);
  }

  Equalized equalized(std::optional<double> alpha = {}) const {
    Result<Equalized> result = equalize(graph, {facts, plan, observations, {}, alpha});
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *std::move(result) : Equalized{};
  }
};

/// Multiplies row c of `weight` [C, ...] by spread^(c / (C - 1) - 1/2).
void spread_rows(RandomGraph& small, const std::string& weight, double spread) {
  const Tensor before = *graph::constant_of(small.graph(), small.value(weight));
  Tensor after(before.type());
  const auto rows = static_cast<std::size_t>(before.shape()[0]);
  const std::size_t row_size = before.values<float>().size() / rows;
  for (std::size_t i = 0; i < before.values<float>().size(); ++i) {
    const double place = static_cast<double>(i / row_size) / static_cast<double>(rows - 1) - 0.5;
    after.mutable_data<float>()[i] = static_cast<float>(before.data<float>()[i] * std::pow(spread, place));
  }
  small.constant(weight, after);
}

/// x -> conv -> clamp -> depthwise -> clamp -> conv -> y with rows that differ 1000-fold.
RandomGraph badly_spread() {
  RandomGraph small(31);
  small.input("x", {1, 3, 6, 6}).output("y");
  small.conv("x", "a", {8, 3, 1, 1}).clamp(0.0F, 60.0F);
  small.conv("a", "d", {8, 1, 3, 3}, 8).clamp(0.0F, 60.0F);
  small.conv("d", "y", {4, 8, 1, 1});
  for (const char* name : {"a.w", "a.b", "d.b"}) spread_rows(small, name, 1000.0);
  return small;
}

/// x -> conv -> relu -> conv -> y, no biases.
RandomGraph plain_pair() {
  RandomGraph small(32);
  small.input("x", {1, 3, 6, 6}).output("y");
  small.linear("Conv", "x", "a", {5, 3, 1, 1});
  small.relu();
  small.linear("Conv", "a", "y", {2, 5, 1, 1});
  spread_rows(small, "a.w", 30.0);
  return small;
}

TEST(Equalize, WatchesWhatItReadsOnce) {
  const RandomGraph small = badly_spread();
  std::vector<std::string> names;
  for (const calib::Watch& watch : watches_for_equalizing(small.graph(), facts_of(small.graph()))) {
    names.push_back(small.graph().value(watch.value).name);
    EXPECT_EQ(watch.channel_axis, 1);
    EXPECT_FALSE(watch.histogram);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("x", "a", "d", "y"));
}

TEST(Equalize, AlphaZeroOfAPairIsCrossLayerEqualization) {
  RandomGraph small = plain_pair();
  const Calibrated calibrated(small, {1, 3, 6, 6});
  const Equalized ours = calibrated.equalized(0.0);
  const Result<CrossLayerEqualized> classic = equalize_cross_layer(calibrated.graph, calibrated.facts);
  ASSERT_TRUE(classic.ok());
  ASSERT_THAT(ours.groups, SizeIs(1));
  const std::vector<double>& expected = classic->chains[0].factors[0];
  double log_sum = 0.0;
  for (const double s : expected) log_sum += std::log(s);
  const double mean = std::exp(log_sum / static_cast<double>(expected.size()));
  for (std::size_t c = 0; c < expected.size(); ++c) {
    EXPECT_NEAR(ours.groups[0].factors[c], expected[c] / mean, 1e-9 * expected[c]);
  }
}

/// Of nonnegative channels: halfway between the largest value and the mean of the samples' largest.
std::vector<double> peaks_over_samples(const calib::Observation& seen) {
  std::vector<double> peaks;
  for (const calib::Distribution& channel : seen.channels) {
    peaks.push_back((static_cast<double>(channel.moments.max) + channel.samples.mean_max()) / 2.0);
  }
  return peaks;
}

TEST(Equalize, AlphaOneMakesAllRangesOfActivationsEqual) {
  RandomGraph small = plain_pair();
  const Calibrated calibrated(small, {1, 3, 6, 6});
  const Equalized result = calibrated.equalized(1.0);
  const std::vector<double> peaks = peaks_over_samples(calibrated.observations.at("a"));
  const std::vector<double>& factors = result.groups[0].factors;
  double product = 1.0;
  for (std::size_t c = 0; c < factors.size(); ++c) {
    EXPECT_NEAR(peaks[c] / factors[c], peaks[0] / factors[0], 1e-9);
    product *= factors[c];
  }
  EXPECT_NEAR(product, 1.0, 1e-9);
  EXPECT_EQ(result.groups[0].alpha, 1.0);
}

/// Noise power over signal power of the output when `encodings` are simulated, over `samples`.
double simulated_error(const graph::Graph& original, const graph::Graph& graph, const EncodingSet& encodings,
                       const std::vector<Tensor>& samples) {
  Result<lower::Program> program = lower::simulated_program(graph, {}, encodings);
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message);
  exec::Executor simulated(std::make_shared<const lower::Program>(*std::move(program)));
  double noise = 0.0;
  double signal = 0.0;
  for (const Tensor& x : samples) {
    const std::vector<float> expected = output_of(original, x);
    EXPECT_TRUE(simulated.run({&x, 1}).ok());
    const std::vector<float> actual = to_floats(simulated.output(0));
    for (std::size_t k = 0; k < expected.size(); ++k) {
      noise += std::pow(static_cast<double>(actual[k]) - static_cast<double>(expected[k]), 2);
      signal += std::pow(static_cast<double>(expected[k]), 2);
    }
  }
  return noise / signal;
}

/// What `options` make of `graph`, calibrated on `samples`.
EncodingSet encodings_for(const graph::Graph& graph, const precision::Options& options,
                          const std::vector<Tensor>& samples) {
  const ops::Facts facts = facts_of(graph);
  const precision::Plan plan = precision::choose_tensors(graph, facts, options);
  const calib::Observations seen = observe_all(graph, precision::watches_of(graph, facts, plan), samples);
  Result<precision::Assignment> assigned = precision::assign_encodings(graph, facts, plan, seen);
  EXPECT_TRUE(assigned.ok()) << (assigned.ok() ? "" : assigned.error().message);
  return assigned.ok() ? std::move(assigned->encodings) : EncodingSet{};
}

TEST(Equalize, ChoosesWhatPromisesLessAndKeepsTheFunction) {
  precision::Options per_tensor;
  per_tensor.per_channel = WeightsPerChannel::kNone;
  precision::Options power_of_two = per_tensor;
  power_of_two.scale = ScaleKind::kPowerOfTwo;
  power_of_two.act_schema = Schema::kUnsignedSymmetric;
  for (const precision::Options& options : {precision::Options{}, per_tensor, power_of_two}) {
    RandomGraph small = badly_spread();
    const Calibrated calibrated(small, {1, 3, 6, 6}, options);
    const Equalized result = calibrated.equalized();
    ASSERT_THAT(result.groups, SizeIs(2));
    double before = 0.0;
    double after = 0.0;
    for (const EqualizedGroup& group : result.groups) {
      before += group.error_before;
      after += group.error_after;
    }
    // Grids for each row of weights leave little to gain.
    const bool by_row = options.per_channel == WeightsPerChannel::kAll;
    EXPECT_LT(after, (by_row ? 1.0 : 0.5) * before);
    EXPECT_GT(result.num_scaled, 0);
    const Tensor x = small.draw({1, 3, 6, 6});
    expect_close(output_of(result.graph, x), output_of(small.graph(), x));
    const auto error_of = [&](const graph::Graph& graph) {
      // On the samples of calibration: what clips elsewhere is not rounding.
      const EncodingSet encodings = encodings_for(graph, options, calibrated.samples);
      return simulated_error(small.graph(), graph, encodings, calibrated.samples);
    };
    EXPECT_LT(error_of(result.graph), (by_row ? 1.0 : 0.7) * error_of(small.graph()));
  }
}

// Only a's grid and the reader's weights are rounded, so nothing else is predicted or simulated.
TEST(PredictedError, IsWhatSimulationMeasures) {
  const Shape input{1, 3, 16, 16};
  for (const bool by_channel : {false, true}) {
    precision::Options options;
    options.per_channel = by_channel ? WeightsPerChannel::kAll : WeightsPerChannel::kNone;
    options.weight_bits = 4;
    RandomGraph small(33);
    small.input("x", {1, 3, 16, 16}).output("y");
    small.linear("Conv", "x", "a", {6, 3, 1, 1});
    small.linear("Conv", "a", "y", {16, 6, 3, 3});
    Calibrated calibrated(small, input, options);
    calibrated.plan.of(small.value("a.w")).source = precision::Source::kFloat;
    EncodingSet encodings = encodings_for(small.graph(), options, calibrated.samples);
    for (const char* name : {"x", "y", "a.w"}) encodings.erase(name);
    const ChannelScaling scaling(small.graph(), find_scaling_groups(small.graph(), calibrated.facts).groups);
    const Result<ErrorPredictor> predictor =
        ErrorPredictor::make(small.graph(), calibrated.facts, calibrated.plan, calibrated.observations, scaling);
    ASSERT_TRUE(predictor.ok()) << predictor.error().message;
    const double measured = simulated_error(small.graph(), small.graph(), encodings, calibrated.samples);
    EXPECT_NEAR(predictor->predict(0) / measured, 1.0, 0.3) << measured;
  }
}

// Two activations' grids that differ by a power of two are equally good where scales are powers of two.
TEST(PredictedError, PowerOfTwoStepsAreRoundedUp) {
  precision::Options options;
  options.scale = ScaleKind::kPowerOfTwo;
  options.act_schema = Schema::kUnsignedSymmetric;
  RandomGraph small = plain_pair();
  const Calibrated calibrated(small, {1, 3, 6, 6}, options);
  ChannelScaling scaling(small.graph(), find_scaling_groups(small.graph(), calibrated.facts).groups);
  const Result<ErrorPredictor> predictor =
      ErrorPredictor::make(small.graph(), calibrated.facts, calibrated.plan, calibrated.observations, scaling);
  ASSERT_TRUE(predictor.ok()) << predictor.error().message;
  const auto error_at = [&](double factor) {
    scaling.set_factors(0, std::vector<double>(5, factor));
    return predictor->predict(0);
  };
  const double plain = error_at(1.0);
  EXPECT_NEAR(error_at(2.0), plain, 1e-9 * plain);
  std::vector<double> errors;
  for (double factor = 1.0; factor < 2.0; factor *= 1.0905) errors.push_back(error_at(factor));
  // Common factors change nothing on affine grids; here they move ranges within an octave of steps.
  EXPECT_GT(*std::ranges::max_element(errors), 1.2 * *std::ranges::min_element(errors));
}

TEST(Equalize, GroupsWithoutStatisticsAreRefused) {
  RandomGraph small = plain_pair();
  Calibrated calibrated(small, {1, 3, 6, 6});
  calibrated.observations.erase("a");
  const Equalized result = calibrated.equalized();
  EXPECT_THAT(result.groups, IsEmpty());
  EXPECT_THAT(result.refused, testing::Contains("'a': nothing was seen of its channels"));
  EXPECT_EQ(result.num_scaled, 0);
}

// Channel 1 is never active: its factor is 1 over the mean of the others, of which it is no part.
TEST(Equalize, DeadChannelsAreNoPartOfTheMean) {
  RandomGraph small = plain_pair();
  Tensor bias(TensorType{DType::kFloat32, Shape{5}});
  bias.mutable_data<float>()[1] = -1e6F;
  small.constant("a.b", bias);
  small.graph().nodes[0].inputs.push_back(small.value("a.b"));
  const Calibrated calibrated(small, {1, 3, 6, 6});
  ASSERT_EQ(calibrated.observations.at("a").channels[1].moments.max, 0.0F);
  const std::vector<double> factors = calibrated.equalized(1.0).groups[0].factors;
  double product = 1.0;
  for (const std::size_t c : {0U, 2U, 3U, 4U}) product *= factors[c];
  EXPECT_NEAR(product, 1.0, 1e-9);
  EXPECT_NEAR(factors[1], factors[0] / peaks_over_samples(calibrated.observations.at("a"))[0], 1e-9);
}

}  // namespace
}  // namespace halfstep::tune
