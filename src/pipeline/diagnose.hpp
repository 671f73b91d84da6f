// diagnose.hpp: why a quantized model is far from its float model, rung by rung. docs/diagnose.md.
#pragma once

#include "halfstep/arithmetic.hpp"
#include "halfstep/evaluate.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "pipeline/model_pair.hpp"
#include "report/diagnosis.hpp"

namespace halfstep::pipeline {

/// Errors: kUsage if a diagnosis is asked for in a mode without fixed point.
Result<void> check_diagnosis(const EvaluateRequest& request);

/// Errors: kUsage for a model without integer grids.
Result<void> check_diagnosis(const ModelPair& pair);

/// Everything quantized; the same ranges on 16 bits; weights, activations; layers; causes; what to try next. Over the
/// first samples of one shape, at most 32, in fixed point; stops at the rung that answers. `num_threads`: as given.
/// Errors: kUnsupported without a float32 output of known shape; those of lowering and
/// running. Requires: check_diagnosis(pair).
Result<report::Diagnosis> diagnose(const ModelPair& pair, const FixedPointOptions& fixed, int num_threads,
                                   const Observer& observer);

}  // namespace halfstep::pipeline
