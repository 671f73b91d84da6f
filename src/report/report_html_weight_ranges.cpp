// report_html_weight_ranges.cpp: the largest weight of each channel, before and after equalization.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "report/report_html_charts.hpp"

namespace halfstep::report::html {
namespace {

constexpr std::size_t kMaxWeightRanges = 10;
constexpr int kNumRangeTicks = 5;
/// Channels below that share of the largest one are as good as zero: folding leaves such in dead channels.
constexpr double kDeadShare = 1e-6;

/// Smallest and largest of some positive values.
struct MagnitudeSpan {
  double low = std::numeric_limits<double>::infinity();
  double high = 0.0;

  double ratio() const { return high > 0.0 ? high / low : 1.0; }
};

/// Of the channels that are not dead.
MagnitudeSpan span_of(const std::vector<double>& magnitudes) {
  MagnitudeSpan span;
  for (const double x : magnitudes) {
    if (std::isfinite(x)) span.high = std::max(span.high, x);
  }
  for (const double x : magnitudes) {
    if (x > 0.0 && x >= kDeadShare * span.high) span.low = std::min(span.low, x);
  }
  return span;
}

/// A step a channel. Of many channels, neighbours share a column, drawn from their smallest to their largest.
std::vector<std::pair<double, double>> channel_stairs(const std::vector<double>& magnitudes, const svg::Axis& axis) {
  const std::size_t columns = std::min(magnitudes.size(), kMaxSmallColumns);
  const auto y_of = [&](double value) { return kSmallHeight * (1.0 - axis.at(value)); };
  std::vector<std::pair<double, double>> points;
  for (std::size_t column = 0; column < columns; ++column) {
    const auto first = magnitudes.begin() + static_cast<std::ptrdiff_t>(column * magnitudes.size() / columns);
    const auto last = magnitudes.begin() + static_cast<std::ptrdiff_t>((column + 1) * magnitudes.size() / columns);
    const auto [low, high] = std::minmax_element(first, last);
    points.emplace_back(static_cast<double>(column) / static_cast<double>(columns), y_of(*low));
    points.emplace_back(static_cast<double>(column + 1) / static_cast<double>(columns), y_of(*high));
  }
  return points;
}

std::string weight_range_chart(const WeightRanges& weight) {
  const MagnitudeSpan before = span_of(weight.before);
  const MagnitudeSpan after = span_of(weight.after);
  const svg::Axis axis =
      svg::Axis::logarithmic(std::min(before.low, after.low), std::max(before.high, after.high), kNumRangeTicks);
  std::vector<std::pair<double, double>> area = channel_stairs(weight.before, axis);
  area.insert(area.begin(), {0.0, kSmallHeight});
  area.emplace_back(1.0, kSmallHeight);
  const std::string name = shortened(weight.name, kSmallNameChars);
  const std::string remark = escaped(shortened(weight.node, kSmallNameChars)) + "; " +
                             counted(static_cast<std::int64_t>(weight.before.size()), "channel") + ", the widest " +
                             significant(before.ratio(), 3) + " times the narrowest before, " +
                             significant(after.ratio(), 3) + " after";
  return small_figure(
      weight.name, remark,
      svg::drawing(kSmallHeight, "Largest weight of each channel of " + name + ", before and after",
                   svg::curve("before", area, kSmallHeight, svg::Curve::kClosed) + y_grid(axis, kSmallHeight) +
                       svg::curve("after", channel_stairs(weight.after, axis), kSmallHeight, svg::Curve::kOpen)));
}

}  // namespace

std::string weight_range_charts(const std::vector<WeightRanges>& weights) {
  if (weights.empty()) return "";
  std::vector<const WeightRanges*> uneven;
  for (const WeightRanges& weight : weights) uneven.push_back(&weight);
  std::ranges::stable_sort(uneven, std::greater<>(),
                           [](const WeightRanges* weight) { return span_of(weight->before).ratio(); });
  uneven.resize(std::min(uneven.size(), kMaxWeightRanges));
  std::string out =
      "<h3>Weight ranges by channel, before and after</h3><p class=\"remark\">Largest magnitude of each output channel "
      "of the weights that equalization, or another step that changes the float model, has scaled or clipped, on a "
      "logarithmic scale";
  out += uneven.size() < weights.size()
             ? "; of " + std::to_string(weights.size()) + " weights the " + std::to_string(uneven.size()) +
                   " whose channels differed most before.</p>\n"
             : ".</p>\n";
  out +=
      "<ul class=\"legend\"><li><i class=\"swatch before\"></i>before</li><li><i class=\"swatch after\"></i>after</li>"
      "</ul>\n<div class=\"smalls\">\n";
  for (const WeightRanges* weight : uneven) out += weight_range_chart(*weight);
  return out + "</div>\n";
}

}  // namespace halfstep::report::html
