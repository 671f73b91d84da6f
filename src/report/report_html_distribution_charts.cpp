// report_html_distribution_charts.cpp: weights by channel as boxes, histograms with their grids.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/report_html_charts.hpp"

namespace halfstep::report::html {
namespace {

/// Up to so many channels each has a box of its own; beyond, bands along the channels.
constexpr std::size_t kMaxBoxes = 40;
constexpr std::size_t kNumOpenWeights = 6;
constexpr std::size_t kMaxBins = 120;
constexpr int kNumTicks = 4;
/// Keeps a figure and its unit on one line (U+00A0).
const std::string kFirmBlank = "\xC2\xA0";

double magnitude(const ChannelBox& box) { return std::max(std::abs(box.min), std::abs(box.max)); }

/// How much the widest channel exceeds the median one; 1 for one channel.
double unevenness(const std::vector<ChannelBox>& channels) {
  std::vector<double> magnitudes;
  for (const ChannelBox& box : channels) {
    if (std::isfinite(magnitude(box))) magnitudes.push_back(magnitude(box));
  }
  if (magnitudes.empty()) return 1.0;
  std::ranges::sort(magnitudes);
  const double median = magnitudes[(magnitudes.size() - 1) / 2];
  return median > 0.0 ? magnitudes.back() / median : 1.0;
}

/// At most kMaxSmallColumns boxes: neighbours are joined into one that covers them, with their mean quartiles.
std::vector<ChannelBox> condensed(const std::vector<ChannelBox>& channels) {
  if (channels.size() <= kMaxSmallColumns) return channels;
  std::vector<ChannelBox> out;
  for (std::size_t column = 0; column < kMaxSmallColumns; ++column) {
    const std::size_t first = column * channels.size() / kMaxSmallColumns;
    const std::size_t last = (column + 1) * channels.size() / kMaxSmallColumns;
    ChannelBox joined{channels[first].min, 0.0, 0.0, 0.0, channels[first].max};
    for (std::size_t i = first; i < last; ++i) {
      joined.min = std::min(joined.min, channels[i].min);
      joined.max = std::max(joined.max, channels[i].max);
      const double share = 1.0 / static_cast<double>(last - first);
      joined.lower_quartile += share * channels[i].lower_quartile;
      joined.median += share * channels[i].median;
      joined.upper_quartile += share * channels[i].upper_quartile;
    }
    out.push_back(joined);
  }
  return out;
}

svg::Axis axis_of(const std::vector<ChannelBox>& channels) {
  double low = 0.0;
  double high = 0.0;
  for (const ChannelBox& box : channels) {
    low = std::min(low, box.min);
    high = std::max(high, box.max);
  }
  return svg::Axis::linear(low, high, kNumTicks);
}

std::string boxes(const std::vector<ChannelBox>& channels, const svg::Axis& axis, double height) {
  const auto y_of = [&](double value) { return height * (1.0 - axis.at(value)); };
  const double column = 1.0 / static_cast<double>(channels.size());
  const double width = std::min(0.6 * column, 0.05);
  std::string out;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const ChannelBox& box = channels[i];
    const double x = (static_cast<double>(i) + 0.5) * column;
    const double top = y_of(box.upper_quartile);
    const double middle = y_of(box.median);
    out += svg::line("whisker", x, y_of(box.max), x, y_of(box.min));
    out += svg::rect("box", x - width / 2, width, top, std::max(1.0, y_of(box.lower_quartile) - top));
    out += svg::line("median", x - width / 2, middle, x + width / 2, middle);
  }
  return out;
}

std::string bands(const std::vector<ChannelBox>& channels, const svg::Axis& axis, double height) {
  const auto x_of = [&](std::size_t i) { return static_cast<double>(i) / static_cast<double>(channels.size() - 1); };
  const auto area = [&](const char* css_class, double ChannelBox::*low, double ChannelBox::*high) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < channels.size(); ++i) {
      points.emplace_back(x_of(i), height * (1.0 - axis.at(channels[i].*high)));
    }
    for (std::size_t i = channels.size(); i-- > 0;) {
      points.emplace_back(x_of(i), height * (1.0 - axis.at(channels[i].*low)));
    }
    return svg::curve(css_class, points, height, svg::Curve::kClosed);
  };
  std::vector<std::pair<double, double>> medians;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    medians.emplace_back(x_of(i), height * (1.0 - axis.at(channels[i].median)));
  }
  return area("band", &ChannelBox::min, &ChannelBox::max) +
         area("quartiles", &ChannelBox::lower_quartile, &ChannelBox::upper_quartile) +
         svg::curve("median", medians, height, svg::Curve::kOpen);
}

