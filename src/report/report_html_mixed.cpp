// report_html_mixed.cpp: the curve of a search for mixed precision, and the layers that it made wider.
#include <algorithm>
#include <cmath>

#include "report/report_html_cells.hpp"
#include "report/report_html_charts.hpp"
#include "report/report_html_columns.hpp"
#include "report/report_html_tables.hpp"

namespace halfstep::report::html {
namespace {

constexpr double kPointRadius = 4.0;
/// Above it nothing worth seeing happens: all layers are float.
constexpr double kHighestDb = 80.0;

std::string curve_chart(const MixedPrecision& found) {
  if (found.curve.size() < 2) return "";
  Bounds cost;
  Bounds db;
  for (const MixedPrecisionPoint& point : found.curve) {
    cost.include(point.cost_factor);
    if (point.predicted_sqnr_db) db.include(std::min(*point.predicted_sqnr_db, kHighestDb));
    if (point.sqnr_db) db.include(std::min(*point.sqnr_db, kHighestDb));
  }
  const svg::Axis x_axis = svg::Axis::linear(cost.low, cost.high);
  const svg::Axis y_axis =
      svg::Axis::linear(5.0 * std::floor((db.low - 1.0) / 5.0), 5.0 * std::ceil((db.high + 1.0) / 5.0));
  const auto x_of = [&](const MixedPrecisionPoint& point) { return x_axis.at(point.cost_factor); };
  const auto y_of = [&](double value) { return kColumnsHeight * (1.0 - y_axis.at(std::min(value, kHighestDb))); };
  std::vector<std::pair<double, double>> line;
  std::string points;
  for (const MixedPrecisionPoint& point : found.curve) {
    if (point.predicted_sqnr_db) line.emplace_back(x_of(point), y_of(*point.predicted_sqnr_db));
    if (point.sqnr_db) {
      points += svg::circle(point.chosen ? "whole" : "alone", x_of(point), y_of(*point.sqnr_db), kPointRadius);
    }
  }
  std::string labels;
  for (const double tick : x_axis.ticks()) {
    labels += svg::text("axis", x_axis.at(tick), 0, kColumnsHeight + 16, "middle", significant(tick, 3));
  }
  labels += svg::text("axis", 0.5, 0, kColumnsHeight + 34, "middle", found.counts + ", of the narrowest model's");
  return figure(
      "Cost and error", "Each step of the line makes one layer wider. Circles are models that were made and run.",
      {{"median", "expected"}, {"alone", "measured"}, {"whole", "measured, chosen"}},
      svg::drawing(kColumnsHeight, "SQNR in dB of the outputs by " + found.counts + "; the table has the figures",
                   y_grid(y_axis, kColumnsHeight) + svg::text("axis", 0, -8, -10, "end", "dB") +
                       svg::curve("whole", line, kColumnsHeight, svg::Curve::kOpen) + points + labels));
}

std::string curve_table(const MixedPrecision& found) {
  std::string rows;
  for (const MixedPrecisionPoint& point : found.curve) {
    const auto figure = [](const std::optional<double>& value, int count) {
      return figure_cell(value ? decimals(*value, count) : "", value.value_or(0.0));
    };
    rows += "<tr>" + figure_cell(std::to_string(point.num_changed), static_cast<double>(point.num_changed)) +
            text_cell(point.layer) + figure_cell(decimals(point.cost_factor, 2), point.cost_factor) +
            figure(point.predicted_sqnr_db, 1) + figure(point.sqnr_db, 2) + figure(point.drop, 2) +
            text_cell(point.chosen ? "chosen" : "") + "</tr>\n";
  }
  return table("mixed", "The curve",
               {{"layers wider", true, ""},
                {"changed last", false, ""},
                {found.counts.c_str(), true, "Of the narrowest model's"},
                {"expected dB", true, "Of the outputs, from what layers do alone"},
                {"measured dB", true, ""},
                {"drop", true, "Percentage points of accuracy lost"},
                {"", false, ""}},
               rows);
}

std::string layer_rows(const MixedPrecision& found) {
  std::vector<Column> columns{{"layer", false, ""}, {"operator", false, ""}, {"chosen", false, ""}};
  for (const std::string& candidate : found.candidates) {
    columns.push_back({candidate.c_str(), true, "SQNR in dB of the outputs with only this layer quantized, so wide"});
  }
  std::string rows;
  for (const LayerWidth& layer : found.layers) {
    if (layer.candidate == found.candidates.front()) continue;
    rows += "<tr>" + name_cell(layer.name) + text_cell(layer.op) + text_cell(layer.candidate);
    for (const std::optional<double>& db : layer.sqnr_db) {
      rows += figure_cell(!db ? "" : *db >= kHighestDb ? "exact" : decimals(*db, 1), db.value_or(0.0));
    }
    rows += "</tr>\n";
  }
  return rows.empty() ? "" : table("mixed", "Layers wider than the model", columns, rows);
}

}  // namespace

std::string mixed_precision_panel(const Report& report) {
  if (!report.mixed_precision || report.mixed_precision->curve.empty()) return "";
  const MixedPrecision& found = *report.mixed_precision;
  return curve_chart(found) + layer_rows(found) + curve_table(found);
}

}  // namespace halfstep::report::html
