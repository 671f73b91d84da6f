// calibration_option.hpp: TIDL's calibrationOption, a bit field, in terms of our options.
#pragma once

#include <string>

#include "halfstep/quantization_options.hpp"
#include "halfstep/result.hpp"

namespace halfstep::pipeline {

/// 0: min-max, scales 2^n without zero points, one scale a tensor. Added to it: 1, percentile for activations with a
/// shrink of 0.01 %; 2, the same for weights; 8, per-channel weights of depthwise convolutions.
/// Errors: kUsage for what is no sum of TIDL's bits, and, by name, for bits that are not built.
Result<void> set_calibration_option(QuantizationOptions& options, const std::string& text);

}  // namespace halfstep::pipeline