std::string weight_chart(const WeightBoxes& weight) {
  const svg::Axis axis = axis_of(weight.channels);
  const std::vector<ChannelBox> columns = condensed(weight.channels);
  const std::string marks =
      columns.size() <= kMaxBoxes ? boxes(columns, axis, kSmallHeight) : bands(columns, axis, kSmallHeight);
  std::string remark = escaped(shortened(weight.node, kSmallNameChars)) + "; " +
                       counted(static_cast<std::int64_t>(weight.channels.size()), "channel");
  if (weight.channels.size() > 1) {
    remark += ", the widest " + significant(unevenness(weight.channels), 3) + " times the median one";
  }
  return small_figure(
      weight.name, remark,
      svg::drawing(kSmallHeight, "Spread of the weights of " + shortened(weight.name, kSmallNameChars) + ", by channel",
                   y_grid(axis, kSmallHeight) + marks));
}

std::string grid_of(const std::vector<const WeightBoxes*>& weights) {
  std::string out = "<div class=\"smalls\">\n";
  for (const WeightBoxes* weight : weights) out += weight_chart(*weight);
  return out + "</div>\n";
}

/// Counts in at most kMaxBins bins, without the empty ones at both ends.
struct Bins {
  double first_edge = 0.0;
  double width = 0.0;
  std::vector<double> counts;
  double end() const { return first_edge + width * static_cast<double>(counts.size()); }
};

Bins binned(const TensorHistogram& histogram) {
  const std::vector<std::int64_t>& counts = histogram.counts;
  std::size_t first = 0;
  std::size_t last = counts.size();
  while (first < last && counts[first] <= 0) ++first;
  while (last > first && counts[last - 1] <= 0) --last;
  const std::size_t together = std::max<std::size_t>(1, (last - first + kMaxBins - 1) / kMaxBins);
  Bins bins;
  bins.first_edge = histogram.first_edge + histogram.bin_width * static_cast<double>(first);
  bins.width = histogram.bin_width * static_cast<double>(together);
  bins.counts.assign((last - first + together - 1) / together, 0.0);
  for (std::size_t i = first; i < last; ++i) bins.counts[(i - first) / together] += static_cast<double>(counts[i]);
  return bins;
}

/// Share of the values in source bins whose centre lies outside the grid's range, in percent.
double outside_percent(const TensorHistogram& histogram) {
  double all = 0.0;
  double outside = 0.0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double centre = histogram.first_edge + histogram.bin_width * (static_cast<double>(i) + 0.5);
    const auto count = static_cast<double>(histogram.counts[i]);
    all += count;
    if (centre < histogram.grid_min || centre > histogram.grid_max) outside += count;
  }
  return all > 0.0 ? 100.0 * outside / all : 0.0;
}

/// Smallest power of two of steps whose marks stand far enough apart to be told from each other.
double steps_a_mark(double step, double domain) {
  double steps = 1.0;
  while (step * steps < 0.025 * domain && steps < 65536.0) steps *= 2.0;
  return steps;
}

