// Contract under test: sensitivity/output_judge.hpp.
#include "sensitivity/output_judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "unit/sensitivity/quantized_case.hpp"

namespace halfstep::sensitivity {
namespace {

using testing::HasSubstr;

/// x [1, 4], of which "y" is a multiple. Samples are given.
class Judging : public testing::Test {
 protected:
  static graph::Graph multiple(const std::string& factor_of, float factor) {
    exec::SmallGraph small;
    small.input("x", {1, 4}).constant("f", Tensor::of<float>(Shape{1}, {factor}));
    small.constant("one", Tensor::of<float>(Shape{1}, {1.0F}));
    small.node("Mul", {"x", factor_of == "y" ? "f" : "one"}, {"y"});
    small.node("Mul", {"x", factor_of == "z" ? "f" : "one"}, {"z"});
    small.output("y").output("z");
    return small.graph();
  }

  exec::SampleSource source() const {
    exec::SampleSource made;
    made.count = static_cast<std::int64_t>(samples_.size());
    made.load = [this](std::int64_t i) -> Result<Inputs> { return Inputs{samples_[static_cast<std::size_t>(i)]}; };
    made.place = [](std::int64_t i) { return "list.txt:" + std::to_string(i + 1); };
    return made;
  }

  OutputJudge judge(const compare::OutputMeasures& measures = {}, int num_threads = 2) {
    Result<OutputJudge> made = OutputJudge::make(reference_, {}, source(), measures, num_threads);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return *std::move(made);
  }

  OutputScore score(const OutputJudge& judge, const graph::Graph& other) const {
    compare::Tally all = judge.empty();
    exec::Executor executor = tune::executor_of(other);
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      EXPECT_TRUE(executor.run(Inputs{samples_[i]}).ok());
      compare::Tally tally = judge.empty();
      const Result<void> told = judge.tally(static_cast<std::int64_t>(i), executor, tally);
      EXPECT_TRUE(told.ok()) << (told.ok() ? "" : told.error().message);
      all.add(tally);
    }
    return judge.score(all);
  }

  graph::Graph reference_ = multiple("y", 1.0F);
  std::vector<Tensor> samples_{Tensor::of<float>(Shape{1, 4}, {1.0F, 2.0F, 3.0F, 4.0F}),
                               Tensor::of<float>(Shape{1, 4}, {4.0F, 3.0F, -2.0F, 1.0F}),
                               Tensor::of<float>(Shape{1, 4}, {0.0F, 9.0F, 1.0F, 1.0F})};
};

TEST_F(Judging, TheFloatModelItselfHasFullMarks) {
  const OutputJudge judging = judge();
  const OutputScore full{.sqnr_db = 200.0};
  EXPECT_EQ(judging.reference(), full);
  EXPECT_EQ(score(judging, reference_), full);
}

// An error of a tenth is 20 dB; the mean with the other output's 200 is 110.
TEST_F(Judging, TheErrorIsTheMeanOverTheOutputs) {
  EXPECT_NEAR(score(judge(), multiple("y", 1.1F)).sqnr_db, (20.0 + 200.0) / 2, 1e-4);
  EXPECT_NEAR(score(judge(), multiple("z", 0.0F)).sqnr_db, (200.0 + 0.0) / 2, 1e-9);
}

TEST_F(Judging, ErrorsAreBounded) {
  EXPECT_NEAR(score(judge(), multiple("y", 1e30F)).sqnr_db, (-200.0 + 200.0) / 2, 1e-9);
}

// Class scores are taken for such where they are all that a model gives.
TEST_F(Judging, AnOnlyOutputTellsWhetherTheClassesAgree) {
  EXPECT_EQ(score(judge(), multiple("y", -1.0F)).agreement_percent, std::nullopt);
  graph::Graph other = multiple("y", -1.0F);
  for (graph::Graph* graph : {&reference_, &other}) graph->outputs.pop_back();
  const OutputJudge judging = judge();
  EXPECT_EQ(judging.reference().agreement_percent, 100.0);
  EXPECT_EQ(score(judging, reference_).agreement_percent, 100.0);
  EXPECT_EQ(score(judging, other).agreement_percent, 0.0);
}

TEST_F(Judging, LabelsAddTopOneAndFive) {
  compare::OutputMeasures measures;
  measures.labels = {3, 1, 1};  // Two of three are right.
  const OutputJudge judging = judge(measures);
  ASSERT_TRUE(judging.reference().top1_percent.has_value());
  EXPECT_NEAR(*judging.reference().top1_percent, 200.0 / 3, 1e-9);
  EXPECT_EQ(judging.reference().top5_percent, 100.0);
  EXPECT_EQ(judging.reference().miou_percent, std::nullopt);
  EXPECT_NEAR(*score(judging, multiple("y", -1.0F)).top1_percent, 0.0, 1e-9);
  EXPECT_EQ(judge().reference().top1_percent, std::nullopt);
}

TEST_F(Judging, LabelsThatDoNotFitNameTheSample) {
  compare::OutputMeasures measures;
  measures.labels = {3, 4, 1};
  const Result<OutputJudge> made = OutputJudge::make(reference_, {}, source(), measures, 1);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(made.error().message, HasSubstr("list.txt:2"));
}

TEST_F(Judging, ThreadsDoNotMatter) {
  compare::OutputMeasures measures;
  measures.labels = {3, 1, 1};
  EXPECT_EQ(judge(measures, 1).reference(), judge(measures, 3).reference());
}

TEST_F(Judging, SamplesOfAnotherShapeNameTheirPlace) {
  samples_[2] = Tensor::of<float>(Shape{1, 3}, {1.0F, 2.0F, 3.0F});
  const Result<OutputJudge> made = OutputJudge::make(reference_, {}, source(), {}, 1);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, HasSubstr("list.txt:3"));
}

TEST(OutputJudge, RefusesAModelWithNothingToMeasure) {
  exec::SmallGraph small;
  small.input("x", {1, 4}).node("ArgMax", {"x"}, {"y"}).output("y");
  small.last_node().attributes.set("axis", std::int64_t{1});
  exec::SampleSource source;
  source.count = 1;
  source.load = [](std::int64_t) -> Result<Inputs> { return Inputs{Tensor::of<float>(Shape{1, 4}, {1, 2, 3, 4})}; };
  const Result<OutputJudge> made = OutputJudge::make(small.graph(), {}, source, {}, 1);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(made.error().message, HasSubstr("nothing can be measured"));
}

}  // namespace
}  // namespace halfstep::sensitivity
