// report_html_columns.cpp: what charts have in common, those with one column a layer above all.
#include "report/report_html_columns.hpp"

#include <algorithm>

#include "report/report_html_cells.hpp"
#include "report/report_html_charts.hpp"

namespace halfstep::report::html {
namespace {

constexpr int kNumXTicks = 8;
/// How many columns carry their number in the drawing.
constexpr std::size_t kNumMarked = 3;
/// Numbers closer than this share of the width collide on a phone.
constexpr double kMarkWidth = 0.08;

}  // namespace

std::string figure(const std::string& title, const std::string& remark, const std::vector<LegendKey>& legend,
                   const std::string& drawing) {
  std::string out = "<figure class=\"chart\"><figcaption><h3>" + title + "</h3>";
  if (!remark.empty()) out += "<p class=\"remark\">" + remark + "</p>";
  if (!legend.empty()) {
    out += "<ul class=\"legend\">";
    for (const LegendKey& key : legend) {
      out += "<li><i class=\"swatch " + key.swatch + "\"></i>" + escaped(key.words) + "</li>";
    }
    out += "</ul>";
  }
  return out + "</figcaption><div class=\"plot-box\">" + drawing + "</div></figure>\n";
}

std::string small_figure(std::string_view title, const std::string& remark, const std::string& drawing) {
  return "<figure class=\"small\"><figcaption><h4 title=\"" + escaped(title) + "\">" +
         breakable(shortened(title, kSmallNameChars)) + "</h4><p class=\"remark\">" + remark +
         "</p></figcaption><div class=\"plot-box\">" + drawing + "</div></figure>\n";
}

std::string y_grid(const svg::Axis& axis, double height) {
  std::string out;
  for (const double tick : axis.ticks()) {
    const double y = height * (1.0 - axis.at(tick));
    out += svg::line(tick == 0.0 ? "zero" : "grid", 0, y, 1, y);
    out += svg::text("tick", 0, -8, y + 4, "end", significant(tick, 6));
  }
  return out;
}

double column_centre(std::size_t position, std::size_t num_columns) {
  return (static_cast<double>(position) - 0.5) / static_cast<double>(num_columns);
}

std::string x_labels(std::size_t num_columns, const std::string& title) {
  std::string out;
  const double step = std::max(1.0, svg::round_step(static_cast<double>(num_columns), kNumXTicks));
  const auto stride = static_cast<std::size_t>(step);
  for (std::size_t i = stride; i <= num_columns; i += stride) {
    out += svg::text("tick", column_centre(i, num_columns), 0, kColumnsHeight + 16, "middle", std::to_string(i));
  }
  return out + svg::text("axis", 0.5, 0, kColumnsHeight + 34, "middle", title);
}

std::string hit_column(std::size_t position, std::size_t num_columns, const std::string& words, bool in_table) {
  const double width = 1.0 / static_cast<double>(num_columns);
  std::string out = "<rect class=\"hit\" x=\"" + svg::percent(width * static_cast<double>(position - 1)) +
                    "\" y=\"0\" width=\"" + svg::percent(width) + "\" height=\"" + svg::pixels(kColumnsHeight) +
                    "\"><title>" + escaped(words) + "</title></rect>";
  if (!in_table) return out;
  return "<a href=\"#layer-" + std::to_string(position) + "\" tabindex=\"-1\">" + out + "</a>";
}

std::string column_marks(const std::vector<ColumnMark>& marks, std::size_t num_columns) {
  std::vector<double> taken;
  std::string out;
  for (std::size_t i = 0; i < std::min(kNumMarked, marks.size()); ++i) {
    const double x = column_centre(marks[i].position, num_columns);
    if (std::ranges::any_of(taken, [&](double other) { return std::abs(other - x) < kMarkWidth; })) continue;
    taken.push_back(x);
    out += svg::text("mark", x, 0, std::min(marks[i].y, kColumnsHeight - 3.0), "middle",
                     std::to_string(marks[i].position));
  }
  return out;
}

}  // namespace halfstep::report::html
