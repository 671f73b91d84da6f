// resize_spec.hpp: what a Resize node asks for, read from its attributes and operands.
#pragma once

#include <optional>
#include <vector>

#include "ops/node_args.hpp"
#include "ops/window/resize_axis.hpp"

namespace halfstep::ops {

struct ResizeSpec {
  ResizeRules rules;
  float extrapolation_value = 0.0F;
  std::vector<ResizeAxis> axes;  ///< One for each dimension of the input.

  Shape output_shape() const;
};

/// Empty while an operand that decides the output (scales, sizes, roi) is not known.
/// Errors: kInvalidInput if operands or attributes contradict each other or the input.
Result<std::optional<ResizeSpec>> resize_spec_of(const NodeArgs& args);

}  // namespace halfstep::ops
