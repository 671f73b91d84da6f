// svg.hpp: axes and marks of the charts in the HTML report.
//
// A chart is as wide as the screen lets it be and has a fixed height: horizontal
// positions are shares of the width (in percent), vertical ones are pixels.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::report::svg {

/// Maps values onto 0 ... 1 and knows round values to label.
class Axis {
 public:
  /// From `low` to `high`, with about `max_ticks` ticks; an empty or impossible range is widened.
  static Axis linear(double low, double high, int max_ticks = 6);
  /// Linear within about +-`unit`, logarithmic outside: for values of both signs and many magnitudes.
  /// Source: the inverse hyperbolic sine, asinh(value / unit). `unit` > 0.
  static Axis symmetric_log(double low, double high, double unit);

  /// Logarithmic, widened to 1, 2 or 5 times a power of ten at both ends. Ticks at such values, or at powers of ten
  /// only where there are many decades. `low` and `high` that are not positive and finite become 1.
  static Axis logarithmic(double low, double high, int max_ticks = 6);

  /// 0 at the low end, 1 at the high end; what lies outside (or is NaN) stays at an end.
  double at(double value) const;
  const std::vector<double>& ticks() const { return ticks_; }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double bent(double value) const;

  double low_ = 0.0;
  double high_ = 1.0;
  double unit_ = 0.0;  ///< 0: linear, or logarithmic.
  bool is_logarithmic_ = false;
  std::vector<double> ticks_;
};

/// Round distance of about `max_ticks` ticks over `span` > 0: 1, 2 or 5 times a power of ten.
double round_step(double span, int max_ticks);

/// A share of the width, "12.34%".
std::string percent(double share);

/// A number of pixels with one decimal at most, without trailing zeros.
std::string pixels(double value);

/// `<rect>`: x and width as shares of the width, y and height in pixels.
std::string rect(std::string_view css_class, double x, double width, double y, double height);

/// `<line>` between two points (share, pixels).
std::string line(std::string_view css_class, double x1, double y1, double x2, double y2);

/// `<circle>` at (share, pixels).
std::string circle(std::string_view css_class, double x, double y, double radius);

/// `<text>` at (share, pixels), moved by `dx` pixels; `anchor` is "start", "middle" or "end". Escapes `words`.
std::string text(std::string_view css_class, double x, double dx, double y, std::string_view anchor,
                 std::string_view words);

/// One curve through points (share, pixels), in a box of its own that stretches with the chart. `height` is the
/// chart's. `closed` curves are areas.
enum class Curve { kOpen, kClosed };
std::string curve(std::string_view css_class, const std::vector<std::pair<double, double>>& points, double height,
                  Curve kind);

/// The whole drawing: `label` is what a screen reader says. `body` may stick out of the box: labels do.
std::string drawing(double height, std::string_view label, const std::string& body);

}  // namespace halfstep::report::svg
