// report_html_charts.hpp: the charts of the HTML report, each a <figure> with inline SVG.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.hpp"
#include "report/report_text.hpp"
#include "report/svg.hpp"

namespace halfstep::report::html {

/// One entry of a legend: a CSS class that colours the swatch, and words.
struct LegendKey {
  std::string swatch;
  std::string words;
};

/// A chart with its heading, a remark (HTML), its legend and the drawing.
std::string figure(const std::string& title, const std::string& remark, const std::vector<LegendKey>& legend,
                   const std::string& drawing);

/// Height of the drawing in a small chart, in pixels.
inline constexpr double kSmallHeight = 110.0;
/// Names in small charts are cut to so many characters.
inline constexpr std::size_t kSmallNameChars = 56;
/// A small chart on a phone shows no more columns than that.
inline constexpr std::size_t kMaxSmallColumns = 128;

/// A small chart under the name of its tensor, with a remark (HTML); several stand side by side in a `div.smalls`.
std::string small_figure(std::string_view title, const std::string& remark, const std::string& drawing);

/// Horizontal lines and labels at the axis' ticks over a chart of `height` pixels.
std::string y_grid(const svg::Axis& axis, double height);

/// SQNR by layer in network order, whole network and isolated, with the line of --min_sqnr_db.
std::string sqnr_chart(const Report& report, const std::vector<PlacedLayer>& layers);

/// Shares of codes that differ between fixed point and simulation, stacked by layer. "" where none was counted.
std::string off_by_chart(const std::vector<PlacedLayer>& layers);

/// Range of the values against range of the grid, by tensor in network order. "" without ranges.
std::string range_chart(const std::vector<RangeLine>& ranges, const std::vector<PlacedLayer>& layers);

/// Weights of each channel as boxes, a small chart for each weight. "" without weights.
std::string weight_charts(const std::vector<WeightBoxes>& weights);

/// Largest weight of each channel before and after, on a logarithmic scale: a small chart for each of the weights whose
/// channels differed most. "" without weights.
std::string weight_range_charts(const std::vector<WeightRanges>& weights);

/// Histograms with their grids, a small chart for each tensor; `of` says whose values: "Values of ...". "" without
/// histograms.
std::string histogram_charts(const std::vector<TensorHistogram>& histograms, const char* of);

}  // namespace halfstep::report::html
