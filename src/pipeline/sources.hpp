// sources.hpp: what quantize calibrates with: samples, or statistics of samples.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "calib/observe.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "io/json/statistics_json.hpp"
#include "ops/infer_graph.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/photos.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/statistics.hpp"
#include "precision/plan.hpp"

namespace halfstep::pipeline {

/// Which of the ways to calibrate is asked for.
/// Errors: kUsage for none, for several that exclude each other, and for algorithms where there are no samples.
Result<void> check_sources(const QuantizeRequest& request);

/// What there is to calibrate with.
struct Sources {
  std::optional<OpenedSamples> samples;
  std::optional<MergedStatistics> statistics;
  ops::InputShapes shapes;
};

/// Errors: those of open_samples(), read_statistics() and check_inputs().
Result<Sources> open_sources(const QuantizeRequest& request, const RawModel& raw,
                             const std::function<void(const std::string&)>& warn);

/// From samples, or from files; for writing, of everything any method could read. Fills what `story` says of samples.
/// Errors: those of check_statistics() and observe_float().
Result<io::Statistics> observe(const QuantizeRequest& request, Sources& sources, const graph::Graph& graph,
                               const ops::Facts& facts, const precision::Plan& plan, const Observer& observer,
                               QuantizeStory& story);

}  // namespace halfstep::pipeline
