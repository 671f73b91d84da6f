// quantize.cpp: the story of quantize, in order.
#include "halfstep/quantize.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "halfstep/options.hpp"
#include "halfstep/version.hpp"
#include "io/json/encodings_json.hpp"
#include "io/json/statistics_json.hpp"
#include "lower/lower.hpp"
#include "pipeline/algorithm_ladder.hpp"
#include "pipeline/auto_mixed_precision.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/given_orders.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/make_quantized.hpp"
#include "pipeline/quantize_dynamic.hpp"
#include "pipeline/quantize_files.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/range_report.hpp"
#include "pipeline/report_format.hpp"
#include "pipeline/sources.hpp"
#include "pipeline/target.hpp"
#include "pipeline/trial_models.hpp"
#include "precision/check_constants.hpp"
#include "precision/choose_tensors.hpp"
#include "precision/coverage.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::OutputPaths;
using pipeline::PreparedModel;
using pipeline::QuantizeStory;
using pipeline::RawModel;

using Lowered = std::shared_ptr<const lower::Program>;

/// The first samples again, float against fixed point. `lowered` is for the sources' shapes.
Result<void> validate(const QuantizeRequest& request, const pipeline::Quantized& made, const PreparedModel& model,
                      const pipeline::Sources& sources, Lowered lowered, const Observer& observer,
                      QuantizeStory& story) {
  pipeline::FloatComparison comparison;
  comparison.reference = &made.reference;
  comparison.quantized = &model.graph;
  comparison.encodings = &model.encodings;
  comparison.incomparable = pipeline::incomparable(model.units, made.reference_units);
  comparison.lowered = std::move(lowered);
  comparison.lowered_for = sources.shapes;
  comparison.samples = pipeline::source_of(sources.samples->reader);
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

/// A share of the samples is no calibration: its statistics are all that is written.
Result<QuantizeOutcome> observe_shard(const QuantizeRequest& request, pipeline::Sources& sources,
                                      const PreparedModel& model, const Observer& observer, QuantizeStory& story) {
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, sources.shapes);
  if (!facts.ok()) return facts.error().at(request.model.model.string());
  const precision::Plan plan =
      precision::choose_tensors(model.graph, *facts, request.options, pipeline::given_of(model));
  const Result<io::Statistics> seen = pipeline::observe(request, sources, model.graph, *facts, plan, observer, story);
  if (!seen.ok()) return seen.error();
  const Result<void> written = write_file(*request.statistics_out, io::write_statistics(*seen));
  if (!written.ok()) return written.error();
  QuantizeOutcome outcome;
  outcome.summary = pipeline::shard_summary(request, story, seen->observations.size());
  return outcome;
}

/// What the user should know of the encodings that were chosen.
void tell_of_plan(const QuantizeRequest& made, const PreparedModel& model, const pipeline::Quantized& quantized,
                  const QuantizeStory& story, const std::function<void(const std::string&)>& warn) {
  if (story.num_imported > 0 && made.quantization_overrides.empty() && story.num_imported == model.encodings.size()) {
    warn(made.model.model.string() + ": every tensor carries an encoding already; all are kept as they are" +
         (pipeline::asks_for_precision(made.options) ? ", so precision options have no effect" : ""));
  }
  for (const std::string& warning : quantized.warnings) warn(warning);
  for (const std::string& line : precision::unmet_orders(model.graph, quantized.facts, quantized.plan, model.encodings))
    warn(line);
}

/// Fills the report but for what samples show, and returns the fixed-point Program, which says what runs in float.
/// Errors: those of lowering, and of the target's check of the Program.
Result<Lowered> describe(const QuantizeRequest& made, const pipeline::Sources& sources, const TargetProfile* target,
                         const PreparedModel& model, const pipeline::Quantized& quantized, QuantizeStory& story) {
  story.report.kind = "quantize";
  story.report.tool_version = kVersion;
  story.report.model = made.model.model.string();
  if (sources.samples) story.report.input_list = sources.samples->reader.list().path.string();
  story.report.mode = "fixed";
  story.report.arithmetic = name_of(story.fixed.arithmetic);
  story.report.options = settings_of(made);
  Result<lower::Program> program = lower::fixed_program(model.graph, sources.shapes, model.encodings, story.fixed);
  if (!program.ok()) return program.error();
  if (target != nullptr) {
    const Result<void> legal = pipeline::check_target_program(*target, model.graph, *program);
    if (!legal.ok()) return legal.error();
  }
  for (const lower::Island& island : program->islands) {
    const graph::Node& node = model.graph.node(island.node);
    const std::string asked = pipeline::reason_to_be_real(node, quantized.plan);
    story.report.float_islands.push_back({island.label, node.op_type, asked.empty() ? island.reason : asked});
  }
  pipeline::count_encodings(model.encodings, story.report);
  story.report.coverage = precision::coverage_of(model.graph, quantized.facts, quantized.plan, model.encodings);
  story.num_observed = static_cast<std::size_t>(quantized.counts.observed);
  return Lowered(std::make_shared<const lower::Program>(*std::move(program)));
}

}  // namespace

