// report_html.cpp: reports as one self-contained HTML page.
#include <algorithm>
#include <cmath>

#include "report/report.hpp"
#include "report/report_html_charts.hpp"
#include "report/report_html_page.hpp"
#include "report/report_html_pictures.hpp"
#include "report/report_html_tables.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

std::string header(const Report& report) {
  const std::size_t failed = num_failed(report.gates);
  std::string out = "<header><div><h1>Quantization of " + escaped(file_name(report.model)) + "</h1><p class=\"sub\">";
  out += report.mode == "simulated" ? "Simulated quantization"
         : report.mode == "both"    ? "Fixed point and simulated"
                                    : "Fixed point";
  if (!report.arithmetic.empty()) out += ", arithmetic <code>" + escaped(report.arithmetic) + "</code>";
  if (report.comparison) out += ", " + counted(report.comparison->num_samples, "sample");
  out += "</p></div>";
  if (!report.gates.empty()) {
    out += failed == 0 ? "<p class=\"verdict pass\">" +
                             counted(static_cast<std::int64_t>(report.gates.size()), "gate") + " passed"
                       : "<p class=\"verdict fail\">" + std::to_string(failed) + " of " +
                             counted(static_cast<std::int64_t>(report.gates.size()), "gate") + " failed";
    out += "</p>";
  }
  return out + "</header>\n";
}

std::string top_tile(const char* label, const std::optional<compare::TopK>& top_k) {
  if (!top_k) return "";
  return html::tile(label, decimals(top_k->other_percent, 2) + " %",
                    "float " + decimals(top_k->reference_percent, 2) + " %, drop " + decimals(top_k->drop(), 2));
}

std::string tiles(const Report& report) {
  std::string out;
  if (report.comparison) {
    const compare::Comparison& comparison = *report.comparison;
    out += top_tile("top-1, quantized", comparison.top1) + top_tile("top-5, quantized", comparison.top5) +
           top_tile("mean IoU, quantized", comparison.miou);
    if (comparison.top1_agreement_percent) {
      out += html::tile("same top-1 as float", decimals(*comparison.top1_agreement_percent, 2) + " %",
                        "of the samples, output <code>" + escaped(shortened(comparison.classes_of, 40)) + "</code>");
    }
    const auto worst = std::ranges::min_element(
        comparison.outputs, {}, [](const compare::TensorError& output) { return output.sums.sqnr_db(); });
    if (worst != comparison.outputs.end()) {
      out +=
          html::tile(comparison.outputs.size() == 1 ? "SQNR of the output" : "SQNR of the worst output",
                     shown_db_unit(worst->sums.sqnr_db()), "<code>" + escaped(shortened(worst->name, 40)) + "</code>");
    }
  }
  for (const auto& [name, values] : other_metrics(report)) {
    out += html::tile(escaped(name), significant(values.second, 6), "float " + significant(values.first, 6));
  }
  if (report.quantized_model_bytes > 0) {
    out += html::tile("model size", shown_bytes(report.quantized_model_bytes),
                      "float " + shown_bytes(report.float_model_bytes));
  }
  return html::tile_list(out);
}

std::string facts(const Report& report) {
  std::string out = "<div class=\"panel\"><dl class=\"facts\">\n" + html::path_fact("float model", report.model) +
                    html::path_fact("quantized model", report.quantized) +
                    html::path_fact("samples", report.input_list);
  if (report.preprocess) out += html::path_fact("preprocessing", report.preprocess->name);
  if (report.num_calibration_samples > 0)
    out += html::fact("calibration", counted(report.num_calibration_samples, "sample"));
  out += html::fact("mode", escaped(report.mode)) + html::fact("arithmetic", escaped(report.arithmetic));
  out += html::fact("encodings", std::to_string(report.num_activation_encodings) + " activations, " +
                                     std::to_string(report.num_weight_encodings) + " weights, " +
                                     std::to_string(report.num_bias_encodings) + " biases");
  std::string coverage;
  for (const auto& [kind, count] : report.coverage) {
    if (count > 0) coverage += (coverage.empty() ? "" : ", ") + std::to_string(count) + " " + coverage_words(kind);
  }
  if (!coverage.empty()) out += html::fact("coverage", escaped(coverage));
  out += "</dl>";
  if (!report.options.empty()) {
    out += "<details><summary>Options</summary><dl class=\"facts\">\n";
    for (const auto& [name, value] : report.options) {
      out += "<dt><code>--" + escaped(name) + "</code></dt><dd>" + escaped(value) + "</dd>\n";
    }
    out += "</dl></details>";
  }
  return out + "</div>\n";
}

std::vector<html::Section> sections(const Report& report) {
  const std::vector<PlacedLayer> layers = in_network_order(report);
  const Charts charts = report.charts.value_or(Charts{});
  std::vector<html::Section> all;
  all.push_back({"gates", "Gates", html::gate_table(report)});
  all.push_back({"metrics", "Metrics", html::metric_table(report)});
  all.push_back({"diagnosis", "Diagnosis", html::diagnosis_panel(report)});
  all.push_back({"outputs", "Outputs", html::output_table(report)});
  all.push_back({"layers", "Layers", html::sqnr_chart(report, layers) + html::layer_table(layers)});
  all.push_back(
      {"algorithms", "Algorithms", html::tuning_table(report) + html::weight_range_charts(report.weight_ranges)});
  all.push_back({"mixed-precision", "Mixed precision", html::mixed_precision_panel(report)});
  all.push_back({"fixed-point", "Fixed point against simulated", html::off_by_chart(layers)});
  all.push_back({"activations", "Activations",
                 html::range_chart(charts.activation_ranges, layers) +
                     html::histogram_charts(charts.histograms, "Values of the float model over the first samples")});
  all.push_back({"ranges", "Ranges",
                 html::range_tables(report.ranges) +
                     html::histogram_charts(report.histograms, "Values of the float model that calibration saw")});
  all.push_back({"weights", "Weights", html::weight_charts(charts.weights)});
  all.push_back({"samples", "Samples", html::pictures(report)});
  all.push_back({"islands", "Float islands", html::island_table(report.float_islands)});
  all.push_back({"warnings", "Warnings", html::warning_list(report.warnings)});
  all.push_back({"run", "About this run", facts(report)});
  return all;
}

}  // namespace

std::string to_html(const Report& report) {
  return html::page("Quantization of " + file_name(report.model), header(report) + tiles(report), sections(report),
                    report.tool_version);
}

}  // namespace halfstep::report
