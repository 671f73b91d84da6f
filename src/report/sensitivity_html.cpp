// sensitivity_html.cpp: a sensitivity report as one self-contained HTML page.
#include <algorithm>

#include "report/report_html_cells.hpp"
#include "report/report_html_page.hpp"
#include "report/report_text.hpp"
#include "report/sensitivity_charts.hpp"
#include "report/sensitivity_report.hpp"
#include "report/sensitivity_text.hpp"

namespace halfstep::report {
namespace {

constexpr std::size_t kTileNameChars = 40;

std::string header(const SensitivityReport& report) {
  return "<header><div><h1>Sensitivity of " + escaped(file_name(report.model)) +
         "</h1><p class=\"sub\">What each layer's quantization costs. Fixed point, arithmetic <code>" +
         escaped(report.arithmetic) + "</code>, " + counted(report.num_samples, "sample") + ", " +
         counted(static_cast<std::int64_t>(report.groups.size()), "layer") + "</p></div></header>\n";
}

std::string tiles(const SensitivityReport& report, const Measure& measure) {
  std::string out;
  const bool has_float = measure.member != nullptr && (report.float_figures.*(measure.member)).has_value();
  if (has_float && measure.member != &OutputScore::agreement_percent) {
    out += html::tile("float model", measured(measure, report.float_figures, 2) + measure.unit, measure.words);
  }
  const auto form = [&](const char* label, const std::optional<OutputScore>& figures) {
    if (!figures) return;
    const std::string other = measured(measure, figures, 2);
    out += html::tile(label, shown_db_unit(figures->sqnr_db),
                      other.empty() ? "SQNR of the outputs" : measure.words + (" " + other) + measure.unit);
  };
  form("everything quantized", report.whole.both);
  form("all weights quantized", report.whole.weights);
  form("all activations quantized", report.whole.activations);
  const std::vector<std::size_t> order = by_cost(report);
  if (!order.empty()) {
    const GroupSensitivity& dearest = report.groups[order.front()];
    const std::string name = "<code>" + escaped(shortened(dearest.name, kTileNameChars)) + "</code>";
    if (dearest.all_but.both && report.whole.both) {
      out += html::tile("largest gain", decimals(dearest.gain_db(*report.whole.both), 2) + " dB", "without " + name);
    } else {
      out += html::tile("worst layer alone", shown_db_unit(dearest.only.both->sqnr_db), "only " + name);
    }
  }
  return html::tile_list(out);
}

/// Which figures the table has.
struct Columns {
  bool all_but = false;
  bool only = false;
  bool parts = false;
  bool gain = false;
  Measure measure;
};

std::vector<html::Column> columns_of(const Columns& shown) {
  std::vector<html::Column> columns{
      {"#", true, "position in the network, as in the charts"}, {"layer", false, ""}, {"operator", false, ""}};
  const auto direction = [&](bool is_shown, const char* both, const char* explanation, const char* weights,
                             const char* activations) {
    if (!is_shown) return;
    columns.push_back({both, true, explanation});
    if (shown.parts) {
      columns.push_back({weights, true, ""});
      columns.push_back({activations, true, ""});
    }
    if (shown.measure.member != nullptr) columns.push_back({shown.measure.head, true, explanation});
  };
  if (shown.gain) {
    columns.push_back({"gain dB", true, "what the SQNR of the outputs gains when this layer alone is not quantized"});
  }
  direction(shown.all_but, "without it dB", "everything is quantized but this layer", "without its weights",
            "without its activations");
  direction(shown.only, "only it dB", "nothing is quantized but this layer", "only its weights",
            "only its activations");
  columns.push_back({"parameters", true, "elements of its weights"});
  columns.push_back({"MACs", true, "multiply-accumulates, one sample"});
  return columns;
}

std::string db_cell(const std::optional<OutputScore>& figures) {
  return html::figure_cell(figures ? shown_db(figures->sqnr_db) : "", figures ? figures->sqnr_db : 0.0);
}

std::string count_cell(std::int64_t count) {
  return html::figure_cell(count > 0 ? shown_count(count) : "", static_cast<double>(count));
}

std::string direction_cells(const PartScores& figures, bool is_shown, const Columns& shown) {
  if (!is_shown) return "";
  std::string cells = db_cell(figures.both);
  if (shown.parts) cells += db_cell(figures.weights) + db_cell(figures.activations);
  if (shown.measure.member != nullptr) {
    const std::string text = measured(shown.measure, figures.both, 2);
    cells += html::figure_cell(text, text.empty() ? 0.0 : *((*figures.both).*(shown.measure.member)));
  }
  return cells;
}

std::string layer_table(const SensitivityReport& report, const Measure& measure) {
  if (report.groups.empty()) return "";
  Columns shown;
  shown.measure = measure;
  for (const GroupSensitivity& group : report.groups) {
    shown.all_but = shown.all_but || group.all_but.both;
    shown.only = shown.only || group.only.both;
    shown.parts = shown.parts || group.all_but.weights || group.all_but.activations || group.only.weights ||
                  group.only.activations;
  }
  shown.gain = shown.all_but && report.whole.both;
  std::vector<std::size_t> order = by_cost(report);
  for (std::size_t g = 0; g < report.groups.size(); ++g) {
    if (std::ranges::find(order, g) == order.end()) order.push_back(g);
  }
  std::string rows;
  for (const std::size_t g : order) {
    const GroupSensitivity& group = report.groups[g];
    const std::string position = std::to_string(g + 1);
    rows += "<tr id=\"layer-" + position + "\">" + html::figure_cell(position, static_cast<double>(g + 1)) +
            html::name_cell(group.name) + "<td class=\"op\">" + (group.op.empty() ? "(input)" : escaped(group.op)) +
            "</td>";
    if (shown.gain) {
      const bool has_gain = group.all_but.both.has_value();
      const double gain = has_gain ? group.gain_db(*report.whole.both) : 0.0;
      rows += html::figure_cell(has_gain ? decimals(gain, 2) : "", gain);
    }
    rows += direction_cells(group.all_but, shown.all_but, shown) + direction_cells(group.only, shown.only, shown) +
            count_cell(group.num_weights) + count_cell(group.macs) + "</tr>\n";
  }
  return html::table("layers sortable", "Layers", columns_of(shown), rows, shown.gain ? "gain dB" : "only it dB",
                     shown.gain ? html::Sorted::kDescending : html::Sorted::kAscending);
}

std::string facts(const SensitivityReport& report) {
  return "<div class=\"panel\"><dl class=\"facts\">\n" + html::path_fact("float model", report.model) +
         html::path_fact("quantized model", report.quantized) + html::path_fact("samples", report.input_list) +
         html::fact("used of them", counted(report.num_samples, "sample")) +
         html::fact("arithmetic", escaped(report.arithmetic)) +
         html::fact("layers", counted(static_cast<std::int64_t>(report.groups.size()), "layer") +
                                  ", each with the activation behind it; inputs and Concats on one grid count as "
                                  "layers of their own") +
         "</dl></div>\n";
}

}  // namespace

std::string to_html(const SensitivityReport& report) {
  const Measure measure = measure_of(report);
  const std::vector<html::Section> sections{
      {"layers", "Layers", html::gain_chart(report) + html::only_chart(report) + layer_table(report, measure)},
      {"warnings", "Warnings", html::warning_list(report.warnings)},
      {"run", "About this run", facts(report)}};
  return html::page("Sensitivity of " + file_name(report.model), header(report) + tiles(report, measure), sections,
                    report.tool_version);
}

}  // namespace halfstep::report
