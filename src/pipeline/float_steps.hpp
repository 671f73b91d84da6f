// float_steps.hpp: the algorithms that change the float model, behind one call.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "calib/observe.hpp"
#include "halfstep/result.hpp"
#include "halfstep/tuning_options.hpp"
#include "pipeline/calibrate.hpp"
#include "pipeline/other_units.hpp"

namespace halfstep::pipeline {

struct FloatStep {
  Algorithm algorithm = Algorithm::kEqualize;  ///< kCle, kEqualize, kHba or kWeightClip.
  const TuningOptions& tuning;
  const graph::Graph& graph;
  const EncodingSet& imported;
  double weight_shrink = 0.01;     ///< Percent of a weight's values beyond its percentile.
  const Calibration& calibration;  ///< Of `graph`, as it is quantized so far.
  /// Observes `graph` with these watched, too.
  std::function<Result<calib::Observations>(const std::vector<calib::Watch>&)> observe = {};
};

struct ChangedFloat {
  graph::Graph graph;
  std::string did;                 ///< In words.
  std::vector<std::string> notes;  ///< What was left as it was, and why.
  bool changes_function = false;   ///< The float outputs differ by more than rounding.
  OtherUnits units = {};           ///< Tensors whose units it changed.
};

/// Errors: those of the algorithms and of `observe`.
Result<ChangedFloat> run_float_step(const FloatStep& step);

}  // namespace halfstep::pipeline
