// quantize.cpp: the story of quantize, in order.
#include "halfstep/quantize.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "halfstep/options.hpp"
#include "halfstep/version.hpp"
#include "io/json/encodings_json.hpp"
#include "io/json/statistics_json.hpp"
#include "lower/lower.hpp"
#include "pipeline/calibrate.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/observe_float.hpp"
#include "pipeline/quantize_files.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/range_report.hpp"
#include "pipeline/statistics.hpp"
#include "pipeline/tune_model.hpp"
#include "pipeline/weight_ranges.hpp"
#include "precision/check_constants.hpp"
#include "precision/choose_tensors.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::OutputPaths;
using pipeline::PreparedModel;
using pipeline::QuantizeStory;
using pipeline::RawModel;

/// The first samples again, float against fixed point.
Result<void> validate(const QuantizeRequest& request, const graph::Graph& reference, const PreparedModel& model,
                      const io::SampleReader& reader, const Observer& observer, QuantizeStory& story) {
  pipeline::FloatComparison comparison;
  comparison.reference = &reference;
  comparison.quantized = &model.graph;
  comparison.encodings = &model.encodings;
  comparison.samples = pipeline::source_of(reader);
  comparison.samples.count = std::min(comparison.samples.count, request.num_validation_samples);
  comparison.num_threads = pipeline::num_threads_for(request.num_threads, comparison.samples.count);
  comparison.mode = EvaluateMode::kFixed;
  comparison.fixed = story.fixed;
  if (comparison.samples.count == 0) return {};
  Result<pipeline::FloatComparisonOutcome> outcome = pipeline::compare_with_float(comparison, observer);
  if (!outcome.ok()) return outcome.error();
  if (observer.warning) std::ranges::for_each(outcome->warnings, observer.warning);
  pipeline::put(*std::move(outcome), comparison, story.report);
  return {};
}

/// Which of the ways to calibrate is asked for.
Result<void> check_sources(const QuantizeRequest& request) {
  const bool reads = !request.statistics_in.empty();
  if (request.input_list.empty() && !reads) {
    return usage("nothing to calibrate with: give --input_list FILE (docs/input-list.md), or --statistics_in FILE...");
  }
  if (reads && request.statistics_out) {
    return usage("--statistics_out keeps what samples show, and --statistics_in runs none: use one of them");
  }
  if (request.shard && !request.statistics_out) {
    return usage("--shard writes statistics only: give --statistics_out FILE, too");
  }
  if (request.shard && (request.output_path || request.encodings_out || request.report)) {
    return usage("--shard writes statistics only: --output_path, --encodings_out and --report have no effect");
  }
  return {};
}

/// What there is to calibrate with.
struct Sources {
  std::optional<io::SampleReader> reader;
  std::optional<pipeline::MergedStatistics> statistics;
  ops::InputShapes shapes;
};

Result<Sources> open_sources(const QuantizeRequest& request, const RawModel& raw,
                             const std::function<void(const std::string&)>& warn) {
  Sources sources;
  if (!request.input_list.empty()) {
    Result<io::SampleReader> reader = pipeline::open_samples(raw, request.input_list);
    if (!reader.ok()) return reader.error();
    if (!reader->list().output_layers.empty() || !reader->list().output_tensors.empty()) {
      warn(request.input_list.string() +
           ": lines naming outputs do not restrict calibration, every tensor is observed");
    }
    Result<ops::InputShapes> shapes = pipeline::shapes_of_first_sample(raw, *reader);
    if (!shapes.ok()) return shapes.error();
    sources.shapes = *std::move(shapes);
    sources.reader.emplace(*std::move(reader));
  }
  if (!request.statistics_in.empty()) {
    Result<pipeline::MergedStatistics> statistics = pipeline::read_statistics(request.statistics_in);
    if (!statistics.ok()) return statistics.error();
    if (Result<void> fit = pipeline::check_inputs(*statistics, raw); !fit.ok()) return fit.error();
    sources.shapes = statistics->inputs;
    sources.statistics.emplace(*std::move(statistics));
  }
  return sources;
}

