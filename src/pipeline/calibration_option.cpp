// calibration_option.cpp: the bits of TIDL's calibrationOption.
#include "pipeline/calibration_option.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "pipeline/option_values.hpp"

namespace halfstep::pipeline {
namespace {

constexpr std::int64_t kActivationRange = 1;
constexpr std::int64_t kWeightRange = 2;
constexpr std::int64_t kBiasCalibration = 4;
constexpr std::int64_t kDepthwisePerChannel = 8;
constexpr std::int64_t kDepthwise16 = 16;
constexpr std::int64_t kFirstLayer16 = 32;
constexpr double kShrinkPercent = 0.01;  // TIDL's default of percentileActRangeShrink and percentileWtRangeShrink.

struct MissingBit {
  std::int64_t bit;
  std::string_view what;
};
constexpr std::array<MissingBit, 1> kMissing{{{64, "bias range"}}};

RangeRule rule_of(bool percentile) {
  RangeRule rule;
  if (!percentile) return rule;
  rule.method = RangeMethod::kPercentile;
  rule.percentile = 100.0 - kShrinkPercent;
  return rule;
}

}  // namespace

Result<void> set_calibration_option(QuantizeRequest& request, const std::string& text) {
  const std::optional<std::int64_t> bits = number_of<std::int64_t>(text);
  if (!bits || *bits < 0 || *bits > 127) {
    return illegal("calibration_option", text,
                   "a sum of TIDL's 1 (activation range), 2 (weight range), 4 (bias calibration), 8 (per-channel "
                   "weights of depthwise convolutions), 16 (their weights in 16 bits) and 32 (those of the first layer "
                   "in 16 bits), or 0");
  }
  std::string asked;
  std::int64_t supported = *bits;
  for (const MissingBit& missing : kMissing) {
    if ((*bits & missing.bit) == 0) continue;
    supported -= missing.bit;
    asked += (asked.empty() ? "" : " and ") + std::string(missing.what) + " (" + std::to_string(missing.bit) + ")";
  }
  if (!asked.empty()) {
    return Error{ErrorCode::kUsage, "--calibration_option: " + text + " asks for " + asked +
                                        ", which this version does not have; use " + std::to_string(supported)};
  }
  QuantizationOptions& options = request.options;
  options.scale = ScaleKind::kPowerOfTwo;
  options.act_schema = Schema::kUnsignedSymmetric;
  options.param_schema = Schema::kSymmetric;
  options.trim_flat = false;
  const bool depthwise = (*bits & kDepthwisePerChannel) != 0;
  options.per_channel = depthwise ? WeightsPerChannel::kDepthwise : WeightsPerChannel::kNone;
  options.mixed.depthwise_params_16bit |= (*bits & kDepthwise16) != 0;
  options.mixed.first_layer_params_16bit |= (*bits & kFirstLayer16) != 0;
  options.act_range = rule_of((*bits & kActivationRange) != 0);
  options.param_range = rule_of((*bits & kWeightRange) != 0);
  request.tuning.algorithms.clear();
  request.tuning.asked_for = true;
  if ((*bits & kBiasCalibration) != 0) {
    // TI's simulation clips weights where bias calibration is on and channels have no scales of their own.
    if (!depthwise) request.tuning.algorithms.push_back(Algorithm::kWeightClip);
    request.tuning.algorithms.push_back(Algorithm::kBiasCorrection);
    request.tuning.bias_method = BiasMethod::kIterative;
  }
  return {};
}

}  // namespace halfstep::pipeline
