// round_to_grid.hpp: the step that imitates quantization in a simulated Program.
#pragma once

#include "encoding/encoding.hpp"
#include "numerics/fixed_point.hpp"
#include "ops/kernel.hpp"

namespace halfstep::lower {

/// Replaces float32 values by the nearest ones `encoding` can represent, in
/// place (input 0 and output 0 are the same storage). Works for any shape the
/// encoding fits; a shape it does not fit is a data error. Halves by `rounding`.
ops::Kernel round_to_grid_kernel(const Encoding& encoding, numerics::Rounding rounding);

/// Replaces float32 values by the nearest ones that half precision has, in place.
ops::Kernel round_to_half_kernel();

/// Replaces NaN by 0, in place: what integer forms make of 0 / 0 and the root of a negative number.
ops::Kernel nan_to_zero_kernel();

}  // namespace halfstep::lower
