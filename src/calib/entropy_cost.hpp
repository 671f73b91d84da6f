// entropy_cost.hpp: how well the codes of a grid tell apart what a distribution tells apart.
#pragma once

#include <vector>

#include "calib/grid_error.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// The Kullback-Leibler divergence D(P || Q) over the bins of a histogram. P: the values, those outside the grid moved
/// into its outermost bins. Q: the values inside, each code's mass spread evenly over those of its bins that are not
/// empty. Exact zeros are left out: 0 is on every grid.
/// Source: Migacz, 8-bit inference with TensorRT, GTC 2017; here with the codes of the grid itself for its 128 levels.
class EntropyCost {
 public:
  explicit EntropyCost(const BinnedValues& values);

  /// In nats; 0 if there is nothing to tell apart. Grids with steps finer than the bins, of 16 bits or around a few
  /// bins, can't be judged: they get the worst value if they clip anything, 0 else.
  double divergence(const FittedGrid& grid) const;

 private:
  /// What spreading each code's mass over its bins loses, in nats times the number of values, and the count that it
  /// gives a bin of the lowest and of the highest code.
  struct Codes {
    double lost = 0.0;
    double first_mean = 0.0;
    double last_mean = 0.0;
  };
  Codes codes_of(double scale, double lowest, double highest, std::size_t begin, std::size_t end) const;
  std::size_t first_bin_from(double x) const;

  double first_centre_ = 0.0;
  double width_ = 1.0;
  std::vector<double> counts_;
  // Of the bins before each, one more than there are bins:
  std::vector<double> mass_;
  std::vector<double> occupied_;
  std::vector<double> entropy_;  // Sum of c ln c.
};

}  // namespace halfstep::calib
