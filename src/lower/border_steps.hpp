// border_steps.hpp: the steps of a fixed-point Program that stand where encodings or types change.
#pragma once

#include "core/shape.hpp"
#include "encoding/encoding.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/result.hpp"
#include "ops/fixed_form.hpp"

namespace halfstep::lower {

/// Real numbers to codes of `encoding`, per (Q1). Errors: kInvalidInput if it does not fit `shape`.
Result<ops::FixedForm> quantize_step(const Encoding& encoding, const Shape& shape);

/// Codes of `encoding` to real numbers, per (Q2). Errors: kInvalidInput if it does not fit `shape`.
Result<ops::FixedForm> dequantize_step(const Encoding& encoding, const Shape& shape);

/// Codes on one grid to codes on another: q_y = clamp(z_y + round((q_x - z_x) * s_x / s_y)), docs/numerics.md (B1).
/// Errors: kUnsupported if a factor cannot be expressed under `arithmetic`, or both grids are
/// per channel along different axes; kInvalidInput if one does not fit `shape`.
Result<ops::FixedForm> requantize_step(const Encoding& from, const Encoding& to, const Shape& shape,
                                       Arithmetic arithmetic);

}  // namespace halfstep::lower
