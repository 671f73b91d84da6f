// output_score.hpp: how close one form of a model comes to the float model at its outputs.
#pragma once

#include <optional>

namespace halfstep {

/// Of one form over all samples. Percentages run from 0 to 100; empty: not measured.
struct OutputScore {
  double sqnr_db = 0.0;  ///< Mean over the float32 outputs of their SQNR over all samples; each from -200 to 200.
  std::optional<double> agreement_percent = std::nullopt;  ///< Same best class as the float model.
  std::optional<double> top1_percent = std::nullopt;       ///< With labels.
  std::optional<double> top5_percent = std::nullopt;       ///< With labels.
  std::optional<double> miou_percent = std::nullopt;       ///< With masks.
  std::optional<double> command_score = std::nullopt;      ///< Of --metric_command, in its unit.

  friend bool operator==(const OutputScore&, const OutputScore&) = default;
};

/// Of forms that differ in what of the same layers is quantized; empty: not run, or nothing of the kind to quantize.
struct PartScores {
  std::optional<OutputScore> both;
  std::optional<OutputScore> weights;
  std::optional<OutputScore> activations;
};

}  // namespace halfstep