/// From samples, or from files; for writing, of everything any method could read.
Result<io::Statistics> observe(const QuantizeRequest& request, Sources& sources, const graph::Graph& graph,
                               const ops::Facts& facts, const precision::Plan& plan, const Observer& observer,
                               QuantizeStory& story) {
  io::Statistics seen;
  std::vector<calib::Watch> watches = precision::watches_of(graph, facts, plan);
  if (sources.statistics) {
    if (auto fit = pipeline::check_statistics(*sources.statistics, graph, watches); !fit.ok()) return fit.error();
    story.report.num_calibration_samples = sources.statistics->num_samples;
    story.num_statistics_files = request.statistics_in.size();
    seen.observations = std::move(sources.statistics->observations);
    return seen;
  }
  const Shard shard = request.shard.value_or(Shard{});
  const exec::SampleSource samples = pipeline::part_of(pipeline::source_of(*sources.reader), shard);
  story.report.num_calibration_samples = samples.count;
  story.num_threads = pipeline::num_threads_for(request.num_threads, samples.count);
  if (request.statistics_out) {
    watches = pipeline::watches_for_any_method(graph, facts, plan);
    Result<io::Statistics> header =
        pipeline::statistics_header(graph, sources.shapes, request.model.model, *sources.reader, shard);
    if (!header.ok()) return header.error();
    seen = *std::move(header);
  }
  if (samples.count == 0) {
    for (const calib::Watch& watch : watches)
      seen.observations.emplace(graph.value(watch.value).name, calib::Observation{});
    return seen;
  }
  Result<calib::Observations> observations =
      pipeline::observe_float(graph, std::move(watches), samples, story.num_threads, "calibrating", observer,
                              [shard](std::int64_t i) { return shard.index + i * shard.count; });
  if (!observations.ok()) return observations.error();
  seen.observations = *std::move(observations);
  return seen;
}

/// A share of the samples is no calibration: its statistics are all that is written.
Result<QuantizeOutcome> observe_shard(const QuantizeRequest& request, Sources& sources, const PreparedModel& model,
                                      const Observer& observer, QuantizeStory& story) {
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, sources.shapes);
  if (!facts.ok()) return facts.error().at(request.model.model.string());
  const precision::Plan plan = precision::choose_tensors(model.graph, *facts, request.options, model.encodings);
  const Result<io::Statistics> seen = observe(request, sources, model.graph, *facts, plan, observer, story);
  if (!seen.ok()) return seen.error();
  const Result<void> written = write_file(*request.statistics_out, io::write_statistics(*seen));
  if (!written.ok()) return written.error();
  QuantizeOutcome outcome;
  outcome.summary = pipeline::shard_summary(request, story, seen->observations.size());
  return outcome;
}

/// What calibration, and tuning if any, left beside the quantized model itself.
struct Quantized {
  io::Statistics seen;
  precision::EncodingCounts counts;
  std::vector<std::string> warnings;
};

/// By ranges alone. `model` gets its encodings.
Result<Quantized> choose_ranges(const QuantizeRequest& request, Sources& sources, PreparedModel& model,
                                const Observer& observer, QuantizeStory& story) {
  Quantized quantized;
  const auto look = [&](const ops::Facts& facts, const precision::Plan& plan) -> Result<calib::Observations> {
    Result<io::Statistics> seen = observe(request, sources, model.graph, facts, plan, observer, story);
    if (!seen.ok()) return seen.error();
    quantized.seen = *std::move(seen);
    return std::move(quantized.seen.observations);
  };
  Result<pipeline::Calibration> made =
      pipeline::calibrate(model.graph, model.encodings, sources.shapes, request.options, look);
  if (!made.ok()) return made.error();
  quantized.seen.observations = std::move(made->seen);
  quantized.counts = made->counts;
  quantized.warnings = std::move(made->warnings);
  model.encodings = std::move(made->model.encodings);
  return quantized;
}

bool is_tuned(const QuantizeRequest& request) {
  return !request.tuning.algorithms.empty() && request.statistics_in.empty() && !request.statistics_out;
}

/// With the algorithms asked for. `model` becomes the quantized one.
Result<Quantized> tune(const QuantizeRequest& request, Sources& sources, PreparedModel& model,
                       const Observer& observer, QuantizeStory& story) {
  pipeline::TuneRequest tuning;
  tuning.graph = &model.graph;
  tuning.imported = &model.encodings;
  tuning.shapes = sources.shapes;
  tuning.options = request.options;
  tuning.tuning = request.tuning;
  tuning.fixed = [&](const EncodingSet& encodings) {
    return pipeline::fixed_options_for(encodings, model.arithmetic, request.fixed);
  };
  tuning.samples = pipeline::source_of(*sources.reader);
  story.report.num_calibration_samples = tuning.samples.count;
  story.num_threads = pipeline::num_threads_for(request.num_threads, tuning.samples.count);
  tuning.num_threads = story.num_threads;
  tuning.observe = [&](const graph::Graph& graph, const ops::Facts& facts, const precision::Plan& plan,
                       const std::vector<calib::Watch>& more, const exec::SampleSource& samples) {
    return pipeline::observe_float(graph, pipeline::watches_of_both(precision::watches_of(graph, facts, plan), more),
                                   samples, story.num_threads, "calibrating", observer);
  };
  Result<pipeline::TunedModel> tuned = pipeline::tune_model(tuning, observer);
  if (!tuned.ok()) return tuned.error();
  story.report.tuning = std::move(tuned->steps);
  story.report.num_held_out = tuned->num_held_out;
  story.report.weight_ranges = pipeline::weight_ranges(model.graph, tuned->float_graph);
  static_cast<QuantizedGraph&>(model) = std::move(tuned->calibration.model);
  Quantized quantized;
  quantized.seen.observations = std::move(tuned->calibration.seen);
  quantized.counts = tuned->calibration.counts;
  quantized.warnings = std::move(tuned->calibration.warnings);
  return quantized;
}

}  // namespace

