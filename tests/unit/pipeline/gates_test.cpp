// Contract under test: pipeline/gates.hpp.
#include "pipeline/gates.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace halfstep::pipeline {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

compare::TensorError output(const char* name, float reference, float other) {
  compare::TensorError error;
  error.name = name;
  error.sums.add({&reference, 1}, {&other, 1});
  return error;
}

/// SQNR 20 dB and exact; top-1 80 against 77.5; agreement 90.
report::Report sample() {
  report::Report report;
  report.comparison = compare::Comparison{};
  report.comparison->outputs = {output("exact", 1.0F, 1.0F), output("off", 10.0F, 9.0F)};
  report.comparison->top1 = compare::TopK{80.0, 77.5};
  report.comparison->top1_agreement_percent = 90.0;
  return report;
}

report::Gate judged(const Gates& gates, const std::optional<report::Baseline>& baseline = {}) {
  const Result<std::vector<report::Gate>> all = judge(gates, baseline, sample());
  EXPECT_TRUE(all.ok() && all->size() == 1) << (all.ok() ? std::to_string(all->size()) : all.error().message);
  return all.ok() && !all->empty() ? all->front() : report::Gate{};
}

TEST(Gates, TheWorstOutputDecides) {
  const report::Gate sqnr = judged({.min_sqnr_db = 21.5});
  EXPECT_FALSE(sqnr.passed);
  EXPECT_DOUBLE_EQ(sqnr.actual, 20.0);
  EXPECT_DOUBLE_EQ(sqnr.shortfall, 1.5);
  EXPECT_THAT(sqnr.subject, HasSubstr("'off'"));
  EXPECT_FALSE(judged({.max_abs_error = 0.5}).passed);
  EXPECT_TRUE(judged({.max_abs_error = 1.0}).passed);
  EXPECT_TRUE(judged({.min_cosine = 0.99}).passed);
}

// Two outputs; of the second, one of two values is NaN on one side only.
TEST(Gates, AnOutputThatIsNotFiniteOnOneSideFailsEveryGateOfOutputs) {
  report::Report report = sample();
  report.comparison->outputs.push_back(output("broken", 3.0F, std::numeric_limits<float>::quiet_NaN()));
  report.comparison->outputs.back().sums.add(output("more", 1.0F, 1.0F).sums);
  const auto gates = judge({.min_sqnr_db = -900.0, .min_cosine = -1.0, .max_abs_error = 1e30}, {}, report);
  ASSERT_TRUE(gates.ok());
  ASSERT_EQ(gates->size(), 3U);
  for (const report::Gate& gate : *gates) {
    EXPECT_FALSE(gate.passed) << gate.option;
    EXPECT_THAT(gate.subject, HasSubstr("'broken'"));
    EXPECT_EQ(gate.unmeasured, "1 of 2 values is NaN or infinite in one of the two runs only");
  }
  const std::string line = failures_of(*gates);
  EXPECT_THAT(line, HasSubstr("cosine of output 'broken' must be at least -1.0000 and has no figure: 1 of 2 values"));
  EXPECT_EQ(line.find("missed by"), std::string::npos);
  EXPECT_EQ(line.find("999"), std::string::npos);

  report::Baseline baseline;
  baseline.worst_output_db = -999.0;
  report.comparison->top1 = std::nullopt;
  report.comparison->top1_agreement_percent = std::nullopt;
  const auto regression = judge({.max_regression = 5000.0}, baseline, report);
  ASSERT_TRUE(regression.ok());
  EXPECT_FALSE(regression->front().passed);
}

TEST(Gates, ASignalOfZerosHasNoSqnr) {
  report::Report report = sample();
  report.comparison->outputs.push_back(output("zeros", 0.0F, 1.0F));
  const auto gates = judge({.min_sqnr_db = -900.0}, {}, report);
  ASSERT_TRUE(gates.ok());
  EXPECT_FALSE(gates->front().passed);
  EXPECT_THAT(failures_of(*gates), HasSubstr("the float model gives zeros only"));
}

TEST(Gates, AThresholdThatIsJustReachedIsMet) {
  EXPECT_TRUE(judged({.min_top1 = 77.5}).passed);
  EXPECT_TRUE(judged({.max_top1_drop = 2.5}).passed);
  EXPECT_TRUE(judged({.min_top1_agreement = 90.0}).passed);
  EXPECT_TRUE(judged({.min_sqnr_db = 20.0}).passed);
  const report::Gate missed = judged({.max_top1_drop = 2.0});
  EXPECT_FALSE(missed.passed);
  EXPECT_DOUBLE_EQ(missed.shortfall, 0.5);
  EXPECT_EQ(judged({.min_top1 = 10.0}).shortfall, 0.0);
}

TEST(Gates, RegressionTakesTheBestMetricBothHave) {
  report::Baseline baseline;
  baseline.worst_output_db = 23.0;
  EXPECT_DOUBLE_EQ(judged({.max_regression = 5.0}, baseline).actual, 3.0);
  EXPECT_EQ(judged({.max_regression = 5.0}, baseline).unit, "dB");
  baseline.top1_agreement = 95.0;
  EXPECT_DOUBLE_EQ(judged({.max_regression = 4.0}, baseline).shortfall, 1.0);
  baseline.top1 = 70.0;
  const report::Gate better = judged({.max_regression = 0.0}, baseline);
  EXPECT_TRUE(better.passed);
  EXPECT_DOUBLE_EQ(better.actual, -7.5);
}

TEST(Gates, FailuresAreOneLine) {
  const report::Report report = sample();
  const auto gates = judge({.min_top1 = 99.0, .min_top1_agreement = 50.0, .min_sqnr_db = 30.0}, {}, report);
  ASSERT_TRUE(gates.ok());
  const std::string line = failures_of(*gates);
  EXPECT_THAT(line, StartsWith("gate missed: --min_top1: top-1 of the quantized model is 77.5"));
  EXPECT_THAT(line, HasSubstr("; --min_sqnr_db: SQNR of output 'off'"));
  EXPECT_EQ(line.find("agreement"), std::string::npos);
  EXPECT_EQ(failures_of({}), "");
}

TEST(Gates, ThresholdsAreCheckedBeforeAnyRun) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Gates& gates : {Gates{.min_top1_agreement = 101.0}, Gates{.min_sqnr_db = nan}, Gates{.min_cosine = -2.0},
                             Gates{.max_abs_error = -1.0}, Gates{.max_regression = 1.0}, Gates{.baseline = "b.json"},
                             Gates{.min_top1 = 50.0}, Gates{.min_miou = 50.0}}) {
    EvaluateRequest request;
    request.gates = gates;
    const Result<void> checked = check_gates(request);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, ErrorCode::kUsage);
    EXPECT_THAT(checked.error().message, StartsWith("--"));
  }
}

TEST(Gates, NoFloatOutputIsAnError) {
  report::Report report = sample();
  report.comparison->outputs.clear();
  EXPECT_EQ(judge({.min_cosine = 0.5}, {}, report).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace halfstep::pipeline
