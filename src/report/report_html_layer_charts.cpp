// report_html_layer_charts.cpp: charts with one column a layer: SQNR, steps of difference, ranges.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "report/report_html_charts.hpp"
#include "report/report_html_columns.hpp"

namespace halfstep::report::html {
namespace {

std::size_t num_columns_of(const std::vector<PlacedLayer>& layers) {
  std::size_t most = 0;
  for (const PlacedLayer& placed : layers) most = std::max(most, placed.position);
  return most;
}

std::string layer_words(const PlacedLayer& placed) {
  const compare::TensorError& layer = *placed.layer;
  std::string words = std::to_string(placed.position) + ": " + shortened(layer.name, kLayerNameChars);
  if (!layer.op.empty()) words += " (" + layer.op + ")";
  return words;
}

const Gate* sqnr_gate(const Report& report) {
  const auto at = std::ranges::find(report.gates, std::string("min_sqnr_db"), &Gate::option);
  return at == report.gates.end() ? nullptr : &*at;
}

/// The places of the worst layers' numbers: below their points.
std::string worst_marks(const std::vector<PlacedLayer>& layers, std::size_t num_columns,
                        const std::function<double(double)>& y_of) {
  std::vector<PlacedLayer> worst = layers;
  std::ranges::stable_sort(worst, {}, [](const PlacedLayer& placed) { return placed.layer->sums.sqnr_db(); });
  std::vector<ColumnMark> marks;
  for (const PlacedLayer& placed : worst) marks.push_back({placed.position, y_of(placed.layer->sums.sqnr_db()) + 16.0});
  return column_marks(marks, num_columns);
}

constexpr std::array<const char*, compare::kNumOffByClasses> kOffByWords{"equal",  "1 step", "2 steps",
                                                                         "3 to 4", "5 to 8", "more than 8"};

double off_by_total(const compare::OffBy& off_by) {
  double total = 0.0;
  for (const std::int64_t count : off_by) total += static_cast<double>(count);
  return total;
}

/// A unit below which magnitudes do not matter: the scale of the smallest tenth of the bounds.
double range_unit(const std::vector<RangeLine>& ranges, double most) {
  std::vector<double> magnitudes;
  for (const RangeLine& range : ranges) {
    for (const double bound : {range.grid_min, range.grid_max}) {
      if (std::isfinite(bound) && bound != 0.0) magnitudes.push_back(std::abs(bound));
    }
  }
  if (magnitudes.empty()) return most;
  std::ranges::sort(magnitudes);
  return std::max(most * 1e-6, magnitudes[magnitudes.size() / 10] / 2.0);
}

}  // namespace

std::string sqnr_chart(const Report& report, const std::vector<PlacedLayer>& layers) {
  if (layers.empty()) return "";
  const Gate* gate = sqnr_gate(report);
  Bounds bounds;
  if (gate != nullptr) bounds.include(gate->threshold);
  bool has_isolated = false;
  for (const PlacedLayer& placed : layers) {
    bounds.include(placed.layer->sums.sqnr_db());
    if (!placed.layer->isolated) continue;
    has_isolated = true;
    bounds.include(placed.layer->isolated->sqnr_db());
  }
  if (bounds.is_empty()) bounds = {0.0, 10.0};
  const svg::Axis axis =
      svg::Axis::linear(5.0 * std::floor((bounds.low - 1.0) / 5.0), 5.0 * std::ceil((bounds.high + 1.0) / 5.0));
  const auto y_of = [&](double db) { return kColumnsHeight * (1.0 - axis.at(db)); };
  const std::size_t num_columns = num_columns_of(layers);
  const double radius = num_columns > 400 ? 1.5 : num_columns > 150 ? 2.2 : 3.0;

  std::string isolated_points;
  std::string whole_points;
  std::string hits;
  std::vector<std::pair<double, double>> whole_curve;
  for (const PlacedLayer& placed : layers) {
    const double x = column_centre(placed.position, num_columns);
    const double whole = placed.layer->sums.sqnr_db();
    std::string words = layer_words(placed) + ", whole network " + shown_db_unit(whole);
    if (placed.layer->isolated) {
      const double alone = placed.layer->isolated->sqnr_db();
      isolated_points += svg::circle("alone", x, y_of(alone), radius);
      words += ", this layer alone " + shown_db_unit(alone);
    }
    whole_points += svg::circle("whole", x, y_of(whole), radius);
    whole_curve.emplace_back(x, y_of(whole));
    hits += hit_column(placed.position, num_columns, words, true);
  }
  std::string body = y_grid(axis, kColumnsHeight) + svg::text("axis", 0, -8, -10, "end", "dB");
  std::vector<LegendKey> legend{{"whole", "whole network: everything upstream is quantized, too"}};
  if (has_isolated) legend.push_back({"alone", "isolated: only this layer is quantized"});
  if (gate != nullptr) {
    const double y = y_of(gate->threshold);
    body += svg::line("gate", 0, y, 1, y);
    legend.push_back({"gate", "--min_sqnr_db " + significant(gate->threshold, 6) + ", asked of the outputs"});
  }
  body += isolated_points + svg::curve("whole", whole_curve, kColumnsHeight, svg::Curve::kOpen) + whole_points;
  body += worst_marks(layers, num_columns, y_of) + x_labels(num_columns, "layer, in the order of the network") + hits;
  return figure(
      "SQNR by layer",
      "Higher is better. A layer whose isolated error is low but whose whole-network error is high only passes "
      "on what came before it.",
      legend,
      svg::drawing(kColumnsHeight, "SQNR in dB of each layer; the same figures are in the table of layers", body));
}

std::string off_by_chart(const std::vector<PlacedLayer>& layers) {
  double most = 0.0;
  bool any = false;
  for (const PlacedLayer& placed : layers) {
    if (!placed.layer->off_by) continue;
    any = true;
    const double total = off_by_total(*placed.layer->off_by);
    if (total > 0.0) most = std::max(most, 1.0 - static_cast<double>((*placed.layer->off_by)[0]) / total);
  }
  if (!any) return "";
  const svg::Axis axis = svg::Axis::linear(0.0, most > 0.0 ? 105.0 * most : 1.0);
  const std::size_t num_columns = num_columns_of(layers);
  const double width = 0.8 / static_cast<double>(num_columns);
  std::string bars;
  std::string hits;
  for (const PlacedLayer& placed : layers) {
    if (!placed.layer->off_by) continue;
    const compare::OffBy& off_by = *placed.layer->off_by;
    const double total = std::max(1.0, off_by_total(off_by));
    const double x = column_centre(placed.position, num_columns) - width / 2;
    double share = 0.0;
    std::string words = layer_words(placed);
    for (std::size_t i = 0; i < off_by.size(); ++i) {
      const double own = 100.0 * static_cast<double>(off_by[i]) / total;
      words += std::string(", ") + kOffByWords[i] + " " + significant(own, 4) + " %";
      if (i == 0 || off_by[i] == 0) continue;
      const double top = kColumnsHeight * (1.0 - axis.at(share + own));
      bars += svg::rect("off" + std::to_string(i), x, width, top, kColumnsHeight * (1.0 - axis.at(share)) - top);
      share += own;
    }
    hits += hit_column(placed.position, num_columns, words, true);
  }
  std::vector<LegendKey> legend;
  for (std::size_t i = 1; i < kOffByWords.size(); ++i) legend.push_back({"off" + std::to_string(i), kOffByWords[i]});
  const std::string body = y_grid(axis, kColumnsHeight) + svg::text("axis", 0, -8, -10, "end", "%") + bars +
                           x_labels(num_columns, "layer, in the order of the network") + hits;
  return figure(
      "Codes that differ",
      "Share of codes that differ between the integers and the float imitation, in steps of the layer's grid.", legend,
      svg::drawing(kColumnsHeight, "Share of codes that differ, by layer", body));
}

std::string range_chart(const std::vector<RangeLine>& ranges, const std::vector<PlacedLayer>& layers) {
  if (ranges.empty()) return "";
  Bounds bounds;
  for (const RangeLine& range : ranges) {
    for (const double bound : {range.min, range.max, range.grid_min, range.grid_max}) bounds.include(bound);
  }
  if (bounds.is_empty()) bounds = {0.0, 1.0};
  const double most = std::max(std::abs(bounds.low), std::abs(bounds.high));
  const double unit = range_unit(ranges, most);
  const bool is_log = most > 20.0 * unit;
  const svg::Axis axis =
      is_log ? svg::Axis::symmetric_log(bounds.low, bounds.high, unit) : svg::Axis::linear(bounds.low, bounds.high);
  std::unordered_set<std::size_t> in_table;
  for (const PlacedLayer& placed : layers) in_table.insert(placed.position);

  const auto bar = [&](const char* css_class, double x, double width, double low, double high, double min_height) {
    if (!(low < high)) return std::string();
    const double top = kColumnsHeight * (1.0 - axis.at(high));
    const double height = kColumnsHeight * (1.0 - axis.at(low)) - top;
    // Less than half a pixel outside the grid is rounding, not clipping.
    if (height < 0.5 && min_height == 0.0) return std::string();
    return svg::rect(css_class, x - width / 2, width, top, std::max(min_height, height));
  };
  const double column = 1.0 / static_cast<double>(ranges.size());
  std::string bars;
  std::string hits;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const RangeLine& range = ranges[i];
    const double x = column_centre(i + 1, ranges.size());
    bars += bar("grid-range", x, 0.86 * column, range.grid_min, range.grid_max, 1.0);
    bars += bar("value-range", x, 0.4 * column, std::max(range.min, range.grid_min),
                std::min(range.max, range.grid_max), 1.0);
    bars += bar("outside", x, 0.4 * column, range.min, std::min(range.max, range.grid_min), 0.0);
    bars += bar("outside", x, 0.4 * column, std::max(range.min, range.grid_max), range.max, 0.0);
    hits += hit_column(i + 1, ranges.size(),
                       std::to_string(i + 1) + ": " + shortened(range.name, kLayerNameChars) + ", values " +
                           significant(range.min, 5) + " to " + significant(range.max, 5) + ", grid " +
                           significant(range.grid_min, 5) + " to " + significant(range.grid_max, 5),
                       in_table.contains(i + 1));
  }
  const std::string body =
      y_grid(axis, kColumnsHeight) + bars + x_labels(ranges.size(), "tensor, in the order of the network") + hits;
  return figure(
      "Activation ranges by layer",
      std::string("What the values of the float model span over the first samples, against what the grid can hold.") +
          (is_log ? " Logarithmic scale on both sides of zero." : ""),
      {{"value-range", "values, inside the grid"}, {"outside", "values outside: clipped"}, {"grid-range", "grid"}},
      svg::drawing(kColumnsHeight, "Range of the values and of the grid, by layer", body));
}

}  // namespace halfstep::report::html
