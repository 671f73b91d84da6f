// Contract under test: compare/compare_runs.hpp.
#include "compare/compare_runs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lower/lower.hpp"
#include "unit/exec/small_graph.hpp"

namespace halfstep::compare {
namespace {

/// x -> Neg -> a -> Neg -> y, encoded in x (steps of 1), a (steps of 1/4, up to 1) and y (steps of 1/8).
class CompareRuns : public ::testing::Test {
 protected:
  CompareRuns() {
    small_.input("x", {1, 4}).node("Neg", {"x"}, {"a"}).node("Neg", {"a"}, {"y"}).output("y");
    encode("x", {-128, 127}, 1.0);
    encode("a", {-4, 4}, 0.25);
    encode("y", {-128, 127}, 0.125);
    request_.samples.count = 3;
    request_.samples.load = [this](std::int64_t i) -> Result<std::vector<Tensor>> {
      return std::vector<Tensor>{Tensor::of<float>(Shape{1, 4}, std::span<const float>(samples_[i]))};
    };
    request_.samples.place = [](std::int64_t i) { return "sample " + std::to_string(i); };
    for (const char* name : {"x", "a", "y"}) {
      const graph::ValueId id = graph::find_value(small_.graph(), name);
      request_.layers.push_back({id, id, &encodings_.at(name).encoding});
    }
  }

  Result<RunsOutcome> run(int num_threads = 1) {
    const graph::Graph& graph = small_.graph();
    exec::Session reference(
        graph, [&](const ops::InputShapes& shapes) { return lower::float_program(graph, shapes); }, num_threads);
    exec::Session other(
        graph, [&](const ops::InputShapes& shapes) { return lower::simulated_program(graph, shapes, encodings_); },
        2 * num_threads);
    request_.reference = {&graph, &reference};
    request_.other = {&graph, &other};
    request_.num_threads = num_threads;
    return compare_runs(request_);
  }

  static const TensorError& layer(const RunsOutcome& compared, const std::string& name) {
    return *std::ranges::find(compared.comparison.layers, name, &TensorError::name);
  }

  void encode(const char* name, IntGrid grid, double scale) {
    encodings_.insert_or_assign(name, TensorEncoding{.encoding = *Encoding::per_tensor(grid, {scale, 0}),
                                                     .role = TensorRole::kActivation,
                                                     .provenance = {},
                                                     .codes = {},
                                                     .frozen = false});
  }

