// Contract under test: src/sensitivity/causes.hpp, and the thresholds in docs/diagnose.md.
#include "sensitivity/causes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

namespace halfstep::sensitivity {
namespace {

using Kinds = std::set<CauseKind>;

Kinds kinds_of(const std::vector<Cause>& causes) {
  Kinds kinds;
  for (const Cause& cause : causes) kinds.insert(cause.kind);
  return kinds;
}

constexpr std::int64_t kNumChannels = 8;
constexpr std::int64_t kPerChannel = 256;

/// [8, 256], normal; channel c times `factors[c]` where there are any.
std::vector<float> normal_weights(const std::vector<float>& factors = {}) {
  std::mt19937 rng(5);
  std::normal_distribution<float> normal(0.0F, 0.1F);
  std::vector<float> values;
  for (std::int64_t c = 0; c < kNumChannels; ++c) {
    const float factor = factors.empty() ? 1.0F : factors[static_cast<std::size_t>(c)];
    for (std::int64_t i = 0; i < kPerChannel; ++i) values.push_back(factor * normal(rng));
  }
  return values;
}

Tensor weight_of(const std::vector<float>& values) {
  return Tensor::of<float>({kNumChannels, kPerChannel}, std::span<const float>(values));
}

/// Symmetric on 8 bits, from the largest magnitudes times `slack`.
TensorEncoding grid_for(const Tensor& weight, bool per_channel, double slack = 1.0) {
  const std::span<const float> values = weight.values<float>();
  std::vector<QuantParams> params;
  double largest = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(values[i])));
    if (!per_channel || (i + 1) % kPerChannel != 0) continue;
    params.push_back({std::max(largest, 1e-6) * slack / 127.0, 0});
    largest = 0.0;
  }
  const IntGrid grid = narrow_signed_grid(8);
  return {.encoding = per_channel ? *Encoding::per_channel(grid, 0, params)
                                  : *Encoding::per_tensor(grid, {largest * slack / 127.0, 0}),
          .role = TensorRole::kWeight,
          .provenance = {},
          .codes = {}};
}

Kinds causes_in(const std::vector<float>& values, bool per_channel, double slack = 1.0) {
  const Tensor weight = weight_of(values);
  return kinds_of(weight_causes("w", weight, grid_for(weight, per_channel, slack), 0));
}

TEST(WeightCauses, NoneInNormalWeights) {
  EXPECT_EQ(causes_in(normal_weights(), true), Kinds{});
  EXPECT_EQ(causes_in(normal_weights(), false), Kinds{});
}

TEST(WeightCauses, AnOutlierIsSixteenTimesTheRestOfItsChannel) {
  std::vector<float> values = normal_weights();
  values[3 * kPerChannel + 7] = 3.0F;
  for (const bool per_channel : {true, false}) {
    const Tensor weight = weight_of(values);
    const std::vector<Cause> causes = weight_causes("w", weight, grid_for(weight, per_channel), 0);
    ASSERT_EQ(kinds_of(causes), Kinds{CauseKind::kWeightOutlier});
    EXPECT_NE(causes[0].sentence.find("weight 'w': an outlier of 3 in channel 3"), std::string::npos)
        << causes[0].sentence;
  }
  values[3 * kPerChannel + 7] = 1.3F;  // 13 times.
  EXPECT_EQ(causes_in(values, true), Kinds{});
}

TEST(WeightCauses, AnOutlierThatTheGridCutsOffHarmsNoOther) {
  std::vector<float> values = normal_weights();
  values[3 * kPerChannel + 7] = 3.0F;
  EXPECT_FALSE(causes_in(values, true, 0.1).contains(CauseKind::kWeightOutlier));
}

TEST(WeightCauses, ChannelsApartMatterOnOneGridOnly) {
  const std::vector<float> values = normal_weights({1.0F, 0.05F, 0.05F, 0.05F, 0.05F, 0.05F, 0.05F, 0.05F});
  EXPECT_EQ(causes_in(values, false), Kinds{CauseKind::kChannelsApart});
  EXPECT_EQ(causes_in(values, true), Kinds{});
  EXPECT_EQ(causes_in(normal_weights({1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25}), false), Kinds{});
}

