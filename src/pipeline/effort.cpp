// effort.cpp: the choice that the measured tables suggest.
#include "pipeline/effort.hpp"

#include <string_view>

#include "pipeline/recipes.hpp"

namespace halfstep::pipeline {
namespace {

constexpr std::int64_t kBestSamples = 64;     // 96 and 160 win nothing that shows on mobilenetv2_tv.
constexpr std::int64_t kDefaultSamples = 32;  // Time is short there, and 64 win little.

class EffortOptions {
 public:
  EffortOptions(QuantizeRequest& request, OptionOrigins& origins) : request_(request), origins_(origins) {}

  void apply() {
    const bool weights_only = request_.options.act_bits == 32;
    const bool best = request_.tuning.effort == Effort::kBest;
    const bool affine = request_.options.scale == ScaleKind::kAffine;
    const bool by_channel = affine && request_.options.per_channel == WeightsPerChannel::kAll;
    if (undecided("act_per_channel") && suits_grids_by_channel(request_.options)) {
      request_.options.act_per_channel = ActPerChannel::kDepthwise;
      request_.options.wide_has_one_grid = true;
    }
    if (undecided("trim_flat")) request_.options.trim_flat = true;
    if (undecided("act_quantizer_calibration")) {
      request_.options.act_range.method = activation_method();
      request_.options.wide_keeps_range = true;
      const bool has_channels = request_.options.act_per_channel != ActPerChannel::kNone;
      if (has_channels && undecided("act_per_channel_calibration")) request_.options.channels_keep_range = true;
      request_.tuning.range_choices = range_choices(best);
    }
    const bool coarse = !affine || request_.options.weight_bits < 8;
    if (undecided("param_quantizer_calibration") && coarse) request_.options.param_range.method = RangeMethod::kMse;
    // Who wants no algorithms gets what statistics of the same samples would give: nothing is judged.
    const bool judges = !request_.tuning.asked_for || !request_.tuning.algorithms.empty();
    if (!judges) request_.tuning.range_choices.clear();
    if (undecided("algorithms") && !weights_only)
      request_.tuning.algorithms = algorithms(best || !by_channel || coarse);
    if (undecided("tuning_samples")) request_.tuning.num_samples = best ? kBestSamples : kDefaultSamples;
  }

 private:
  /// Also notes that effort decides it.
  bool undecided(std::string_view name) {
    if (origin_of(origins_, name).source != OptionSource::kDefault) return false;
    origins_[std::string(name)] = {OptionSource::kEffort, ""};
    return true;
  }

  RangeMethod activation_method() const {
    if (request_.options.act_bits > 8) return RangeMethod::kMinMax;
    return request_.options.scale == ScaleKind::kAffine ? RangeMethod::kPercentile : RangeMethod::kMse;
  }

  std::vector<RangeMethod> range_choices(bool best) const {
    const RangeMethod first = activation_method();
    if (first == RangeMethod::kMinMax) return {};
    std::vector<RangeMethod> choices{first, RangeMethod::kMinMax};
    if (best && first != RangeMethod::kMse) choices.push_back(RangeMethod::kMse);
    return choices;
  }

  static std::vector<Algorithm> algorithms(bool all) {
    if (all) return {Algorithm::kEqualize, Algorithm::kRound, Algorithm::kBiasCorrection};
    return {Algorithm::kBiasCorrection};
  }

  QuantizeRequest& request_;
  OptionOrigins& origins_;
};

}  // namespace

bool suits_grids_by_channel(const QuantizationOptions& options) {
  return options.scale == ScaleKind::kAffine && options.act_bits == 8 && options.per_channel == WeightsPerChannel::kAll;
}

void apply_effort(QuantizeRequest& request, OptionOrigins& origins) {
  if (request.tuning.effort != Effort::kFast) EffortOptions(request, origins).apply();
}

}  // namespace halfstep::pipeline
