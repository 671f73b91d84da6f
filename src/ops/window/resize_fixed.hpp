// resize_fixed.hpp: the integer form of Resize.
#pragma once

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

/// Nearest interpolation moves codes, between two grids after requantizing them; linear interpolation by
/// resize_int.hpp. Errors: kUnsupported for cubic interpolation and antialiasing, too.
Result<FixedForm> lower_resize_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