TEST(WeightCauses, DeadChannelsRoundToZeroAndWereNot) {
  std::vector<float> values = normal_weights({1, 1, 1, 1, 1, 1e-3F, 1, 0});
  const Tensor weight = weight_of(values);
  const std::vector<Cause> causes = weight_causes("w", weight, grid_for(weight, false), 0);
  ASSERT_EQ(kinds_of(causes), Kinds{CauseKind::kDeadChannels});
  EXPECT_NE(causes[0].sentence.find("1 of 8 channels (5)"), std::string::npos) << causes[0].sentence;
}

TEST(WeightCauses, AWideGridAndOneThatCutsOff) {
  EXPECT_EQ(causes_in(normal_weights(), false, 9.0), Kinds{CauseKind::kWideGrid});
  EXPECT_EQ(causes_in(normal_weights(), true, 9.0), Kinds{CauseKind::kWideGrid});
  EXPECT_EQ(causes_in(normal_weights(), true, 7.0), Kinds{});
  EXPECT_EQ(causes_in(normal_weights(), true, 0.4), Kinds{CauseKind::kSaturation});
  EXPECT_EQ(causes_in(normal_weights(), true, 0.95), Kinds{});
}

TEST(WeightCauses, CodesOfOtherWeightsSilenceAllElse) {
  const Tensor weight = weight_of(normal_weights());
  TensorEncoding entry = grid_for(weight, true);
  std::vector<float> negated = normal_weights();
  for (float& value : negated) value = -value;
  entry.codes = quantize(weight_of(negated), entry.encoding);
  EXPECT_EQ(kinds_of(weight_causes("w", weight, entry, 0)), Kinds{CauseKind::kOtherWeights});
  // Roundings that an algorithm chose: each code by one.
  std::vector<float> moved = normal_weights();
  for (std::size_t i = 0; i < moved.size(); ++i) {
    moved[i] += static_cast<float>(entry.encoding.params()[i / kPerChannel].scale) * (moved[i] > 0 ? -0.9F : 0.9F);
  }
  entry.codes = quantize(weight_of(moved), entry.encoding);
  EXPECT_EQ(kinds_of(weight_causes("w", weight, entry, 0)), Kinds{});
}

/// Values that fill their grid evenly.
Spread even(double min, double max) {
  return {.min = min, .max = max, .usual = 0.99 * std::max(std::abs(min), std::abs(max))};
}

Encoding grid_of(double min, double max) {
  const double scale = (max - min) / 255.0;
  return *Encoding::per_tensor(unsigned_grid(8), {scale, static_cast<std::int32_t>(std::lround(-min / scale))});
}

class ActivationCauses : public testing::Test {
 protected:
  std::vector<Cause> causes() const { return activation_causes(tensors_); }
  Kinds kinds() const { return kinds_of(causes()); }

  Encoding grid_ = grid_of(-4.0, 4.0);
  std::vector<ActivationFacts> tensors_{{.name = "a", .whole = even(-4.0, 4.0), .channels = {}, .encoding = &grid_}};
};

TEST_F(ActivationCauses, NoneWhereValuesFillTheirGrid) { EXPECT_EQ(kinds(), Kinds{}); }

TEST_F(ActivationCauses, NoneOfWhatWasNeverSeenOrIsZero) {
  tensors_[0].whole = {.min = 0.0, .max = 0.0};
  EXPECT_EQ(kinds(), Kinds{});
  tensors_[0].whole = {.min = 1.0, .max = -1.0};
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, AWideGridHasEightTimesItsValues) {
  tensors_[0].whole = even(-0.5, 0.49);
  EXPECT_EQ(kinds(), Kinds{CauseKind::kWideGrid});
  EXPECT_NE(causes()[0].sentence.find("use 33 of 256 codes"), std::string::npos) << causes()[0].sentence;
  tensors_[0].whole = even(-0.6, 0.5);
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, AJointGridIsNamedAtTheTensorThatCannotAffordIt) {
  tensors_.push_back({.name = "b", .whole = even(-0.1, 0.1), .channels = {}, .encoding = &grid_});
  const std::vector<Cause> found = causes();
  ASSERT_EQ(kinds_of(found), Kinds{CauseKind::kJointGrid});
  EXPECT_EQ(found[0].tensor, "b");
  EXPECT_NE(found[0].sentence.find("shares with 'a'"), std::string::npos) << found[0].sentence;
  // On another grid of as many values it is its own grid that is wide.
  const Encoding other = grid_of(-4.0, 3.0);
  tensors_[1].encoding = &other;
  EXPECT_EQ(kinds(), Kinds{CauseKind::kWideGrid});
}