  exec::SmallGraph small_;
  EncodingSet encodings_;
  RunsRequest request_;
  float samples_[3][4] = {{0.25F, 0.0F, 1.0F, -1.0F}, {0.5F, 0.0F, 0.0F, 0.0F}, {0.0F, 3.0F, 0.0F, 0.0F}};
};

// x: 0.25 becomes 0 and 0.5 becomes 0: 0.0625 + 0.25. a inherits these, and 3 is clipped to 1.
TEST_F(CompareRuns, WholeNetworkErrorsAddUpAndIsolatedOnesDoNot) {
  request_.isolated = true;
  const Result<RunsOutcome> compared = run();
  ASSERT_TRUE(compared.ok()) << compared.error().message;
  EXPECT_DOUBLE_EQ(layer(*compared, "x").sums.error_squared, 0.3125);
  EXPECT_DOUBLE_EQ(layer(*compared, "a").sums.error_squared, 4.3125);
  EXPECT_DOUBLE_EQ(layer(*compared, "y").sums.error_squared, 4.3125);
  // Fed with what float inputs are on their own grid: x is rounded, a is clipped, y is exact.
  ASSERT_TRUE(layer(*compared, "a").isolated);
  EXPECT_DOUBLE_EQ(layer(*compared, "x").isolated->error_squared, 0.3125);
  EXPECT_DOUBLE_EQ(layer(*compared, "a").isolated->error_squared, 4.3125);
  EXPECT_DOUBLE_EQ(layer(*compared, "y").isolated->error_squared, 4.0);
  EXPECT_DOUBLE_EQ(compared->comparison.outputs[0].isolated->error_squared, 4.0);
  EXPECT_DOUBLE_EQ(compared->comparison.outputs[0].sums.error_squared, 4.3125);
}

TEST_F(CompareRuns, StepsAndClipping) {
  const Result<RunsOutcome> compared = run();
  ASSERT_TRUE(compared.ok()) << compared.error().message;
  EXPECT_EQ(layer(*compared, "a").num_clipped, 1);
  EXPECT_EQ(layer(*compared, "y").num_clipped, 0);
  EXPECT_DOUBLE_EQ(layer(*compared, "a").scale, 0.25);
  EXPECT_DOUBLE_EQ(layer(*compared, "x").rmse_in_steps(), std::sqrt(0.3125 / 12.0));
  EXPECT_FALSE(layer(*compared, "x").isolated);
  EXPECT_DOUBLE_EQ(compared->comparison.outputs[0].scale, 0.125);
}

TEST_F(CompareRuns, TheSameForEveryNumberOfThreads) {
  request_.isolated = true;
  const Result<RunsOutcome> one = run(1);
  const Result<RunsOutcome> three = run(3);
  ASSERT_TRUE(one.ok() && three.ok());
  for (const char* name : {"x", "a", "y"}) {
    EXPECT_EQ(layer(*one, name).sums.error_squared, layer(*three, name).sums.error_squared);
    EXPECT_EQ(layer(*one, name).isolated->product, layer(*three, name).isolated->product);
  }
}

TEST_F(CompareRuns, OutputsAreSeenOnceASampleAndErrorsNameIt) {
  std::vector<std::int64_t> seen;
  request_.seen = [&](std::int64_t i, const exec::Executor& ours, const exec::Executor& theirs) -> Result<void> {
    EXPECT_EQ(ours.output(0).shape(), theirs.output(0).shape());
    seen.push_back(i);
    if (i == 2) return Error{ErrorCode::kInvalidInput, "disk full"};
    return {};
  };
  const Result<RunsOutcome> compared = run();
  EXPECT_THAT(seen, testing::ElementsAre(0, 1, 2));
  ASSERT_FALSE(compared.ok());
  EXPECT_EQ(compared.error().message, "sample 2: disk full");
}

TEST_F(CompareRuns, LabelsAndScores) {
  request_.labels = {2, 0, 1};
  const Result<RunsOutcome> compared = run();
  ASSERT_TRUE(compared.ok()) << compared.error().message;
  EXPECT_DOUBLE_EQ(compared->comparison.top1->reference_percent, 100.0);
  // 0.5 was rounded away, so all four scores are equal: the first wins all the same.
  EXPECT_DOUBLE_EQ(compared->comparison.top1->other_percent, 100.0);
  EXPECT_DOUBLE_EQ(*compared->comparison.top1_agreement_percent, 100.0);
  request_.labels = {2, 0};
  EXPECT_FALSE(run().ok());
}

/// x -> Neg -> a, x -> Relu -> b -> Neg -> c, y = a + c, whose branches may come in either order.
exec::SmallGraph branches(bool a_first) {
  exec::SmallGraph small;
  small.input("x", {1, 4});
  if (a_first) small.node("Neg", {"x"}, {"a"});
  small.node("Relu", {"x"}, {"b"}).node("Neg", {"b"}, {"c"});
  if (!a_first) small.node("Neg", {"x"}, {"a"});
  small.node("Add", {"a", "c"}, {"y"}).output("y");
  return small;
}

/// Everything that the comparison of `reference` with the fixed-point and simulated forms of `other` finds.
RunsOutcome compare_branches(exec::SmallGraph reference, exec::SmallGraph other) {
  EncodingSet encodings;
  for (const char* name : {"x", "a", "b", "c", "y"}) {
    encodings.insert_or_assign(name, TensorEncoding{.encoding = *Encoding::per_tensor({-8, 7}, {0.125, 0}),
                                                    .role = TensorRole::kActivation,
                                                    .provenance = {},
                                                    .codes = {},
                                                    .frozen = false});
  }
  RunsRequest request;
  for (const char* name : {"x", "a", "b", "c", "y"}) {
    request.layers.push_back({reference.value(name), other.value(name), &encodings.at(name).encoding});
  }
  request.samples.count = 1;
  request.samples.load = [](std::int64_t) -> Result<std::vector<Tensor>> {
    return std::vector<Tensor>{Tensor::of<float>(Shape{1, 4}, {0.3F, -0.6F, 2.0F, -1.0F})};
  };
  request.isolated = true;
  exec::Session float_runs(
      reference.graph(), [&](const ops::InputShapes& s) { return lower::float_program(reference.graph(), s); }, 1);
  exec::Session fixed_runs(
      other.graph(), [&](const ops::InputShapes& s) { return lower::fixed_program(other.graph(), s, encodings, {}); },
      2);
  exec::Session simulated_runs(
      other.graph(), [&](const ops::InputShapes& s) { return lower::simulated_program(other.graph(), s, encodings); },
      1);
  request.reference = {&reference.graph(), &float_runs};
  request.other = {&other.graph(), &fixed_runs};
  request.simulated = &simulated_runs;
  const Result<RunsOutcome> compared = compare_runs(request);
  EXPECT_TRUE(compared.ok()) << compared.error().message;
  return *compared;
}

// Where one run is ahead, tensors wait: the figures are those of runs that go side by side.
TEST(CompareRunsInStep, TheOrderOfStepsMayDiffer) {
  const RunsOutcome same = compare_branches(branches(true), branches(true));
  ASSERT_EQ(same.comparison.layers.size(), 5U);
  for (const bool reference_first : {true, false}) {
    const RunsOutcome differs = compare_branches(branches(reference_first), branches(!reference_first));
    ASSERT_EQ(differs.comparison.layers.size(), 5U);
    for (std::size_t l = 0; l < 5; ++l) {
      const TensorError& expected = same.comparison.layers[l];
      const TensorError& found = differs.comparison.layers[l];
      EXPECT_EQ(found.name, expected.name);
      EXPECT_EQ(found.sums.error_squared, expected.sums.error_squared);
      ASSERT_TRUE(found.isolated && expected.isolated && found.off_by && expected.off_by);
      EXPECT_EQ(found.isolated->error_squared, expected.isolated->error_squared);
      EXPECT_EQ(found.off_by, expected.off_by);
      EXPECT_EQ(differs.simulated->layers[l].sums.product, same.simulated->layers[l].sums.product);
    }
  }
}

}  // namespace
}  // namespace halfstep::compare
