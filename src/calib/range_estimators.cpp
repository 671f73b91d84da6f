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

RealRange estimate_range(const Observation& observation, RangeMethod method) {
  if (observation.moments.count == 0) return {};
  switch (method) {
    case RangeMethod::kMinMax:
      return {observation.moments.min, observation.moments.max};
  }
  return {};
}

}  // namespace halfstep::calib
