// curve_search.cpp: three ways.
#include "sensitivity/curve_search.hpp"

#include <algorithm>
#include <cmath>

namespace halfstep::sensitivity {

Result<FoundPoint> find_point(std::size_t count, double allowed, CurveSearch method, bool reverse,
                              const std::function<Result<double>(std::size_t)>& drop_of) {
  FoundPoint found;
  const auto measure = [&](std::size_t i) -> Result<double> {
    const Result<double> drop = drop_of(i);
    if (drop.ok()) found.drops.emplace(i, *drop);
    return drop;
  };
  if (count == 0) return found;
  if (method == CurveSearch::kBruteForce) {
    for (std::size_t step = 0; step < count; ++step) {
      const std::size_t i = reverse ? step : count - 1 - step;
      const Result<double> drop = measure(i);
      if (!drop.ok()) return drop.error();
      const bool holds = *drop <= allowed;
      if (holds) found.index = i;
      if (holds == reverse) break;
    }
    return found;
  }
  // `low` does not hold, `high` does.
  std::size_t low = 0;
  std::size_t high = count - 1;
  const auto ends = reverse ? std::pair(low, high) : std::pair(high, low);
  for (const std::size_t end : {ends.first, ends.second}) {
    if (found.drops.contains(end)) continue;
    const Result<double> drop = measure(end);
    if (!drop.ok()) return drop.error();
    if (end == high && *drop > allowed) return found;
    if (end == low && *drop <= allowed) {
      found.index = low;
      return found;
    }
  }
  for (bool halve = false; high - low > 1; halve = !halve) {
    std::size_t middle = low + (high - low) / 2;
    if (method == CurveSearch::kInterpolation && !halve) {
      const double above = found.drops.at(low) - allowed;
      const double below = allowed - found.drops.at(high);
      const double share = above + below > 0.0 ? above / (above + below) : 0.5;
      const auto steps = static_cast<std::size_t>(std::ceil(share * static_cast<double>(high - low)));
      middle = std::clamp(low + steps, low + 1, high - 1);
    }
    const Result<double> drop = measure(middle);
    if (!drop.ok()) return drop.error();
    (*drop <= allowed ? high : low) = middle;
  }
  found.index = high;
  return found;
}

}  // namespace halfstep::sensitivity
