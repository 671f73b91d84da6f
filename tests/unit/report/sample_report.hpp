// sample_report.hpp: a small report by hand, for the tests of the writers.
#pragma once

#include <string>

#include "report/report.hpp"

namespace halfstep::report {

/// 100 values of which the reference has power 1 and the error `error_power`; SQNR is -10 log10(error_power).
inline compare::ErrorSums sums_of(double error_power) {
  compare::ErrorSums sums;
  sums.count = 100;
  sums.reference_squared = 100.0;
  sums.other_squared = 100.0;
  sums.product = 100.0 * (1.0 - error_power / 2);
  sums.error_squared = 100.0 * error_power;
  sums.max_abs_error = 0.5;
  return sums;
}

inline compare::TensorError tensor_of(const std::string& name, double error_power) {
  compare::TensorError tensor;
  tensor.name = name;
  tensor.op = "Conv";
  tensor.sums = sums_of(error_power);
  return tensor;
}

/// One output of 20 dB, two layers (10 dB "b", 30 dB "a"; the network computes a, then b), one failed gate of two.
inline Report sample_report() {
  Report report;
  report.kind = "eval";
  report.tool_version = "1.2.3";
  report.model = "models/net.onnx";
  report.quantized = "out/net.quantized.onnx";
  report.input_list = "eval.txt";
  report.mode = "fixed";
  report.arithmetic = "q31_single";
  compare::Comparison comparison;
  comparison.num_samples = 4;
  comparison.top1 = compare::TopK{75.0, 50.0};
  comparison.outputs = {tensor_of("logits", 0.01)};
  comparison.layers = {tensor_of("b", 0.1), tensor_of("a", 0.001)};
  comparison.layers[0].isolated = sums_of(0.01);
  comparison.layers[0].scale = 0.5;
  comparison.layers[0].num_clipped = 1;
  comparison.layers[0].off_by = compare::OffBy{90, 6, 3, 1, 0, 0};
  report.comparison = comparison;
  report.gates = {{"min_sqnr_db", "SQNR of output 'logits'", "dB", 15.0, 20.0, true, 0.0},
                  {"min_top1", "top-1 of the quantized model", "%", 70.0, 50.0, false, 20.0}};
  Charts charts;
  charts.activation_ranges = {{"a", -1.0, 2.0, -1.0, 2.0}, {"b", -100.0, 3.0, -50.0, 3.0}};
  charts.weights = {{"w", "node 'conv' (Conv)", {{-1.0, -0.5, 0.0, 0.5, 1.0}, {-4.0, -2.0, 0.0, 2.0, 4.0}}}};
  charts.histograms = {{"b", -2.0, 1.0, {1, 10, 10, 0}, -1.0, 1.0, 0.5}};
  report.charts = charts;
  return report;
}

/// The same as quantize reports it: no charts, but ranges of "a" (one grid, nothing known of clipping), "b" and "w".
inline Report quantize_report() {
  Report report = sample_report();
  report.kind = "quantize";
  report.charts.reset();
  TensorRange a;
  a.name = "a";
  a.min = -1.0;
  a.max = 2.0;
  a.grid_min = -1.5;
  a.grid_max = 1.5;
  a.by = "calibrated (mean-minmax)";
  a.num_values = 48;
  TensorRange b = a;
  b.name = "b";
  b.by = "calibrated (mse, by channel)";
  b.clipped_percent = 0.125;
  b.num_channels = 16;
  TensorRange w = b;
  w.name = "w";
  w.role = RangeRole::kWeight;
  w.by = "from its values";
  w.clipped_percent = 0.0;
  report.ranges = {a, b, w};
  report.histograms = {{"b", -2.0, 1.0, {1, 10, 10, 0}, -1.0, 1.0, 0.5, 0.125}};
  report.activation_order = {"a", "softmax", "b"};
  return report;
}

/// The same with an algorithm that won and one that was undone; "w" has two channels.
inline Report tuned_report() {
  Report report = quantize_report();
  report.num_held_out = 4;
  TuningStep equalized;
  equalized.algorithms = "equalize";
  equalized.did = "1 group scaled";
  equalized.notes = {"tensor 'b' is left: an output"};
  equalized.sqnr_before_db = 13.375;
  equalized.sqnr_after_db = 18.0;
  equalized.agreement_before = 50.0;
  equalized.agreement_after = 75.0;
  equalized.seconds = 1.5;
  TuningStep swept;
  swept.algorithms = "round,bias-correction";
  swept.did = "3 layers rounded";
  swept.sqnr_before_db = 18.0;
  swept.sqnr_after_db = 17.25;
  swept.agreement_before = swept.agreement_after = 75.0;
  swept.undone = true;
  report.tuning = {equalized, swept};
  report.weight_ranges = {{"w", "node 'conv' (Conv)", {0.01, 20.0}, {0.5, 1.0}}};
  return report;
}

}  // namespace halfstep::report
