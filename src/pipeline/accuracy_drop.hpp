// accuracy_drop.hpp: how much accuracy a quantized model loses, for what searches until a loss is allowed.
#pragma once

#include <memory>
#include <optional>

#include "compare/outputs.hpp"
#include "exec/samples.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/photos.hpp"
#include "pipeline/sources.hpp"
#include "pipeline/trial_models.hpp"
#include "sensitivity/output_judge.hpp"

namespace halfstep::pipeline {

/// What models are judged by: MixedPrecisionSearch::eval_input_list, else the calibration samples.
struct AccuracyJudges {
  std::optional<OpenedSamples> opened;  ///< Of a list of its own.
  exec::SampleSource samples;           ///< Reads this reader's, or that of Sources.
  compare::OutputMeasures measures;
};

/// `sources` must outlive the result. Errors: those of reading; kInvalidInput if labels and list differ in length.
Result<std::unique_ptr<AccuracyJudges>> open_judges(const QuantizeRequest& request, const RawModel& raw,
                                                    const Sources& sources);

/// Of a model in fixed point, over all samples of `judges`. Errors: those of lowering, loading and running.
Result<OutputScore> score_of(const Trial& trial, const AccuracyJudges& judges, const ops::InputShapes& shapes,
                             int num_threads, const sensitivity::OutputJudge& judge);

/// How much accuracy is lost, in percentage points; see MixedPrecisionSearch::allowed_accuracy_drop.
double drop_of(const OutputScore& score, const OutputScore& reference);

/// Of what: "top-1", "agreement" or "noise".
const char* measure_of(const OutputScore& score);

}  // namespace halfstep::pipeline
