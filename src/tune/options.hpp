// options.hpp: how options spell algorithms, and which go together.
#pragma once

#include <array>
#include <string_view>

#include "halfstep/result.hpp"
#include "halfstep/tuning_options.hpp"

namespace halfstep::tune {

inline constexpr std::array kAlgorithms{Algorithm::kCle,        Algorithm::kEqualize, Algorithm::kHba,
                                        Algorithm::kWeightClip, Algorithm::kRound,    Algorithm::kBiasCorrection};
inline constexpr std::array kEfforts{Effort::kDefault, Effort::kFast, Effort::kBest};
inline constexpr std::array kBiasMethods{BiasMethod::kEmpirical, BiasMethod::kIterative, BiasMethod::kAnalytic};
inline constexpr std::array kClipMethods{ClipMethod::kMedian, ClipMethod::kPercentile};

/// "cle", "equalize", "hba", "weight-clip", "round", "bias-correction".
std::string_view name_of(Algorithm algorithm);
/// "fast", "default", "best".
std::string_view name_of(Effort effort);
/// "empirical", "iterative", "analytic".
std::string_view name_of(BiasMethod method);
/// "median", "percentile".
std::string_view name_of(ClipMethod method);

/// Whether the algorithm works layer by layer on a model that is quantized already, in a sweep; the others change the
/// float model, which is calibrated again.
bool is_swept(Algorithm algorithm, const TuningOptions& options);

/// Errors: kUsage if an algorithm that changes the float model follows one that changes the quantized one, which would
/// be lost.
Result<void> check(const TuningOptions& options);

}  // namespace halfstep::tune
