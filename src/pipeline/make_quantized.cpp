// make_quantized.cpp: the three ways.
#include "pipeline/make_quantized.hpp"

#include <utility>

#include "pipeline/calibrate.hpp"
#include "pipeline/observe_float.hpp"
#include "pipeline/search.hpp"
#include "pipeline/tune_model.hpp"
#include "pipeline/weight_ranges.hpp"
#include "pipeline/weights_fingerprint.hpp"

namespace halfstep::pipeline {
namespace {

/// By ranges alone. `model` gets its encodings.
Result<Quantized> choose_ranges(const QuantizeRequest& request, Sources& sources, PreparedModel& model,
                                const Observer& observer, QuantizeStory& story) {
  Quantized quantized;
  const auto look = [&](const ops::Facts& facts, const precision::Plan& plan) -> Result<calib::Observations> {
    if (request.options.act_bits == 32) return calib::Observations{};
    Result<io::Statistics> seen = observe(request, sources, model.graph, facts, plan, observer, story);
    if (!seen.ok()) return seen.error();
    quantized.seen = *std::move(seen);
    return std::move(quantized.seen.observations);
  };
  const precision::Given given = given_of(model);
  Result<Calibration> made = calibrate(model.graph, given, sources.shapes, request.options, look);
  if (!made.ok()) return made.error();
  quantized.seen.observations = std::move(made->seen);
  quantized.counts = made->counts;
  quantized.plan = std::move(made->plan);
  quantized.facts = std::move(made->facts);
  quantized.warnings = std::move(made->warnings);
  model.encodings = std::move(made->model.encodings);
  quantized.reference = model.graph;
  quantized.reference_units = model.units;
  return quantized;
}

/// `given` must outlive the result.
TuneRequest tune_request(const QuantizeRequest& request, const Sources& sources, const PreparedModel& model,
                         const precision::Given& given, const Observer& observer, QuantizeStory& story) {
  TuneRequest tuning;
  tuning.graph = &model.graph;
  tuning.given = &given;
  tuning.shapes = sources.shapes;
  tuning.options = request.options;
  tuning.tuning = request.tuning;
  tuning.fixed = [&request, &model](const EncodingSet& encodings) {
    return fixed_options_for(encodings, model.arithmetic, request.fixed);
  };
  tuning.samples = source_of(sources.samples->reader);
  story.report.num_calibration_samples = tuning.samples.count;
  story.num_threads = num_threads_for(request.num_threads, tuning.samples.count);
  tuning.num_threads = story.num_threads;
  tuning.observe = [&story, &observer](const graph::Graph& graph, const std::vector<calib::Watch>& watches,
                                       const exec::SampleSource& samples) {
    return observe_float(graph, watches, samples, story.num_threads, "calibrating", observer);
  };
  return tuning;
}

/// `model` becomes the tuned one.
Quantized take(TunedModel tuned, PreparedModel& model, QuantizeStory& story) {
  story.report.tuning = std::move(tuned.steps);
  story.report.num_held_out = tuned.num_held_out;
  story.report.weight_ranges = weight_ranges(model.graph, tuned.float_graph);
  Quantized quantized;
  std::string weights = weights_fingerprint(tuned.calibration.model.graph);
  if (weights != weights_fingerprint(model.graph)) quantized.changed_weights = std::move(weights);
  quantized.reference_units = model.units;
  model.units.add(tuned.units);
  if (!tuned.changes_function) quantized.reference_units = model.units;
  quantized.reference = tuned.changes_function ? model.graph : std::move(tuned.float_graph);
  static_cast<QuantizedGraph&>(model) = std::move(tuned.calibration.model);
  quantized.seen.observations = std::move(tuned.calibration.seen);
  quantized.counts = tuned.calibration.counts;
  quantized.plan = std::move(tuned.calibration.plan);
  quantized.facts = std::move(tuned.calibration.facts);
  quantized.warnings = std::move(tuned.calibration.warnings);
  return quantized;
}

}  // namespace

Result<Quantized> make_quantized(QuantizeRequest& request, Sources& sources, PreparedModel& model,
                                 const Observer& observer, QuantizeStory& story) {
  const bool has_samples = request.statistics_in.empty() && !request.statistics_out && sources.samples;
  const bool wants = request.search || !request.tuning.algorithms.empty() || request.tuning.range_choices.size() > 1;
  const bool weights_only = request.options.act_bits == 32;  // No algorithm was asked for: check_sources().
  const bool can =
      has_samples && (sources.samples->reader.num_samples() > 1 || request.tuning.asked_for || request.search);
  if (!wants || !can || weights_only) {
    request.tuning.algorithms.clear();
    if (wants && has_samples && !weights_only)
      story.untuned = "one sample leaves none to judge algorithms by: ranges alone decide";
    return choose_ranges(request, sources, model, observer, story);
  }
  const precision::Given given = given_of(model);
  const TuneRequest tuning = tune_request(request, sources, model, given, observer, story);
  if (!request.search) {
    Result<TunedModel> tuned = tune_model(tuning, observer);
    if (!tuned.ok()) return tuned.error();
    request.options.act_range = tuned->act_range;
    return take(*std::move(tuned), model, story);
  }
  Result<SearchOutcome> found = search(tuning, request.time_budget_seconds, observer);
  if (!found.ok()) return found.error();
  request.options = found->options;
  request.tuning = found->tuning;
  story.report.trials = std::move(found->trials);
  return take(std::move(found->tuned), model, story);
}

}  // namespace halfstep::pipeline
