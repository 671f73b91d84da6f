// grid_error.cpp: densities and their integral.
#include "calib/grid_error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/grid_error.hpp"

namespace halfstep::calib {

BinnedValues::BinnedValues(const DyadicHistogram& histogram) {
  const auto counts = histogram.counts();
  if (histogram.empty()) return;
  const double min = histogram.min();
  const double max = histogram.max();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    bins.push_back({histogram.lower_edge(i), histogram.lower_edge(i + 1), static_cast<double>(counts[i])});
  }
  const auto at_zero = static_cast<std::size_t>(-histogram.first_bin());
  double beside = 0.0;
  if (at_zero > 0) beside = bins[at_zero - 1].count;
  if (at_zero + 1 < bins.size()) beside = std::max(beside, bins[at_zero + 1].count);
  if (min <= 0.0 && max >= 0.0 && bins[at_zero].count > beside) {
    zeros = bins[at_zero].count - beside;
    bins[at_zero].count = beside;
  }
  for (Bin& bin : bins) {
    if (bin.low < min && min < bin.high) bin.low = min;
    if (bin.low <= max && max < bin.high) bin.high = max;
  }
}

GridError::GridError(const BinnedValues& values) {
  double density_before = 0.0;
  double end = -std::numeric_limits<double>::infinity();
  const auto change = [&](double edge, double density) {
    if (density != density_before) {
      edges_.push_back(edge);
      changes_.push_back(density_before - density);
    }
    density_before = density;
  };
  for (const BinnedValues::Bin& bin : values.bins) {
    if (bin.high <= bin.low) {
      if (bin.count > 0.0) points_.push_back({bin.low, bin.count});
      continue;
    }
    // The bin at the upper extreme ends there, before the next one starts.
    if (bin.low > end) change(end, 0.0);
    change(bin.low, bin.count / (bin.high - bin.low));
    end = bin.high;
  }
  if (density_before != 0.0) change(end, 0.0);
}

double GridError::squared_error(const FittedGrid& grid, double clip_weight) const {
  const double scale = grid.params.scale;
  const double lowest = static_cast<double>(grid.grid.q_min) - grid.params.zero_point;
  const double highest = static_cast<double>(grid.grid.q_max) - grid.params.zero_point;
  double sum = scale * scale * scale *
               kernels::weighted_grid_error(edges_.data(), changes_.data(), static_cast<std::int64_t>(edges_.size()),
                                            scale, lowest, highest, clip_weight);
  for (const Point& point : points_) {
    const double code = std::clamp(std::nearbyint(point.x / scale), lowest, highest);
    const double error = point.x - code * scale;
    const double weight = std::abs(error) > scale / 2.0 ? clip_weight : 1.0;
    sum += point.count * weight * error * error;
  }
  return std::max(sum, 0.0);
}

}  // namespace halfstep::calib
