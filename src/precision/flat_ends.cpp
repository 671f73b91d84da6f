// flat_ends.cpp: a walk up from the lower end.
#include "precision/flat_ends.hpp"

#include <algorithm>
#include <cmath>

namespace halfstep::precision {

double flat_below(const std::function<double(double)>& f, RealRange range, double tolerance) {
  constexpr int kSteps = 1024;
  const double step = (range.max - range.min) / kSteps;
  double least = f(range.min);
  double most = least;
  double flat = range.min;
  for (int i = 1; i <= kSteps; ++i) {
    const double x = range.min + i * step;
    const double y = f(x);
    if (x > 0.0 || !std::isfinite(y)) break;
    least = std::min(least, y);
    most = std::max(most, y);
    if (!(most - least <= tolerance)) break;
    flat = x;
  }
  return flat;
}

}  // namespace halfstep::precision
