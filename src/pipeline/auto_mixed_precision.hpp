// auto_mixed_precision.hpp: quantize --auto_mixed_precision.
#pragma once

#include "encoding/target_profile.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/quantize_files.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/sources.hpp"

namespace halfstep::pipeline {

/// Errors: kUsage for options of the search that contradict each other or others of `request`, or have no effect.
Result<void> check_mixed_precision(const QuantizeRequest& request);

/// Finds which layers need more bits, writes paths.overrides, which says so, and adds that file to
/// request.quantization_overrides: what quantize() makes of it is what the search measured. `raw`: as read. Fills
/// story.report.mixed_precision. Errors: those of quantize() under any of the assignments it tries, and of reading the
/// samples to judge by; kUnsupported if nothing can be judged.
Result<void> search_mixed_precision(QuantizeRequest& request, const RawModel& raw, Sources& sources,
                                    const TargetProfile* target, const OutputPaths& paths, const Observer& observer,
                                    QuantizeStory& story);

}  // namespace halfstep::pipeline
