// tuning_options.hpp: which algorithms change a model before and after its grids are chosen, and their parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "halfstep/quantization_options.hpp"

namespace halfstep {

/// What they do, and where from: docs/calibration.md.
enum class Algorithm {
  kCle,             ///< Classic cross-layer equalization of pairs and triples; ReLU6 becomes ReLU.
  kEqualize,        ///< Channels scaled so that grids fit them, the float function left as it is.
  kHba,             ///< High-bias absorption.
  kWeightClip,      ///< Outliers of weights cut off.
  kRound,           ///< Weights rounded by what the layer's inputs say matters.
  kBiasCorrection,  ///< Means of channels made equal to those of the float model.
};

/// How the default set of algorithms and ranges weighs time against accuracy.
enum class Effort {
  kFast,     ///< Ranges only: one pass over the samples.
  kDefault,  ///< The best within 2.5 times the time of kFast.
  kBest,     ///< The best there is.
};

/// How bias correction finds biases.
enum class BiasMethod {
  kEmpirical,  ///< From samples, by Newton's steps.
  kIterative,  ///< From samples, as TIDL does: factor, iterations and frames.
  kAnalytic,   ///< From the statistics of BatchNormalization, without samples.
};

/// How outliers of weights are told.
enum class ClipMethod {
  kMedian,      ///< By the median of magnitudes.
  kPercentile,  ///< A share of the largest.
};

struct TuningOptions {
  Effort effort = Effort::kDefault;
  std::vector<Algorithm> algorithms;  ///< In the order they run; each once.
  bool ladder = false;     ///< "auto": one set of algorithms after the other until the allowed accuracy drop holds.
  bool asked_for = false;  ///< A user or a recipe named them: an error where there are no samples to run them.
  /// What --effort lets held-out samples choose from for activations; the first is what QuantizationOptions say. Empty,
  /// or one: nothing to choose.
  std::vector<RangeMethod> range_choices;
  std::optional<double> equalize_alpha;  ///< 0 to 1; empty: chosen for each group.
  ClipMethod weight_clip_method = ClipMethod::kMedian;
  BiasMethod bias_method = BiasMethod::kEmpirical;
  double bias_calibration_factor = 0.05;  ///< kIterative: > 0, up to 1.
  int bias_calibration_iterations = 50;   ///< kIterative: >= 1.
  int bias_calibration_frames = 50;       ///< kIterative: samples, >= 1.
  std::int64_t num_samples = 64;          ///< Run by rounding and bias correction, at most; >= 1.

  friend bool operator==(const TuningOptions&, const TuningOptions&) = default;
};

}  // namespace halfstep
