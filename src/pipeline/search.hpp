// search.hpp: several schemes on the same samples, the best one kept.
#pragma once

#include <optional>
#include <vector>

#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"
#include "pipeline/tune_model.hpp"
#include "report/report.hpp"

namespace halfstep::pipeline {

/// What search() found.
struct SearchOutcome {
  TunedModel tuned;
  QuantizationOptions options;  ///< Of the scheme that was kept.
  TuningOptions tuning;
  std::vector<report::Trial> trials;  ///< In the order in which they were tried.
};

/// Tries a ladder of schemes: ranges, grids a channel and algorithms vary, bits, kinds of scales and channels of
/// weights stay as `request` says. Each learns from one part of the samples and is judged, in fixed point, on the
/// other; the one with the highest mean SQNR is kept, of those within 0.1 dB the one with the best agreement. The first
/// scheme is always tried, others as long as they promise to end within `time_budget_seconds`; empty: all. Errors:
/// those of tune_model().
Result<SearchOutcome> search(TuneRequest request, std::optional<double> time_budget_seconds, const Observer& observer);

}  // namespace halfstep::pipeline