Result<QuantizeOutcome> quantize(const QuantizeRequest& request, const Observer& observer) {
  QuantizeStory story;
  if (Result<void> legal = precision::check(request.options); !legal.ok()) return legal.error();
  if (Result<void> sensible = check_sources(request); !sensible.ok()) return sensible.error();
  const Result<io::EncodingsVersion> version = io::encodings_version(request.encodings_version);
  if (!version.ok()) return version.error();
  Result<OutputPaths> paths = pipeline::output_paths(request);
  if (!paths.ok()) return paths.error();
  const auto warn = [&](const std::string& text) {
    story.report.warnings.push_back(text);
    if (observer.warning) observer.warning(text);
  };

  // Read.
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  story.num_file_nodes = raw->graph.nodes.size();
  story.report.float_model_bytes = raw->num_bytes;
  Result<Sources> sources = open_sources(request, *raw, warn);
  if (!sources.ok()) return sources.error();
  if (Result<void> finite = precision::check_constants(raw->graph); !finite.ok()) {
    return finite.error().at(request.model.model.string());
  }

  // Fold and fuse.
  Result<PreparedModel> prepared = pipeline::prepare_model(*std::move(raw), sources->shapes, {}, observer);
  if (!prepared.ok()) return prepared.error();
  PreparedModel model = *std::move(prepared);
  const std::string place = request.model.model.string();
  story.num_nodes = model.graph.nodes.size();
  if (request.shard) return observe_shard(request, *sources, model, observer, story);

  // Observe, then decide.
  const graph::Graph reference = model.graph;
  story.num_imported = model.encodings.size();
  Result<Quantized> quantized = is_tuned(request) ? tune(request, *sources, model, observer, story)
                                                  : choose_ranges(request, *sources, model, observer, story);
  if (!quantized.ok()) return quantized.error().at(place);
  if (story.num_imported > 0 && story.num_imported == model.encodings.size()) {
    warn(place + ": every tensor carries an encoding already; all are kept as they are" +
         (pipeline::asks_for_precision(request.options) ? ", so precision options have no effect" : ""));
  }
  for (const std::string& warning : quantized->warnings) warn(warning);
  if (model.encodings.empty()) {
    return Error{ErrorCode::kUnsupported, place +
                                              ": nothing to quantize, no operator of this model computes on float32 "
                                              "data and has an integer form; see quantize-inspect"};
  }

  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(model, request.fixed);
  if (!fixed.ok()) return fixed.error();
  story.fixed = *fixed;

  // Judge and write.
  story.report.kind = "quantize";
  story.report.tool_version = kVersion;
  story.report.model = place;
  story.report.quantized = paths->model.string();
  story.report.input_list = request.input_list.string();
  story.report.mode = "fixed";
  story.report.arithmetic = name_of(story.fixed.arithmetic);
  story.report.options = settings_of(request.options);
  const Result<lower::Program> program =
      lower::fixed_program(model.graph, sources->shapes, model.encodings, story.fixed);
  if (!program.ok()) return program.error().at(place);
  for (const lower::Island& island : program->islands) {
    story.report.float_islands.push_back({island.label, model.graph.node(island.node).op_type, island.reason});
  }
  pipeline::count_encodings(model.encodings, story.report);
  story.num_observed = static_cast<std::size_t>(quantized->counts.observed);
  if (sources->reader) {
    if (auto judged = validate(request, reference, model, *sources->reader, observer, story); !judged.ok())
      return judged.error();
  }
  pipeline::put_ranges(model.graph, model.encodings, quantized->seen.observations, story.report);
  if (auto written = pipeline::write_files(request, *version, *paths, model, quantized->seen, story); !written.ok()) {
    return written.error();
  }
  std::vector<std::filesystem::path> files{paths->model, paths->encodings, paths->report};
  if (request.statistics_out) files.push_back(*request.statistics_out);
  return QuantizeOutcome{paths->model, paths->encodings, paths->report, pipeline::summary_of(request, story, files)};
}

}  // namespace halfstep
