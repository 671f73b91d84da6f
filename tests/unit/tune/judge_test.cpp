// Contract under test: tune/judge.hpp, against plain sums over runs.
#include "tune/judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit/tune/sweep_graphs.hpp"
#include "unit/tune/sweep_support.hpp"

namespace halfstep::tune {
namespace {

std::size_t place_of_largest(std::span<const float> values) {
  std::size_t place = 0;
  for (std::size_t i = 1; i < values.size(); ++i) place = values[i] > values[place] ? i : place;
  return place;
}

Tensor real_of(const StoredTensor& stored) {
  return stored.grid ? dequantize(stored.tensor, *stored.grid) : stored.tensor;
}

/// SQNR of each output and agreement on the first, sample after sample.
Score plain_score(const SweptCase& swept) {
  Score score;
  std::vector<double> signal(swept.graph.outputs.size());
  std::vector<double> noise(signal.size());
  for (const Inputs& inputs : swept.samples) {
    StoredTensors reference = run_float(swept.graph, inputs);
    StoredTensors quantized = run_fixed(swept.model, {}, inputs);
    for (std::size_t o = 0; o < signal.size(); ++o) {
      const std::string& name = swept.graph.value(swept.graph.outputs[o].value).name;
      const std::span<const float> a = reference.at(name).tensor.values<float>();
      const Tensor real = real_of(quantized.at(name));
      const std::span<const float> b = real.values<float>();
      for (std::size_t i = 0; i < a.size(); ++i) {
        signal[o] += std::pow(static_cast<double>(a[i]), 2);
        noise[o] += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
      }
      if (o == 0 && place_of_largest(a) == place_of_largest(b)) {
        score.agreement += 100.0 / static_cast<double>(swept.samples.size());
      }
    }
  }
  for (std::size_t o = 0; o < signal.size(); ++o) {
    score.sqnr_db.push_back(10.0 * std::log10(signal[o] / noise[o]));
    score.mean_db += score.sqnr_db.back() / static_cast<double>(signal.size());
  }
  return score;
}

Judge judge_of(const graph::Graph& graph, const std::vector<Inputs>& samples, int num_threads = 1) {
  Result<Judge> judge = Judge::make(graph, source_of(samples), num_threads);
  EXPECT_TRUE(judge.ok()) << (judge.ok() ? "" : judge.error().message);
  return judge.ok() ? *std::move(judge) : Judge();
}

Score score_of(const Judge& judge, const QuantizedGraph& model) {
  Result<Score> score = judge.score(model, {});
  EXPECT_TRUE(score.ok()) << (score.ok() ? "" : score.error().message);
  return score.ok() ? *std::move(score) : Score{};
}

void expect_near(const Score& a, const Score& b, double tolerance) {
  ASSERT_EQ(a.sqnr_db.size(), b.sqnr_db.size());
  for (std::size_t o = 0; o < a.sqnr_db.size(); ++o) EXPECT_NEAR(a.sqnr_db[o], b.sqnr_db[o], tolerance) << o;
  EXPECT_NEAR(a.mean_db, b.mean_db, tolerance);
  EXPECT_NEAR(a.agreement, b.agreement, tolerance);
}

TEST(Judge, IsPlainSqnrAndAgreement) {
  precision::Options options;
  options.weight_bits = 4;
  for (NamedGraph& named : sweep_graphs()) {
    SCOPED_TRACE(named.name);
    const SweptCase swept(named.small, 9, options);
    const Judge judge = judge_of(swept.graph, swept.samples);
    EXPECT_EQ(judge.num_samples(), 9);
    const Score score = score_of(judge, swept.model);
    expect_near(score, plain_score(swept), 1e-9);
    for (const int num_threads : {2, 5}) {
      const Score again = score_of(judge_of(swept.graph, swept.samples, num_threads), swept.model);
      EXPECT_EQ(again.sqnr_db, score.sqnr_db);
      EXPECT_EQ(again.agreement, score.agreement);
    }
  }
}

TEST(Judge, TheFloatModelItselfIsPerfect) {
  RandomGraph small = residual_graph();
  const SweptCase swept(small, 3);
  const Result<Score> score = judge_of(swept.graph, swept.samples).score_float(swept.graph);
  ASSERT_TRUE(score.ok());
  EXPECT_EQ(score->sqnr_db, (std::vector<double>{200.0, 200.0}));
  EXPECT_EQ(score->agreement, 100.0);
}

TEST(Judge, SamplesMayDifferInShape) {
  RandomGraph small = residual_graph();
  small.graph().inputs[0].declared.dims.reset();
  const std::vector<Inputs> samples{{small.draw({1, 3, 6, 6})}, {small.draw({1, 3, 4, 7})}, {small.draw({2, 3, 3, 3})}};
  const Judge judge = judge_of(small.graph(), samples, 2);
  EXPECT_EQ(judge.num_samples(), 3);
  const Result<Score> score = judge.score_float(small.graph());
  ASSERT_TRUE(score.ok()) << score.error().message;
  EXPECT_EQ(score->mean_db, 200.0);
}

/// y = x repeated `count` times, 4 bytes each.
RandomGraph repeating(std::int64_t count) {
  RandomGraph small(71);
  small.input("x", {1}).output("y");
  small.constant("shape", Tensor::of<std::int64_t>(Shape{1}, {count})).node("Expand", {"x", "shape"}, {"y"});
  return small;
}

TEST(Judge, LargeOutputsAreFewButOne) {
  const std::vector<Inputs> samples(4, Inputs{Tensor::of<float>(Shape{1}, {1.5F})});
  EXPECT_EQ(judge_of(repeating(5 << 20).graph(), samples).num_samples(), 3);   // 20 MiB each.
  EXPECT_EQ(judge_of(repeating(17 << 20).graph(), samples).num_samples(), 1);  // 68 MiB.
  EXPECT_EQ(judge_of(repeating(1 << 10).graph(), samples).num_samples(), 4);
}

TEST(Judge, OutputsThatAreNoNumbersCountWhereOnlyOneSideHasThem) {
  RandomGraph small(72);
  small.input("x", {4}).output("y").output("z").node("Log", {"x"}, {"y"}).node("Relu", {"x"}, {"z"});
  const std::vector<Inputs> samples{{Tensor::of<float>(Shape{4}, {-1.0F, 0.0F, 1.0F, 2.0F})}};
  const Judge judge = judge_of(small.graph(), samples);
  const Result<Score> same = judge.score_float(small.graph());
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->sqnr_db, (std::vector<double>{200.0, 200.0}));
  RandomGraph other(73);
  other.input("x", {4}).output("y").output("z").node("Exp", {"x"}, {"y"}).node("Relu", {"x"}, {"z"});
  const Result<Score> worse = judge.score_float(other.graph());
  ASSERT_TRUE(worse.ok());
  EXPECT_EQ(worse->sqnr_db, (std::vector<double>{-200.0, 200.0}));
  EXPECT_TRUE(is_worse(*same, *worse));
  EXPECT_FALSE(is_worse(*worse, *same));
}

TEST(Judge, OnlyFloatOutputsAreCompared) {
  RandomGraph small(74);
  small.input("x", {1, 4}).output("place").output("y");
  small.node("ArgMax", {"x"}, {"place"}).node("Relu", {"x"}, {"y"});
  small.graph().outputs[0].declared.dtype = DType::kInt64;
  const std::vector<Inputs> samples{{small.draw({1, 4})}};
  const Result<Score> score = judge_of(small.graph(), samples).score_float(small.graph());
  ASSERT_TRUE(score.ok());
  EXPECT_EQ(score->sqnr_db.size(), 1U);
}

TEST(Judge, ErrorsOfLoadingComeThrough) {
  RandomGraph small = residual_graph();
  std::vector<Inputs> samples{{small.draw({1, 3, 6, 6})}, {small.draw({1, 3, 6, 6})}};
  exec::SampleSource source = source_of(samples);
  source.load = [](std::int64_t i) -> Result<Inputs> {
    return Error{ErrorCode::kInvalidInput, "no sample " + std::to_string(i)};
  };
  EXPECT_EQ(Judge::make(small.graph(), source, 2).error().message, "no sample 0");
}

TEST(IsWorse, AllOutputsTogetherOrOneByMore) {
  const Score before{{20.0, 30.0}, 25.0, 90.0};
  EXPECT_FALSE(is_worse(before, before));
  EXPECT_FALSE(is_worse(before, {{19.97, 29.97}, 24.97, 0.0}));  // By chance.
  EXPECT_TRUE(is_worse(before, {{19.9, 29.9}, 24.9, 100.0}));
  EXPECT_FALSE(is_worse(before, {{19.6, 31.0}, 25.3, 90.0}));
  EXPECT_TRUE(is_worse(before, {{19.4, 40.0}, 29.7, 90.0}));
}

}  // namespace
}  // namespace halfstep::tune
