// options.cpp: names, and the order that makes sense.
#include "tune/options.hpp"

#include <string>

#include "core/errors.hpp"

namespace halfstep::tune {

std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kCle:
      return "cle";
    case Algorithm::kEqualize:
      return "equalize";
    case Algorithm::kHba:
      return "hba";
    case Algorithm::kWeightClip:
      return "weight-clip";
    case Algorithm::kRound:
      return "round";
    case Algorithm::kBiasCorrection:
      break;
  }
  return "bias-correction";
}

std::string_view name_of(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return "fast";
    case Effort::kBest:
      return "best";
    case Effort::kDefault:
      break;
  }
  return "default";
}

std::string_view name_of(BiasMethod method) {
  switch (method) {
    case BiasMethod::kIterative:
      return "iterative";
    case BiasMethod::kAnalytic:
      return "analytic";
    case BiasMethod::kEmpirical:
      break;
  }
  return "empirical";
}

std::string_view name_of(ClipMethod method) { return method == ClipMethod::kMedian ? "median" : "percentile"; }

bool is_swept(Algorithm algorithm, const TuningOptions& options) {
  if (algorithm == Algorithm::kBiasCorrection) return options.bias_method != BiasMethod::kAnalytic;
  return algorithm == Algorithm::kRound;
}

Result<void> check(const TuningOptions& options) {
  const Algorithm* quantized = nullptr;
  for (const Algorithm& algorithm : options.algorithms) {
    const bool changes_codes = algorithm == Algorithm::kRound || algorithm == Algorithm::kBiasCorrection;
    if (changes_codes) quantized = &algorithm;
    if (changes_codes || quantized == nullptr) continue;
    return usage("--algorithms: " + std::string(name_of(algorithm)) + " changes the float model, and " +
                 std::string(name_of(*quantized)) + ", which works on the quantized one, would be lost: put it last");
  }
  return {};
}

}  // namespace halfstep::tune
