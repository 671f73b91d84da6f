// range_estimators.hpp: from what was observed of a tensor to the range its grid shall cover.
#pragma once

#include <string_view>

#include "calib/observation.hpp"
#include "encoding/range_to_encoding.hpp"

namespace halfstep::calib {

/// "min-max".
std::string_view name_of(RangeMethod method);

/// The range of an observed tensor; [0, 0] if it never had elements.
RealRange estimate_range(const Observation& observation, RangeMethod method);

}  // namespace halfstep::calib
