// calibration_option.hpp: TIDL's calibrationOption, a bit field, in terms of our options.
#pragma once

#include <string>

#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"

namespace halfstep::pipeline {

/// 0: min-max, scales 2^n without zero points, one scale a tensor. Added to it: 1, percentile for activations with a
/// shrink of 0.01 %; 2, the same for weights; 4, iterative bias correction, and clipped weights unless 8 is there;
/// 8, per-channel weights of depthwise convolutions; 16 and 32, weights of depthwise convolutions and of the first
/// layer in 16 bits, whatever the lists of names say besides. Without 4, no algorithms. Errors: kUsage for what is no
/// sum of TIDL's bits, and, by name, for bits that are not built.
Result<void> set_calibration_option(QuantizeRequest& request, const std::string& text);

}  // namespace halfstep::pipeline
