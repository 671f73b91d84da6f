// make_quantized.hpp: from a float model to a quantized one, by ranges alone, with algorithms, or by the best of
// several.
#pragma once

#include <string>
#include <vector>

#include "halfstep/observer.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/result.hpp"
#include "io/json/statistics_json.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/sources.hpp"
#include "precision/assign_encodings.hpp"

namespace halfstep::pipeline {

/// What was learned on the way, beside the quantized model itself.
struct Quantized {
  io::Statistics seen;
  precision::EncodingCounts counts;
  precision::Plan plan;
  ops::Facts facts;  ///< Of the quantized model's graph.
  std::vector<std::string> warnings;
  /// What tensors of the quantized model are to be compared with, one by one: the float model with scaled channels, if
  /// that computes the same; else the float model as it was.
  graph::Graph reference;
  OtherUnits reference_units;  ///< Of `reference`.
  /// weights_fingerprint() of the quantized model's float graph; empty if algorithms left the weights as they were.
  std::string changed_weights = {};
};

/// Makes `model` the quantized one: by request.search, else with request.tuning's algorithms, else by ranges alone.
/// Algorithms that nobody asked for are left out where there are statistics instead of samples, or one sample only.
/// Fills what `story` says of samples and algorithms. The same for every number of threads.
/// Errors: those of observe(), calibrate() and tune_model().
Result<Quantized> make_quantized(QuantizeRequest& request, Sources& sources, PreparedModel& model,
                                 const Observer& observer, QuantizeStory& story);

}  // namespace halfstep::pipeline
