// range_estimators.cpp: the methods of RangeMethod.
#include "calib/range_estimators.hpp"

namespace halfstep::calib {

std::string_view name_of(RangeMethod method) {
  switch (method) {
    case RangeMethod::kMinMax:
      return "min-max";
  }
  return "unknown";
}

bool needs_histogram(const RangeRule& rule) {
  switch (rule.method) {
    case RangeMethod::kMinMax:
      return false;
  }
  return true;
}

// The extremes cover every value, whatever the grid.
RealRange estimate_range(const Distribution& distribution, const GridRequest& /*grid*/, const RangeRule& rule) {
  const Moments& moments = distribution.moments;
  if (moments.count == 0) return {};
  switch (rule.method) {
    case RangeMethod::kMinMax:
      return {moments.min, moments.max};
  }
  return {};
}

}  // namespace halfstep::calib