TEST_F(ActivationCauses, AGridTooWideForAllThatShareItIsNoMatterOfSharing) {
  tensors_[0].whole = even(-0.2, 0.2);
  tensors_.push_back({.name = "b", .whole = even(-0.1, 0.1), .channels = {}, .encoding = &grid_});
  EXPECT_EQ(kinds(), Kinds{CauseKind::kWideGrid});
}

TEST_F(ActivationCauses, SaturationIsClippingAboveAThousandthOfThePower) {
  tensors_[0].whole.clip_noise = 2e-3;
  tensors_[0].whole.clipped_share = 0.125;
  EXPECT_EQ(kinds(), Kinds{CauseKind::kSaturation});
  EXPECT_NE(causes()[0].sentence.find("12.5 %"), std::string::npos) << causes()[0].sentence;
  tensors_[0].whole.clip_noise = 5e-4;
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, OutliersLeaveTheOthersAnEighthOfTheGrid) {
  tensors_[0].whole.usual = 0.4;
  EXPECT_EQ(kinds(), Kinds{CauseKind::kActivationOutliers});
  tensors_[0].whole.usual = 0.6;
  EXPECT_EQ(kinds(), Kinds{});
  // Cut off by the grid, they stretch nothing.
  tensors_[0].whole = {.min = -400.0, .max = 400.0, .usual = 3.0};
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, ChannelsApartAndChannelsThatVanish) {
  tensors_[0].channels = {even(-4, 4), even(-0.3, 0.3), even(-0.3, 0.2), even(-0.1, 0.2)};
  EXPECT_EQ(kinds(), Kinds{CauseKind::kChannelsApart});
  tensors_[0].channels = {even(-4, 4), even(-2, 2), even(-1, 1), even(-0.01, 0.01)};
  EXPECT_EQ(kinds(), Kinds{CauseKind::kDeadChannels});
  tensors_[0].channels = {even(-4, 4), even(-2, 2), even(-1, 1), {.min = 0.0, .max = 0.0}};
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, ExponentialsAskForFineSteps) {
  grid_ = grid_of(-1000.0, 20.0);
  tensors_[0].whole = even(-1000.0, 20.0);
  EXPECT_EQ(kinds(), Kinds{});
  tensors_[0].feeds_exponential = true;
  EXPECT_EQ(kinds(), Kinds{CauseKind::kExponentials});
  grid_ = grid_of(-20.0, 20.0);
  tensors_[0].whole = even(-20.0, 20.0);
  EXPECT_EQ(kinds(), Kinds{});
}

TEST_F(ActivationCauses, ExponentialsThatRunFarAreTheirOwnCause) {
  grid_ = grid_of(0.0, 1000.0);
  tensors_[0].whole = {.min = 0.0, .max = 1000.0, .usual = 10.0};
  EXPECT_EQ(kinds(), Kinds{CauseKind::kActivationOutliers});
  tensors_[0].is_exponential = true;
  EXPECT_EQ(kinds(), Kinds{CauseKind::kExponentials});
}

TEST_F(ActivationCauses, AGridForEachChannelIsJudgedByChannel) {
  const Encoding by_channel = *Encoding::per_channel(unsigned_grid(8), 1, {{0.01, 0}, {1.0, 0}, {0.01, 0}, {0.01, 0}});
  tensors_[0].encoding = &by_channel;
  tensors_[0].channels = {even(0, 2.5), even(0, 2.5), even(0, 2.5), even(0, 2.5)};
  ASSERT_EQ(kinds(), Kinds{CauseKind::kWideGrid});
  EXPECT_NE(causes()[0].sentence.find("1 of 4 channels (1)"), std::string::npos) << causes()[0].sentence;
  tensors_[0].channels[1] = even(0, 200);
  EXPECT_EQ(kinds(), Kinds{});
}

TEST(CauseNames, AreSpelledApart) {
  std::set<std::string> names;
  for (int kind = 0; kind <= static_cast<int>(CauseKind::kExponentials); ++kind) {
    names.insert(name_of(static_cast<CauseKind>(kind)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(CauseKind::kExponentials) + 1);
}

}  // namespace
}  // namespace halfstep::sensitivity
