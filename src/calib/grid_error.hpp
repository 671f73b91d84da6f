// grid_error.hpp: what a distribution loses on a grid, rounding and clipping alike.
#pragma once

#include <cstdint>
#include <vector>

#include "calib/dyadic_histogram.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// The bins of a histogram, the outermost cut at the extremes, and apart from them what is one number: exact zeros, of
/// which Relu leaves many. They are what the bin at 0 holds beyond both its neighbours.
struct BinnedValues {
  explicit BinnedValues(const DyadicHistogram& histogram);

  struct Bin {
    double low = 0.0;
    double high = 0.0;
    double count = 0.0;
  };
  std::vector<Bin> bins;  ///< All, in order, neighbours touching. Not empty unless the histogram was.
  double zeros = 0.0;     ///< Not counted in `bins`.
};

/// The squared error of a grid, in closed form: within a bin, values are taken as spread evenly. With u = x / s in
/// codes, n the code of u and r = u - n, the error integrated from 0 to x is
///   F(x) = s^3 (n / 12 + r'^3 / 3 + w (r^3 - r'^3) / 3),   r' = r limited to [-1/2, 1/2]
/// where w is what clipping counts, and a bin of count c over [a, b] adds c (F(b) - F(a)) / (b - a).
class GridError {
 public:
  explicit GridError(const BinnedValues& values);

  /// The sum over all values; squared distances of values that are clipped count `clip_weight` times.
  double squared_error(const FittedGrid& grid, double clip_weight = 1.0) const;

 private:
  std::vector<double> edges_;    // Where the density of values changes,
  std::vector<double> changes_;  // and by how much it falls there.
  struct Point {
    double x;
    double count;
  };
  std::vector<Point> points_;  // Bins of no width: an extreme on the edge of its bin.
};

}  // namespace halfstep::calib
