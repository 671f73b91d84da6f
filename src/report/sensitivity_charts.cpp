// sensitivity_charts.cpp: the charts of a sensitivity report's page.
#include "report/sensitivity_charts.hpp"

#include <algorithm>
#include <cmath>

#include "report/report_html_charts.hpp"
#include "report/report_html_columns.hpp"

namespace halfstep::report::html {
namespace {

/// What the tool reports where an output is exact, and for the opposite; the scale does not reach there.
constexpr double kLimitDb = 200.0;

/// Layers from this many dB of the chart's span on are worth a number.
constexpr double kMarkedShare = 0.2;

std::string group_words(const GroupSensitivity& group, std::size_t position) {
  std::string words = std::to_string(position) + ": " + shortened(group.name, kLayerNameChars);
  if (!group.op.empty()) words += " (" + group.op + ")";
  return words;
}

double radius_for(std::size_t num_columns) { return num_columns > 400 ? 1.5 : num_columns > 150 ? 2.2 : 3.0; }

void include_db(const std::optional<OutputScore>& figures, Bounds& bounds) {
  if (figures && std::abs(figures->sqnr_db) < kLimitDb) bounds.include(figures->sqnr_db);
}

std::string db_words(const char* what, const std::optional<OutputScore>& figures) {
  return figures ? std::string(", ") + what + " " + shown_db_unit(figures->sqnr_db) : "";
}

const char* const kXTitle = "layer, in the order of the network";

}  // namespace

std::string only_chart(const SensitivityReport& report) {
  Bounds bounds;
  bool has_parts = false;
  bool is_empty = true;
  for (const GroupSensitivity& group : report.groups) {
    for (const auto* figures : {&group.only.both, &group.only.weights, &group.only.activations}) {
      include_db(*figures, bounds);
      is_empty = is_empty && !figures->has_value();
    }
  }
  if (is_empty) return "";
  include_db(report.whole.both, bounds);
  if (bounds.is_empty()) bounds = {0.0, 10.0};
  const svg::Axis axis =
      svg::Axis::linear(5.0 * std::floor((bounds.low - 1.0) / 5.0), 5.0 * std::ceil((bounds.high + 1.0) / 5.0));
  const auto y_of = [&](double db) { return kColumnsHeight * (1.0 - axis.at(db)); };
  const std::size_t num_columns = report.groups.size();
  const double radius = radius_for(num_columns);
  std::string spans;
  std::string points;
  std::string hits;
  std::vector<std::pair<double, std::size_t>> worst;
  for (std::size_t g = 0; g < num_columns; ++g) {
    const PartScores& only = report.groups[g].only;
    const double x = column_centre(g + 1, num_columns);
    // Where there is one part only, the layer is that part.
    if (only.weights && only.activations) {
      has_parts = true;
      spans += svg::line("span", x, y_of(only.weights->sqnr_db), x, y_of(only.activations->sqnr_db));
      points += svg::circle("weights", x, y_of(only.weights->sqnr_db), radius) +
                svg::circle("alone", x, y_of(only.activations->sqnr_db), radius);
    }
    if (only.both) {
      points += svg::circle("whole", x, y_of(only.both->sqnr_db), radius);
      worst.emplace_back(only.both->sqnr_db, g + 1);
    }
    hits +=
        hit_column(g + 1, num_columns,
                   group_words(report.groups[g], g + 1) + db_words("only this layer", only.both) +
                       db_words("only its weights", only.weights) + db_words("only its activations", only.activations),
                   true);
  }
  std::ranges::sort(worst);
  std::vector<ColumnMark> marks;
  for (const auto& [db, position] : worst) marks.push_back({position, y_of(db) + 16.0});
  std::vector<LegendKey> legend{{"whole", "the layer: weights and activations"}};
  if (has_parts) {
    legend.push_back({"weights", "its weights only"});
    legend.push_back({"alone", "its activations only"});
  }
  std::string body = y_grid(axis, kColumnsHeight) + svg::text("axis", 0, -8, -10, "end", "dB");
  if (report.whole.both) {
    const double y = y_of(report.whole.both->sqnr_db);
    body += svg::line("level", 0, y, 1, y);
    legend.push_back({"level", "everything quantized: " + shown_db_unit(report.whole.both->sqnr_db)});
  }
  body += spans + points + column_marks(marks, num_columns) + x_labels(num_columns, kXTitle) + hits;
  return figure(
      "Only this layer quantized",
      "SQNR of the model's outputs while everything else computes in float. Lower is worse.", legend,
      svg::drawing(kColumnsHeight,
                   "SQNR in dB of the outputs with one layer quantized, by layer; the table has the figures", body));
}

std::string gain_chart(const SensitivityReport& report) {
  if (!report.whole.both) return "";
  Bounds bounds;
  bounds.include(0.0);
  std::vector<std::pair<double, std::size_t>> gains;
  for (std::size_t g = 0; g < report.groups.size(); ++g) {
    if (!report.groups[g].all_but.both) continue;
    gains.emplace_back(report.groups[g].gain_db(*report.whole.both), g + 1);
    bounds.include(gains.back().first);
  }
  if (gains.empty()) return "";
  const double margin = 0.08 * (bounds.high - bounds.low);
  const svg::Axis axis =
      svg::Axis::linear(bounds.low < 0.0 ? bounds.low - margin : 0.0, bounds.high > 0.0 ? bounds.high + margin : 0.0);
  const auto y_of = [&](double gain) { return kColumnsHeight * (1.0 - axis.at(gain)); };
  const std::size_t num_columns = report.groups.size();
  const double width = 0.7 / static_cast<double>(num_columns);
  std::string bars;
  std::string hits;
  bool has_losses = false;
  for (const auto& [gain, position] : gains) {
    const GroupSensitivity& group = report.groups[position - 1];
    const double top = std::min(y_of(gain), y_of(0.0));
    const double height = std::abs(y_of(gain) - y_of(0.0));
    has_losses = has_losses || gain < 0.0;
    bars += svg::rect(gain < 0.0 ? "loss" : "gain", column_centre(position, num_columns) - width / 2, width, top,
                      std::max(1.0, height));
    hits += hit_column(position, num_columns,
                       group_words(group, position) + ", gain " + decimals(gain, 2) + " dB" +
                           db_words("without it", group.all_but.both),
                       true);
  }
  std::ranges::stable_sort(gains, std::greater<>());
  std::vector<ColumnMark> marks;
  for (const auto& [gain, position] : gains) {
    if (gain > kMarkedShare * bounds.high) marks.push_back({position, y_of(gain) - 5.0});
  }
  std::vector<LegendKey> legend{{"gain", "the outputs get better without its quantization"}};
  if (has_losses) legend.push_back({"loss", "they get worse: its error cancels others"});
  const std::string body = y_grid(axis, kColumnsHeight) + svg::text("axis", 0, -8, -10, "end", "dB") + bars +
                           column_marks(marks, num_columns) + x_labels(num_columns, kXTitle) + hits;
  return figure("Gain without this layer's quantization",
                "What the SQNR of the outputs gains when this layer computes in float and everything else stays "
                "quantized. The highest bar is the layer to mend first.",
                legend, svg::drawing(kColumnsHeight, "Gain in dB by layer; the table has the figures", body));
}

}  // namespace halfstep::report::html