std::string histogram_chart(const TensorHistogram& histogram) {
  const Bins bins = binned(histogram);
  if (bins.counts.empty()) return "";
  const svg::Axis axis = svg::Axis::linear(std::min(bins.first_edge, histogram.grid_min),
                                           std::max(bins.end(), histogram.grid_max), kNumTicks + 2);
  const double most = *std::ranges::max_element(bins.counts);
  const auto height_of = [&](double count) {
    return kSmallHeight * 0.94 * std::log1p(count) / std::log1p(std::max(1.0, most));
  };
  const auto stairs = [&](const char* css_class, bool inside) {
    std::vector<std::pair<double, double>> points;
    bool any = false;
    points.emplace_back(axis.at(bins.first_edge), kSmallHeight);
    for (std::size_t i = 0; i < bins.counts.size(); ++i) {
      const double left = bins.first_edge + bins.width * static_cast<double>(i);
      const double centre = left + bins.width / 2;
      const bool is_inside = centre >= histogram.grid_min && centre <= histogram.grid_max;
      const double y = kSmallHeight - (is_inside == inside ? height_of(bins.counts[i]) : 0.0);
      any = any || (is_inside == inside && bins.counts[i] > 0.0);
      points.emplace_back(axis.at(left), y);
      points.emplace_back(axis.at(left + bins.width), y);
    }
    points.emplace_back(axis.at(bins.end()), kSmallHeight);
    return any ? svg::curve(css_class, points, kSmallHeight, svg::Curve::kClosed) : std::string();
  };
  const double grid_left = axis.at(histogram.grid_min);
  std::string body = svg::rect("grid-range", grid_left, axis.at(histogram.grid_max) - grid_left, 0, kSmallHeight);
  body += stairs("bars", true) + stairs("bars-outside", false) + svg::line("zero", 0, kSmallHeight, 1, kSmallHeight);
  std::string remark = "grid " + significant(histogram.grid_min, 4) + " to " + significant(histogram.grid_max, 4);
  if (histogram.step > 0.0 && std::isfinite(histogram.step)) {
    const double steps = steps_a_mark(histogram.step, axis.high() - axis.low());
    const double distance = steps * histogram.step;
    for (int i = 0; i <= 64; ++i) {
      const double at = histogram.grid_min + distance * i;
      if (at > histogram.grid_max + 1e-6 * distance) break;
      body += svg::line("ruler", axis.at(at), kSmallHeight + 1, axis.at(at), kSmallHeight + 7);
    }
    remark += ", step " + significant(histogram.step, 4) +
              " (a mark below: " + counted(static_cast<std::int64_t>(steps), "step") + ")";
  }
  remark += histogram.clipped_percent ? ", " + significant(*histogram.clipped_percent, 3) + kFirmBlank + "% clipped"
                                      : ", " + significant(outside_percent(histogram), 3) + kFirmBlank + "% outside";
  for (const double tick : axis.ticks()) {
    body += svg::text("tick", axis.at(tick), 0, kSmallHeight + 20, "middle", significant(tick, 6));
  }
  return small_figure(
      histogram.name, remark,
      svg::drawing(kSmallHeight, "Histogram of " + shortened(histogram.name, kSmallNameChars) + ": " + remark, body));
}

}  // namespace

std::string weight_charts(const std::vector<WeightBoxes>& weights) {
  std::vector<const WeightBoxes*> per_channel;
  std::vector<ChannelBox> whole;
  for (const WeightBoxes& weight : weights) {
    if (weight.channels.size() > 1) per_channel.push_back(&weight);
    if (weight.channels.size() == 1) whole.push_back(weight.channels.front());
  }
  std::string out;
  if (!per_channel.empty()) {
    std::vector<const WeightBoxes*> uneven = per_channel;
    std::ranges::stable_sort(uneven, std::greater<>(),
                             [](const WeightBoxes* weight) { return unevenness(weight->channels); });
    uneven.resize(std::min(uneven.size(), kNumOpenWeights));
    out +=
        "<h3>Weight ranges by channel</h3><p class=\"remark\">Median, quartiles and extremes of each output channel; "
        "of many channels, as bands. The more the channels differ, the more one scale for all of them would cost. ";
    out += uneven.size() < per_channel.size() ? "The most uneven ones first.</p>\n" : "</p>\n";
    out +=
        "<ul class=\"legend\"><li><i class=\"swatch band\"></i>minimum to maximum</li><li><i class=\"swatch "
        "quartiles\"></i>middle half</li><li><i class=\"swatch median\"></i>median</li></ul>\n";
    out += grid_of(uneven);
    if (uneven.size() < per_channel.size()) {
      out += "<details><summary>All " + std::to_string(per_channel.size()) +
             " weights, in the order of the network</summary>\n" + grid_of(per_channel) + "</details>\n";
    }
  }
  if (!whole.empty()) {
    constexpr double kTall = 2 * kSmallHeight;
    const svg::Axis axis = axis_of(whole);
    out += figure("Weight ranges, one grid a tensor",
                  "Median, quartiles and extremes of each weight, in the order of the network.", {},
                  svg::drawing(kTall, "Spread of each weight", y_grid(axis, kTall) + boxes(whole, axis, kTall)));
  }
  return out;
}

std::string histogram_charts(const std::vector<TensorHistogram>& histograms, const char* of) {
  std::string charts;
  for (const TensorHistogram& histogram : histograms) charts += histogram_chart(histogram);
  if (charts.empty()) return "";
  return std::string("<h3>Histograms of the worst tensors</h3><p class=\"remark\">") + of +
         ", counts on a logarithmic scale.</p>\n<ul class=\"legend\"><li><i class=\"swatch bars\"></i>inside the "
         "grid</li><li><i class=\"swatch "
         "bars-outside\"></i>outside: clipped</li><li><i class=\"swatch grid-range\"></i>the grid</li></ul>\n"
         "<div class=\"smalls flat\">\n" +
         charts + "</div>\n";
}

}  // namespace halfstep::report::html
