// report_html_columns.hpp: what charts with one column a layer have in common.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace halfstep::report::html {

/// Height of the drawing, in pixels.
inline constexpr double kColumnsHeight = 260.0;
/// Names in the words of a column are cut to so many characters.
inline constexpr std::size_t kLayerNameChars = 80;

/// Centre of a layer's column as a share of the width. Positions count from 1.
double column_centre(std::size_t position, std::size_t num_columns);

/// Numbers below the columns, about every eighth part, and what they count.
std::string x_labels(std::size_t num_columns, const std::string& title);

/// A column that says what it shows when pointed at, and leads to the layer's line in the table.
std::string hit_column(std::size_t position, std::size_t num_columns, const std::string& words, bool in_table);

/// Where the number of a column is written, y in pixels.
struct ColumnMark {
  std::size_t position = 0;
  double y = 0.0;
};

/// The first three of `marks`, those left out that would collide with one before.
std::string column_marks(const std::vector<ColumnMark>& marks, std::size_t num_columns);

/// The finite values of a chart.
struct Bounds {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  bool is_empty() const { return low > high; }
};

}  // namespace halfstep::report::html
