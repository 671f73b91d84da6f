// Contract under test: report/baseline.hpp, and that report_json.cpp writes what it reads.
#include "report/baseline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfstep::report {
namespace {

using testing::HasSubstr;

compare::ErrorSums sums_of(float reference, float other) {
  compare::ErrorSums sums;
  sums.add({&reference, 1}, {&other, 1});
  return sums;
}

Report sample() {
  Report report;
  report.kind = "eval";
  report.mode = "fixed";
  report.input_list = "data/eval.txt";
  compare::Comparison comparison;
  comparison.num_samples = 4;
  comparison.outputs.push_back({"good", "Conv", sums_of(1.0F, 1.0F)});
  comparison.outputs.push_back({"bad", "Conv", sums_of(10.0F, 11.0F)});
  comparison.top1 = compare::TopK{75.0, 50.0};
  comparison.top1_agreement_percent = 25.0;
  report.comparison = comparison;
  report.extra_metrics.emplace_back("miou", std::pair(61.5, 60.25));
  return report;
}

TEST(Baseline, ReadsWhatReportsSay) {
  const Result<Baseline> baseline = parse_baseline(to_json(sample()), "old.json");
  ASSERT_TRUE(baseline.ok()) << baseline.error().message;
  EXPECT_EQ(baseline->num_samples, 4);
  EXPECT_EQ(baseline->mode, "fixed");
  EXPECT_EQ(baseline->top1, 50.0);
  EXPECT_EQ(baseline->top1_agreement, 25.0);
  EXPECT_EQ(baseline->miou, 60.25);
  EXPECT_DOUBLE_EQ(*baseline->worst_output_db, 20.0);
  EXPECT_TRUE(check_same_run(*baseline, sample()).ok());
}

TEST(Baseline, SaysWhatMakesARunAnother) {
  const Baseline baseline = *parse_baseline(to_json(sample()), "old.json");
  Report report = sample();
  report.input_list = "/elsewhere/eval.txt";
  EXPECT_TRUE(check_same_run(baseline, report).ok());
  report.input_list = "data/calib.txt";
  EXPECT_THAT(check_same_run(baseline, report).error().message, HasSubstr("calib.txt"));
  report = sample();
  report.comparison->num_samples = 5;
  EXPECT_THAT(check_same_run(baseline, report).error().message, HasSubstr("it has 4 samples, this one 5"));
  report = sample();
  report.comparison->outputs.pop_back();
  EXPECT_THAT(check_same_run(baseline, report).error().message, HasSubstr("'good', 'bad', this model's 'good'"));
}

TEST(Baseline, WhatIsMissingOrOfAWrongTypeIsNamed) {
  for (const auto& [text, fact] : {std::pair("{", "is not JSON"), std::pair("[1]", "is not a report"),
                                   std::pair(R"({"schema": "halfstep.report"})", "kind ''"),
                                   std::pair(R"({"schema": "halfstep.report", "kind": "quantize"})", "kind 'quantize'"),
                                   std::pair(R"({"schema": "halfstep.report", "kind": "eval"})", "schema version")}) {
    const Result<Baseline> baseline = parse_baseline(text, "old.json");
    ASSERT_FALSE(baseline.ok()) << text;
    EXPECT_THAT(baseline.error().message, HasSubstr(fact));
    EXPECT_EQ(baseline.error().code, ErrorCode::kInvalidInput);
  }
}

}  // namespace
}  // namespace halfstep::report
