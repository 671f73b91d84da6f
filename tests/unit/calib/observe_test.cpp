// observe_test.cpp: one pass over samples, the same for any number of threads.
#include "calib/observe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "calib/range_estimators.hpp"

namespace halfstep::calib {
namespace {

constexpr graph::ValueId kInput = 0;
constexpr graph::ValueId kDoubled = 1;

/// x [2, 3, 50] -> doubled = 2 * x, as a Program made by hand.
class ObserveTest : public testing::Test {
 protected:
  ObserveTest() {
    graph_.values = {{.name = "x", .constant = {}}, {.name = "doubled", .constant = {}}};
    lower::Program program;
    const auto bytes = static_cast<std::size_t>(type_.num_bytes());
    for (graph::ValueId id : {kInput, kDoubled}) {
      lower::Slot slot;
      slot.value = id;
      slot.name = graph_.value(id).name;
      slot.type = type_;
      slot.offset = bytes * static_cast<std::size_t>(id);
      program.slots.push_back(slot);
    }
    lower::Step load;
    load.completes = {kInput};
    lower::Step twice;
    twice.label = "node 'twice'";
    twice.inputs = {kInput};
    twice.outputs = {kDoubled};
    twice.completes = {kDoubled};
    twice.prepared.run = [](const ops::KernelIo& io) -> Result<void> {
      const std::span<const float> x = io.inputs[0].values<float>();
      std::transform(x.begin(), x.end(), io.outputs[0].data<float>(), [](float v) { return 2.0F * v; });
      return {};
    };
    program.steps = {load, twice};
    program.inputs = {kInput};
    program.outputs = {kDoubled};
    program.arena_bytes = 2 * bytes;
    for (int worker = 0; worker < 4; ++worker) {
      executors_.emplace_back(std::make_shared<const lower::Program>(program));
    }
  }

  Tensor sample(std::int64_t i) const {
    std::mt19937 rng(static_cast<unsigned>(i));
    std::normal_distribution<float> normal(0.1F * static_cast<float>(i), 1.0F);
    Tensor x(type_);
    for (std::int64_t e = 0; e < x.num_elements(); ++e) x.mutable_data<float>()[e] = normal(rng);
    if (i == bad_sample_) x.mutable_data<float>()[17] = bad_value_;
    return x;
  }

  /// `part`: sample i of the run is sample part[i] of the list; empty: all.
  Result<Observations> run(std::int64_t num_samples, int num_threads, const std::vector<std::int64_t>& part = {}) {
    ObserveRequest request;
    request.samples.count = num_samples;
    request.num_threads = num_threads;
    request.watches = {{.value = kInput},
                       {.value = kDoubled,
                        .histogram = true,
                        .channel_histograms = true,
                        .sample_extremes = true,
                        .channel_extremes = true,
                        .channel_axis = 1}};
    const auto place = [part](std::int64_t i) { return part.empty() ? i : part[static_cast<std::size_t>(i)]; };
    request.place_in_list = place;
    request.samples.load = [this, place](std::int64_t i) -> Result<std::vector<Tensor>> {
      return std::vector<Tensor>{sample(place(i))};
    };
    request.executor = [this](int worker, std::span<const Tensor>) -> Result<exec::Executor*> {
      return &executors_[static_cast<std::size_t>(worker)];
    };
    request.progress = [this](std::int64_t done, std::int64_t total) { progress_.push_back(done * 1000 + total); };
    return observe(graph_, request);
  }

