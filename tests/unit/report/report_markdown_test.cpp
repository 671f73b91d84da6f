#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_report.hpp"

namespace halfstep::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(ReportMarkdown, TitleSaysWhetherGatesPassed) {
  Report report = sample_report();
  EXPECT_THAT(to_markdown(report), StartsWith("## Quantization of `net.onnx`: **failed**\n"));
  report.gates.pop_back();
  EXPECT_THAT(to_markdown(report), StartsWith("## Quantization of `net.onnx`: passed\n"));
  report.gates.clear();
  EXPECT_THAT(to_markdown(report), StartsWith("## Quantization of `net.onnx`\n"));
}

TEST(ReportMarkdown, HoldsGatesMetricsOutputsAndLayers) {
  const std::string page = to_markdown(sample_report());
  EXPECT_THAT(page,
              HasSubstr("| **FAIL** | `--min_top1` | top-1 of the quantized model | at least 70.00 % | 50.00 % | 20 "
                        "points |\n"));
  EXPECT_THAT(page, HasSubstr("| top-1 | 75.00 % | 50.00 % | 25.00 |\n"));
  EXPECT_THAT(page, HasSubstr("### Worst 2 of 2 layers\n"));
  EXPECT_THAT(page, HasSubstr("| `b` | Conv | 10.0 | 20.0 |"));
  EXPECT_EQ(page.back(), '\n');
}

TEST(ReportMarkdown, MeanIouStandsOnce) {
  Report report = sample_report();
  report.comparison->miou = compare::TopK{80.0, 78.5};
  report.extra_metrics = {{"miou", {80.0, 78.5}}, {"metric_command", {2.0, 1.0}}};
  const std::string page = to_markdown(report);
  EXPECT_THAT(page, HasSubstr("| mean IoU | 80.00 % | 78.50 % | 1.50 |\n"));
  EXPECT_THAT(page, HasSubstr("| metric\\_command | 2 | 1 | 1 |\n"));
  EXPECT_THAT(page, Not(HasSubstr("| miou |")));
}

TEST(ReportMarkdown, AlgorithmsWithWhatTheyWon) {
  EXPECT_THAT(to_markdown(sample_report()), Not(HasSubstr("### Algorithms")));
  Report report = tuned_report();
  report.comparison.reset();
  EXPECT_THAT(to_markdown(report),
              HasSubstr("### Algorithms\n\n| algorithm | what it did | SQNR dB, 4 held-out samples | |\n"
                        "|---|---|---:|---|\n"
                        "| `equalize` | 1 group scaled | 13.38 to 18.00 | kept |\n"
                        "| `round,bias-correction` | 3 layers rounded | 18.00 to 17.25 | undone |\n"));
}

TEST(ReportMarkdown, NamesAreNoSyntax) {
  Report report = sample_report();
  report.comparison->outputs[0].name = "a|b<script>`&";
  report.warnings = {"tensor '*x*|<b>' [y](z)"};
  report.float_islands = {{"node 's_1' (Softmax)", "Softmax", "no | form"}};
  const std::string page = to_markdown(report);
  EXPECT_THAT(page, HasSubstr("| <code>a\\|b&lt;script&gt;\\`&amp;</code> |"));
  EXPECT_THAT(page, HasSubstr("- tensor '\\*x\\*\\|&lt;b&gt;' \\[y\\](z)\n"));
  EXPECT_THAT(page, HasSubstr("| node 's\\_1' (Softmax) | Softmax | no \\| form |"));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
}

TEST(ReportMarkdown, StaysSmallEnoughForAComment) {
  Report report = sample_report();
  const std::string hostile(5000, '|');
  report.model = hostile;
  for (int i = 0; i < 400; ++i) {
    report.comparison->outputs.push_back(tensor_of(hostile + std::to_string(i), 0.1));
    report.gates.push_back({"min_cosine", hostile, "", 0.5, 0.4, false, 0.1});
    report.float_islands.push_back({hostile, hostile, hostile});
    report.warnings.push_back(hostile);
  }
  const std::string page = to_markdown(report);
  EXPECT_LT(page.size(), 60000u);
  EXPECT_THAT(page, HasSubstr("do not fit here: see the JSON or HTML report."));
}

}  // namespace
}  // namespace halfstep::report
