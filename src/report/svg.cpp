// svg.cpp: axes and marks of the charts in the HTML report.
#include "report/svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/report_text.hpp"

namespace halfstep::report::svg {
namespace {

constexpr int kMaxLogTicks = 8;
/// Bounds that keep differences of values finite.
constexpr double kLargest = 1e300;
/// Curves stretch from this many units to the width of the chart.
constexpr double kCurveUnits = 1000.0;

constexpr std::array kRoundFactors = {1.0, 2.0, 5.0};

double finite(double value) { return std::isnan(value) ? 0.0 : std::clamp(value, -kLargest, kLargest); }

std::string attribute(std::string_view name, std::string_view value) {
  return std::string(" ").append(name).append("=\"").append(value).append("\"");
}

std::string class_attribute(std::string_view css_class) {
  return css_class.empty() ? std::string() : attribute("class", css_class);
}

/// At most `count` decimals, without trailing zeros.
std::string trimmed(double value, int count) {
  std::string text = decimals(std::isfinite(value) ? value : 0.0, count);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

/// 1, 2, 5, 10, 20, ... by index 0, 1, 2, 3, 4, ...; tenths of them below 0.
double round_value(int index) {
  const int decade = index >= 0 ? index / 3 : (index - 2) / 3;
  return kRoundFactors[static_cast<std::size_t>(index - 3 * decade)] * std::pow(10.0, decade);
}

/// Index of the largest round value that is not above `value`, up to rounding.
int round_below(double value) {
  int index = 3 * static_cast<int>(std::floor(std::log10(value))) - 1;
  while (round_value(index + 1) <= value * (1.0 + 1e-9)) ++index;
  return index;
}

}  // namespace

double round_step(double span, int max_ticks) {
  const double raw = span / std::max(1, max_ticks);
  const double decade = std::pow(10.0, std::floor(std::log10(raw)));
  if (!(decade > 0.0) || !std::isfinite(decade)) return span;
  for (const double factor : kRoundFactors) {
    if (factor * decade >= raw) return factor * decade;
  }
  return 10.0 * decade;
}

Axis Axis::linear(double low, double high, int max_ticks) {
  Axis axis;
  low = finite(low);
  high = finite(high);
  if (low > high) std::swap(low, high);
  const double magnitude = std::max(std::abs(low), std::abs(high));
  if (!(high - low > 1e-9 * magnitude)) {
    const double widening = magnitude > 0.0 ? 0.1 * magnitude : 1.0;
    low -= widening;
    high += widening;
  }
  axis.low_ = low;
  axis.high_ = high;
  const double step = round_step(high - low, max_ticks);
  const double first = std::ceil(low / step - 1e-6);
  const double last = std::floor(high / step + 1e-6);
  for (int i = 0; i <= 2 * max_ticks && first + i <= last; ++i) axis.ticks_.push_back((first + i) * step);
  return axis;
}

Axis Axis::symmetric_log(double low, double high, double unit) {
  Axis axis = linear(low, high);
  axis.unit_ = unit;
  axis.ticks_.clear();
  // Ticks at zero and at powers of ten; every second or third one where there are many.
  const double most = std::max(std::abs(axis.low_), std::abs(axis.high_));
  const int smallest = static_cast<int>(std::ceil(std::log10(unit)));
  const int largest = static_cast<int>(std::floor(std::log10(most) + 1e-9));
  const int both_sides = axis.low_ < 0.0 && axis.high_ > 0.0 ? 2 : 1;
  const int stride = std::max(1, (both_sides * (largest - smallest + 1) + kMaxLogTicks - 1) / kMaxLogTicks);
  const auto put = [&](double value) {
    if (value >= axis.low_ && value <= axis.high_) axis.ticks_.push_back(value);
  };
  for (int power = largest; power >= smallest; power -= stride) put(-std::pow(10.0, power));
  put(0.0);
  for (int power = largest; power >= smallest; power -= stride) put(std::pow(10.0, power));
  return axis;
}

Axis Axis::logarithmic(double low, double high, int max_ticks) {
  const auto positive = [](double value) { return value >= 1.0 / kLargest && value <= kLargest ? value : 1.0; };
  low = positive(low);
  high = positive(high);
  if (low > high) std::swap(low, high);
  const int first = round_below(low);
  int last = round_below(high);
  if (last == first || round_value(last) < high * (1.0 - 1e-9)) ++last;
  Axis axis;
  axis.is_logarithmic_ = true;
  axis.low_ = round_value(first);
  axis.high_ = round_value(last);
  // Every value, every power of ten, every second power, ...
  int stride = last - first < max_ticks ? 1 : 3;
  while (stride > 1 && (last - first) / stride >= max_ticks) stride += 3;
  for (int index = first; index <= last; ++index) {
    if (index % stride == 0) axis.ticks_.push_back(round_value(index));
  }
  return axis;
}

double Axis::bent(double value) const {
  if (is_logarithmic_) return std::log10(value);
  return unit_ > 0.0 ? std::asinh(value / unit_) : value;
}

double Axis::at(double value) const {
  const double low = bent(low_);
  const double share = (bent(finite(value)) - low) / (bent(high_) - low);
  return std::isnan(share) ? 0.0 : std::clamp(share, 0.0, 1.0);
}

std::string percent(double share) { return trimmed(100.0 * share, 2) + "%"; }

std::string pixels(double value) { return trimmed(value, 1); }

std::string rect(std::string_view css_class, double x, double width, double y, double height) {
  return "<rect" + class_attribute(css_class) + attribute("x", percent(x)) + attribute("y", pixels(y)) +
         attribute("width", percent(std::max(0.0, width))) + attribute("height", pixels(std::max(0.0, height))) + "/>";
}

std::string line(std::string_view css_class, double x1, double y1, double x2, double y2) {
  return "<line" + class_attribute(css_class) + attribute("x1", percent(x1)) + attribute("y1", pixels(y1)) +
         attribute("x2", percent(x2)) + attribute("y2", pixels(y2)) + "/>";
}

std::string circle(std::string_view css_class, double x, double y, double radius) {
  return "<circle" + class_attribute(css_class) + attribute("cx", percent(x)) + attribute("cy", pixels(y)) +
         attribute("r", pixels(radius)) + "/>";
}

std::string text(std::string_view css_class, double x, double dx, double y, std::string_view anchor,
                 std::string_view words) {
  std::string out = "<text" + class_attribute(css_class) + attribute("x", percent(x)) + attribute("y", pixels(y));
  if (dx != 0.0) out += attribute("dx", pixels(dx));
  if (anchor != "start") out += attribute("text-anchor", anchor);
  return out + ">" + escaped(words) + "</text>";
}

std::string curve(std::string_view css_class, const std::vector<std::pair<double, double>>& points, double height,
                  Curve kind) {
  if (points.empty()) return "";
  std::string path;
  for (const auto& [x, y] : points) {
    path += (path.empty() ? "M" : "L") + trimmed(kCurveUnits * x, 1) + " " + pixels(y);
  }
  if (kind == Curve::kClosed) path += "Z";
  return "<svg width=\"100%\"" + attribute("height", pixels(height)) +
         attribute("viewBox", "0 0 " + pixels(kCurveUnits) + " " + pixels(height)) +
         " preserveAspectRatio=\"none\"><path" + class_attribute(css_class) + attribute("d", path) + "/></svg>";
}

std::string drawing(double height, std::string_view label, const std::string& body) {
  return "<svg class=\"plot\" role=\"img\" width=\"100%\"" + attribute("height", pixels(height)) +
         attribute("aria-label", escaped(label)) + ">" + body + "</svg>";
}

}  // namespace halfstep::report::svg