Result<QuantizeOutcome> quantize(const QuantizeRequest& request, const Observer& observer) {
  if (request.strip) return strip(request, observer);
  if (request.dynamic) return pipeline::quantize_dynamic(request, observer);
  QuantizeStory story;
  if (Result<void> legal = precision::check(request.options); !legal.ok()) return legal.error();
  if (Result<void> sensible = pipeline::check_sources(request); !sensible.ok()) return sensible.error();
  if (Result<void> sensible = pipeline::check_ladder(request); !sensible.ok()) return sensible.error();
  if (Result<void> sensible = pipeline::check_mixed_precision(request); !sensible.ok()) return sensible.error();
  const Result<io::EncodingsVersion> version = io::encodings_version(request.encodings_version);
  if (!version.ok()) return version.error();
  const Result<std::optional<TargetProfile>> found = pipeline::target_of(request);
  if (!found.ok()) return found.error();
  const TargetProfile* target = *found ? &**found : nullptr;
  if (request.options.block_size != 0 && *version == io::EncodingsVersion::k0_6_1) {
    return usage("--encodings_version 0.6.1 has no grids for each block: leave --block_size out or use 1.0.0 or 2.0.0");
  }
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
  Result<pipeline::Sources> sources = pipeline::open_sources(request, *raw, warn);
  if (!sources.ok()) return sources.error();
  if (sources->samples) {
    auto apart = pipeline::check_not_samples(sources->samples->reader.list(), paths->written);
    if (!apart.ok()) return apart.error();
  }
  if (Result<void> finite = precision::check_constants(raw->graph); !finite.ok()) {
    return finite.error().at(request.model.model.string());
  }

  // Fold and fuse.
  raw->ignore_encodings = request.ignore_encodings;
  const std::string place = request.model.model.string();
  QuantizeRequest made = request;  // With what searches decide.
  if (request.tuning.ladder) {
    auto climbed = pipeline::climb_ladder(made, *raw, *sources, target, observer, story);
    if (!climbed.ok()) return climbed.error().at(place);
  }
  if (made.mixed_precision.enabled) {
    auto searched = pipeline::search_mixed_precision(made, *raw, *sources, target, *paths, observer, story);
    if (!searched.ok()) return searched.error().at(place);
  }
  Result<PreparedModel> ordered = pipeline::ordered_model(made, *raw, sources->shapes, target, observer, warn);
  if (!ordered.ok()) return ordered.error();
  PreparedModel model = *std::move(ordered);
  story.num_nodes = model.graph.nodes.size();
  if (Result<void> sayable = io::check_version(model.encodings, *version); !sayable.ok()) return sayable.error();
  if (request.shard) return observe_shard(request, *sources, model, observer, story);

  // Observe, decide, and change what algorithms change.
  story.num_imported = static_cast<std::size_t>(std::ranges::count_if(
      model.encodings, [](const auto& named) { return named.second.provenance.origin != Origin::kFixed; }));
  Result<pipeline::Quantized> quantized = pipeline::make_quantized(made, *sources, model, observer, story);
  if (!quantized.ok()) return quantized.error().at(place);
  tell_of_plan(made, model, *quantized, story, warn);
  if (model.encodings.empty() && model.orders.empty()) {
    return Error{ErrorCode::kUnsupported, place +
                                              ": nothing to quantize, no operator of this model computes on float32 "
                                              "data and has an integer form; see quantize-inspect"};
  }

  if (target != nullptr) {
    const auto legal = pipeline::check_target_grids(*target, model, quantized->facts, quantized->plan);
    if (!legal.ok()) return legal.error().at(place);
  }
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(model, request.fixed);
  if (!fixed.ok()) return fixed.error();
  story.fixed = *fixed;

  // Judge and write.
  story.report.quantized = paths->model.string();
  Result<Lowered> lowered = describe(made, *sources, target, model, *quantized, story);
  if (!lowered.ok()) return lowered.error().at(place);
  if (sources->samples) {
    auto judged = validate(request, *quantized, model, *sources, *std::move(lowered), observer, story);
    if (!judged.ok()) return judged.error();
    const bool shows = pipeline::report_format_of(paths->report)->extension == ".html";
    if (auto shown = pipeline::put_photos(*sources->samples, shows, story.report); !shown.ok()) return shown.error();
    if (const std::string left_out = sources->samples->reader.warning(); !left_out.empty()) warn(left_out);
  }
  pipeline::put_ranges(model.graph, model.encodings, quantized->seen.observations, story.report);
  if (auto written = pipeline::write_files(made, *version, *paths, model, *quantized, story); !written.ok()) {
    return written.error();
  }
  std::vector<std::filesystem::path> files{paths->model, paths->encodings, paths->report};
  if (paths->float_model) files.push_back(*paths->float_model);
  if (paths->packed) files.push_back(*paths->packed);
  if (paths->overrides && made.mixed_precision.enabled) files.push_back(*paths->overrides);
  if (request.statistics_out) files.push_back(*request.statistics_out);
  return QuantizeOutcome{paths->model, paths->encodings, paths->report, pipeline::summary_of(made, story, files)};
}

}  // namespace halfstep
