// Contract under test: to_json() of report/report.hpp; schema in docs/report.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sample_report.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::json;

Report sample() {
  Report report;
  report.kind = "eval";
  report.mode = "both";
  report.arithmetic = "q31_double";
  compare::TensorError tensor;
  tensor.name = "t";
  tensor.op = "Conv";
  const float reference[] = {1.0F, 2.0F};
  const float other[] = {1.0F, 1.5F};
  tensor.sums.add(reference, other);
  tensor.scale = 0.25;
  tensor.num_clipped = 1;
  tensor.isolated = compare::ErrorSums{};
  tensor.isolated->add(reference, reference);
  tensor.off_by = compare::OffBy{1, 1, 0, 0, 0, 0};
  report.comparison = compare::Comparison{};
  report.comparison->num_samples = 1;
  report.comparison->layers = {tensor};
  report.simulated_comparison = report.comparison;
  report.gates.push_back({"min_sqnr_db", "SQNR of output 't'", "dB", 40.0, 12.5, false, 27.5});
  report.extra_metrics.emplace_back("metric_command", std::pair(3.0, 2.0));
  return report;
}

TEST(ReportJson, EveryErrorOfALayer) {
  const Json json = Json::parse(to_json(sample()));
  const Json& layer = json["layers"][0];
  EXPECT_EQ(layer["mse"], 0.125);
  EXPECT_DOUBLE_EQ(layer["rmse_in_steps"].get<double>(), std::sqrt(0.125) / 0.25);
  EXPECT_EQ(layer["scale"], 0.25);
  EXPECT_EQ(layer["clipped_percent"], 50.0);
  EXPECT_EQ(layer["isolated"]["sqnr_db"], kMaxReportedDb);
  EXPECT_EQ(layer["off_by"], Json({1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(json["simulated"]["layers"][0]["mse"], 0.125);
}

TEST(ReportJson, GatesArithmeticAndOtherMetrics) {
  const Json json = Json::parse(to_json(sample()));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["arithmetic"], "q31_double");
  EXPECT_EQ(json["gates"][0]["option"], "min_sqnr_db");
  EXPECT_EQ(json["gates"][0]["passed"], false);
  EXPECT_EQ(json["gates"][0]["shortfall"], 27.5);
  EXPECT_EQ(json["metrics"]["metric_command"]["drop"], 1.0);
}

TEST(ReportJson, RangesAndHistograms) {
  const Json json = Json::parse(to_json(quantize_report()));
  EXPECT_EQ(json["schema_version"], 1);
  ASSERT_EQ(json["ranges"].size(), 3U);
  EXPECT_EQ(json["ranges"][0], Json::parse(R"json({"name": "a", "role": "activation", "observed": [-1.0, 2.0],
      "chosen": [-1.5, 1.5], "by": "calibrated (mean-minmax)", "num_values": 48, "clipped_percent": null
})json"));
  EXPECT_EQ(json["ranges"][1]["clipped_percent"], 0.125);
  EXPECT_EQ(json["ranges"][1]["channels"], 16);
  EXPECT_EQ(json["ranges"][2]["role"], "weight");
  EXPECT_EQ(json["ranges"][2]["clipped_percent"], 0.0);
  ASSERT_EQ(json["histograms"].size(), 1U);
  EXPECT_EQ(json["histograms"][0], Json::parse(R"json({"name": "b", "first_edge": -2.0, "bin_width": 1.0,
      "counts": [1, 10, 10, 0], "grid": [-1.0, 1.0], "step": 0.5})json"));
}

TEST(ReportJson, TuningWithoutTimes) {
  const Json json = Json::parse(to_json(tuned_report()));
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["held_out_samples"], 4);
  ASSERT_EQ(json["tuning"].size(), 2U);
  EXPECT_EQ(json["tuning"][0], Json::parse(R"json({"algorithms": "equalize", "did": "1 group scaled",
      "sqnr_db": {"before": 13.375, "after": 18.0}, "agreement": {"before": 50.0, "after": 75.0}, "undone": false,
      "notes": ["tensor 'b' is left: an output"]})json"));
  EXPECT_EQ(json["tuning"][1], Json::parse(R"json({"algorithms": "round,bias-correction", "did": "3 layers rounded",
      "sqnr_db": {"before": 18.0, "after": 17.25}, "agreement": {"before": 75.0, "after": 75.0}, "undone": true,
      "notes": []})json"));
  EXPECT_FALSE(json.contains("weight_ranges"));
}

TEST(ReportJson, WhatWasNotMeasuredIsAbsent) {
  Report report = sample();
  report.comparison->layers[0].isolated.reset();
  report.comparison->layers[0].off_by.reset();
  report.comparison->layers[0].scale = 0.0;
  report.simulated_comparison.reset();
  report.gates.clear();
  report.arithmetic.clear();
  const Json json = Json::parse(to_json(report));
  for (const char* key : {"isolated", "off_by", "scale", "rmse_in_steps", "clipped_percent"}) {
    EXPECT_FALSE(json["layers"][0].contains(key)) << key;
  }
  for (const char* key : {"simulated", "gates", "arithmetic", "ranges", "histograms", "tuning", "held_out_samples"})
    EXPECT_FALSE(json.contains(key)) << key;
}

}  // namespace
}  // namespace halfstep::report
