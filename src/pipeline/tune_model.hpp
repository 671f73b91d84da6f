// tune_model.hpp: the algorithms of a request, one after the other, each kept only if held-out samples gain.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "exec/samples.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/tuning_options.hpp"
#include "pipeline/calibrate.hpp"
#include "pipeline/other_units.hpp"
#include "report/report.hpp"
#include "tune/judge.hpp"

namespace halfstep::pipeline {

/// What tuning works on.
struct TuneRequest {
  const graph::Graph* graph = nullptr;      ///< Prepared, in float.
  const precision::Given* given = nullptr;  ///< Encodings and orders that stay.
  ops::InputShapes shapes;                  ///< Of the first sample.
  QuantizationOptions options;
  TuningOptions tuning;
  /// The rule and accumulators that these encodings are run with.
  std::function<Result<FixedPointOptions>(const EncodingSet&)> fixed;
  exec::SampleSource samples;
  int num_threads = 1;
  /// Observes tensors of a float model over samples.
  std::function<Result<calib::Observations>(const graph::Graph&, const std::vector<calib::Watch>&,
                                            const exec::SampleSource&)>
      observe;
};

struct TunedModel {
  Calibration calibration;        ///< `calibration.model` is the quantized model with everything that was kept.
  graph::Graph float_graph;       ///< What calibration saw: equalized, clipped, not rounded or corrected.
  bool changes_function = false;  ///< Its float outputs differ from the model's by more than rounding.
  OtherUnits units;               ///< Tensors whose units kept steps changed.
  std::vector<report::TuningStep> steps;
  RangeRule act_range;  ///< Of activations: what --effort let held-out samples choose.
  tune::Score score;    ///< Of the result, on the held-out samples.
  std::int64_t num_held_out = 0;
};

/// Every eighth sample (of fewer than 64, every fourth), at most 32, is held out of what rounding and bias correction
/// see, and judges every step; ranges see all. The same for every number of threads. Errors: kUsage without a sample to
/// hold out; those of calibrating, lowering and running.
Result<TunedModel> tune_model(const TuneRequest& request, const Observer& observer);

}  // namespace halfstep::pipeline
