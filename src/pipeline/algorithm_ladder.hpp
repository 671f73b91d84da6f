// algorithm_ladder.hpp: quantize --algorithms auto.
#pragma once

#include "encoding/target_profile.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/sources.hpp"

namespace halfstep::pipeline {

/// Errors: kUsage if --algorithms auto has no aim, or does not go with other options of `request`.
Result<void> check_ladder(const QuantizeRequest& request);

/// Tries one set of algorithms after the other, each more work than the one before, until the allowed accuracy drop
/// holds: request.tuning.algorithms become those. Where none holds they become those of the smallest drop, and
/// request.mixed_precision is enabled. Fills story.report.trials.
/// Errors: those of quantize(), and of reading the samples to judge by.
Result<void> climb_ladder(QuantizeRequest& request, const RawModel& raw, Sources& sources, const TargetProfile* target,
                          const Observer& observer, QuantizeStory& story);

}  // namespace halfstep::pipeline