  TensorType type_{DType::kFloat32, {2, 3, 50}};
  graph::Graph graph_;
  std::vector<exec::Executor> executors_;
  std::vector<std::int64_t> progress_;
  std::int64_t bad_sample_ = -1;
  float bad_value_ = 0.0F;
};

TEST_F(ObserveTest, SeesEveryElementOfEverySample) {
  const Observations found = *run(5, 1);
  const Observation& doubled = found.at("doubled");
  double sum = 0.0;
  double sum_of_min = 0.0;
  float min = std::numeric_limits<float>::infinity();
  float max = -min;
  std::vector<float> channel_max(3, max);
  for (std::int64_t i = 0; i < 5; ++i) {
    const Tensor x = sample(i);
    float sample_min = std::numeric_limits<float>::infinity();
    for (std::int64_t e = 0; e < 300; ++e) {
      const float v = 2.0F * x.data<float>()[e];
      sum += v;
      sample_min = std::min(sample_min, v);
      max = std::max(max, v);
      float& of_channel = channel_max[static_cast<std::size_t>(e / 50 % 3)];
      of_channel = std::max(of_channel, v);
    }
    sum_of_min += sample_min;
    min = std::min(min, sample_min);
  }
  EXPECT_EQ(doubled.moments.count, 1500);
  EXPECT_EQ(doubled.moments.min, min);
  EXPECT_EQ(doubled.moments.max, max);
  EXPECT_NEAR(doubled.moments.sum.value(), sum, 1e-6 * 1500);
  EXPECT_EQ(doubled.samples.num_samples, 5);
  EXPECT_NEAR(doubled.samples.sum_of_min.value(), sum_of_min, 1e-12);
  ASSERT_EQ(doubled.channels.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(doubled.channels[c].moments.max, channel_max[c]);
  EXPECT_EQ(doubled.channels[0].moments.count, 500);
  EXPECT_EQ(doubled.channels[0].samples.num_samples, 5);
  EXPECT_EQ(doubled.histogram.count(), 1500);
  DyadicHistogram merged(DyadicHistogram::kNumChannelBins);
  for (const Distribution& channel : doubled.channels) {
    EXPECT_EQ(channel.histogram.count(), 500);
    EXPECT_EQ(channel.histogram.max(), channel.moments.max);
    merged.merge(channel.histogram);
  }
  EXPECT_EQ(merged.count(), doubled.histogram.count());
  EXPECT_EQ(merged.min(), doubled.histogram.min());
  EXPECT_EQ(merged.max(), doubled.histogram.max());
  ASSERT_EQ(doubled.samples.each.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(doubled.samples.each[i].sample, static_cast<std::int64_t>(i));
  EXPECT_EQ(std::min_element(doubled.samples.each.begin(), doubled.samples.each.end(),
                             [](auto& a, auto& b) { return a.min < b.min; })
                ->min,
            min);
  EXPECT_TRUE(found.at("x").histogram.empty());
  EXPECT_TRUE(found.at("x").channels.empty());
  const RealRange range = estimate_range(doubled, {}, {.method = RangeMethod::kMinMax});
  EXPECT_EQ(range.min, min);
  EXPECT_EQ(range.max, max);
  EXPECT_EQ(progress_, (std::vector<std::int64_t>{1005, 2005, 3005, 4005, 5005}));
}

TEST_F(ObserveTest, IsTheSameToTheBitForAnyNumberOfThreads) {
  const Observations one = *run(23, 1);
  for (const int num_threads : {2, 3, 4}) EXPECT_EQ(*run(23, num_threads), one) << num_threads;
}

TEST_F(ObserveTest, MergedPartsAreTheWholeToTheBit) {
  const Observations whole = *run(23, 2);
  std::mt19937 rng(7);
  for (int round = 0; round < 5; ++round) {
    std::vector<std::vector<std::int64_t>> parts(3);
    for (std::int64_t i = 0; i < 23; ++i) parts[rng() % parts.size()].push_back(i);
    Observations merged;
    for (const auto& part : parts) {
      if (part.empty()) continue;
      const Observations seen = *run(static_cast<std::int64_t>(part.size()), 2, part);
      for (const auto& [name, observation] : seen) merged[name].merge(observation);
    }
    EXPECT_EQ(merged, whole) << "round " << round;
  }
}

/// Large enough to be counted by parts.
TEST(DyadicHistogramByParts, AreNearTheWholeWhateverThePeriod) {
  std::mt19937 rng(11);
  std::normal_distribution<float> normal;
  for (const auto& [period, one_in] : {std::pair(1U, 2), {512U, 2}, {1024U, 2}, {2048U, 2}, {512U, 8}, {4096U, 8}}) {
    std::vector<float> values(std::size_t{1} << (17 + one_in / 2));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = normal(rng) * (i / period % 2 == 0 ? 1.0F : 10.0F);
    const Moments moments = measure(values).moments;
    DyadicHistogram part;
    part.add_part(values, moments.min, moments.max, one_in, 12345);
    const auto large = std::ranges::count_if(values, [](float x) { return x >= 4.0F; });
    std::int64_t found = 0;
    const std::vector<std::uint64_t> counts = part.counts();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (part.lower_edge(i) >= 4.0) found += static_cast<std::int64_t>(counts[i]);
    }
    EXPECT_EQ(part.count(), static_cast<std::int64_t>(values.size()));
    EXPECT_NEAR(static_cast<double>(found), static_cast<double>(large), 0.25 * static_cast<double>(large)) << period;
  }
}

TEST_F(ObserveTest, NamesTensorAndSampleOfWhatIsNotFinite) {
  bad_sample_ = 3;
  bad_value_ = std::numeric_limits<float>::quiet_NaN();
  const Result<Observations> nan = run(8, 3);
  ASSERT_FALSE(nan.ok());
  EXPECT_EQ(nan.error().code, ErrorCode::kCalibration);
  EXPECT_EQ(nan.error().message, "sample 4: tensor 'x' holds NaN (1 of 300 elements are not finite)");
  bad_value_ = 3e38F;  // Overflows when doubled.
  EXPECT_EQ(run(8, 1).error().message,
            "sample 4: tensor 'doubled' holds an infinity (1 of 300 elements are not finite)");
}

TEST_F(ObserveTest, NeedsASample) { EXPECT_EQ(run(0, 1).error().code, ErrorCode::kCalibration); }

TEST_F(ObserveTest, ReportsExecutorErrorsWithTheSample) {
  type_.shape = {2, 3, 51};
  const Result<Observations> wrong = run(2, 2);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().message, "sample 1: input 'x' is float32[2, 3, 51], expected float32[2, 3, 50]");
}

}  // namespace
}  // namespace halfstep::calib
