// sensitivity.cpp: the story of quantize-sensitivity.
#include "halfstep/sensitivity.hpp"

#include <algorithm>
#include <utility>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "core/text.hpp"
#include "graph/fingerprint.hpp"
#include "halfstep/version.hpp"
#include "pipeline/cache_keys.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/metric_command.hpp"
#include "pipeline/model_pair.hpp"
#include "pipeline/score_cache.hpp"
#include "report/sensitivity_report.hpp"
#include "sensitivity/analyze.hpp"

namespace halfstep {
namespace {

using pipeline::ModelPair;
using pipeline::OutputFolders;
using pipeline::ScoreCache;
using sensitivity::Analysis;
using sensitivity::AnalysisRequest;
using sensitivity::OutputJudge;

constexpr int kGroupsInTable = 15;

/// In the cache: what --metric_command says of the float model.
constexpr const char* kFloatForm = "float";

/// By the ending of a file; nullptr: none of ours.
std::string (*writer_of(const std::filesystem::path& path))(const report::SensitivityReport&) {
  if (path.extension() == ".json") return &report::to_json;
  if (path.extension() == ".md") return &report::to_markdown;
  if (path.extension() == ".html") return &report::to_html;
  return nullptr;
}

std::vector<pipeline::NamedPath> outputs_of(const SensitivityRequest& request) {
  std::vector<pipeline::NamedPath> outputs;
  for (const auto& path : request.reports) outputs.push_back({"a report", path});
  if (request.results_out) outputs.push_back({"the results", *request.results_out});
  return outputs;
}

Result<void> check_request(const SensitivityRequest& request) {
  if (auto valid = pipeline::check_pair(request); !valid.ok()) return valid;
  if (request.num_samples < 1) return usage("--samples must be at least 1");
  if (request.shard && !request.results_out) return usage("--shard needs --results_out, the file for --results_in");
  if (request.shard && !request.reports.empty()) {
    return usage(
        "--shard measures a share of the runs, which is no report: leave --report out, and give it where "
        "--results_in reads all shares");
  }
  if (!request.cache && request.cache_dir) return usage("--cache_dir has no effect with --no_cache");
  if (request.metric_command) {
    if (auto valid = pipeline::check_metric_command(*request.metric_command); !valid.ok()) return valid;
  }
  std::vector<pipeline::NamedPath> inputs = pipeline::inputs_of(request);
  for (const auto& path : request.results_in) inputs.push_back({"results", path});
  for (const auto& path : request.reports) {
    if (writer_of(path) != nullptr) continue;
    return usage(path.string() + ": a report of sensitivities ends in .json, .md or .html");
  }
  return pipeline::check_outputs(inputs, outputs_of(request));
}

/// Of all that scores depend on. Reads every sample.
Result<std::string> key_of(const SensitivityRequest& request, const ModelPair& pair, const FixedPointOptions& fixed,
                           const exec::SampleSource& samples) {
  const Result<std::string> print = pipeline::print_of_samples(samples);
  if (!print.ok()) return print;
  std::string text = std::string("2 ") + kVersion + " " +
                     pipeline::print_of_models(pair.reference.graph, pair.quantized, fixed) + " " + *print;
  for (const std::int64_t label : pair.labels.classes) text += " " + std::to_string(label);
  for (const std::filesystem::path& mask : pair.labels.masks) {
    const Result<std::string> bytes = pipeline::read_text(mask);
    if (!bytes.ok()) return bytes.error();
    text += " " + graph::fingerprint(*bytes);
  }
  text += request.labels ? " labels" : "";
  if (request.metric_command) text += " metric_command " + *request.metric_command;
  return graph::fingerprint(text);
}

report::SensitivityReport report_of(const SensitivityRequest& request, const ModelPair& pair,
                                    const AnalysisRequest& analysed, const OutputScore& of_float,
                                    const Analysis& analysis) {
  report::SensitivityReport report;
  report.tool_version = kVersion;
  report.model = request.model.model.string();
  report.quantized = request.quantized ? request.quantized->string() : request.encodings->string();
  report.input_list = pair.samples.reader.list().path.string();
  report.arithmetic = name_of(analysed.fixed.arithmetic);
  report.num_samples = analysed.samples.count;
  report.float_figures = of_float;
  report.whole = analysis.whole;
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    const sensitivity::QuantizerGroup& group = analysis.groups[g];
    report.groups.push_back({.name = group.name,
                             .op = group.op,
                             .activations = group.activations,
                             .weights = group.weights,
                             .num_weights = group.num_weights,
                             .num_activations = group.num_activations,
                             .macs = group.macs,
                             .only = analysis.only[g],
                             .all_but = analysis.all_but[g]});
  }
  if (!analysis.kept_weights.empty()) {
    report.warnings.push_back(
        std::to_string(analysis.kept_weights.size()) + " weights stay rounded in every run, as " +
        quoted(analysis.kept_weights.front()) +
        ": the float model has none in the same units (an algorithm scaled its channels); to have them measured, "
        "quantize in two steps (docs/sensitivity.md, Layers)");
  }
  return report;
}

Result<void> write_results(const SensitivityRequest& request, const report::SensitivityReport& report,
                           const ScoreCache& cache) {
  std::vector<FileText> files;
  if (request.results_out) files.push_back({*request.results_out, cache.text()});
  for (const std::filesystem::path& path : request.reports) files.push_back({path, writer_of(path)(report)});
  return write_files(files);
}

/// What --metric_command says of one run after the other, which share the folder of their outputs.
class CommandScores {
 public:
  /// Writes the float model's outputs. The references must outlive this.
  /// Errors: those of OutputFolders and of OutputJudge::output().
  static Result<CommandScores> make(const std::string& command, const graph::Graph& reference, const OutputJudge& judge,
                                    std::int64_t num_samples) {
    Result<OutputFolders> folders = OutputFolders::create();
    if (!folders.ok()) return folders.error();
    for (std::int64_t i = 0; i < num_samples; ++i) {
      std::vector<Tensor> outputs;
      for (std::size_t o = 0; o < judge.num_outputs(); ++o) {
        Result<Tensor> output = judge.output(i, o);
        if (!output.ok()) return output.error();
        outputs.push_back(*std::move(output));
      }
      const auto view = [&](std::size_t o) { return outputs[o].view(); };
      if (auto done = folders->write(OutputFolders::Side::kFloat, i, reference, view); !done.ok()) return done.error();
    }
    return CommandScores(command, reference, *std::move(folders));
  }

  Result<void> write(std::int64_t sample, const exec::Executor& run) const {
    return folders_.write(OutputFolders::Side::kQuantized, sample, reference_,
                          [&](std::size_t o) { return run.output(o); });
  }

  /// Of the float model and of the run that has written last. Errors: those of OutputFolders::run().
  Result<std::pair<double, double>> score() const { return folders_.run(command_); }

 private:
  CommandScores(std::string command, const graph::Graph& reference, OutputFolders folders)
      : command_(std::move(command)), reference_(reference), folders_(std::move(folders)) {}

  std::string command_;
  const graph::Graph& reference_;
  OutputFolders folders_;
};

std::string story_of(const Analysis& analysis) {
  std::string story = "\n" + std::to_string(analysis.num_runs) + " runs";
  if (analysis.num_known > 0) story += ", " + std::to_string(analysis.num_known) + " more were known";
  if (analysis.num_left > 0) story += ", " + std::to_string(analysis.num_left) + " are left to others";
  if (analysis.nodes_unshared > 0 && analysis.num_runs > 0) {
    story += "; shared prefixes left " + std::to_string(100 * analysis.nodes_run / analysis.nodes_unshared) +
             " % of their layers to compute";
  }
  return story + "\n";
}

}  // namespace

Result<SensitivityOutcome> measure_sensitivity(const SensitivityRequest& request, const Observer& observer) {
  if (auto valid = check_request(request); !valid.ok()) return valid.error();
  const Result<ModelPair> pair = pipeline::load_pair(request, observer);
  if (!pair.ok()) return pair.error();
  if (auto apart = pipeline::check_not_samples(pair->samples.reader.list(), outputs_of(request)); !apart.ok()) {
    return apart.error();
  }
  if (pipeline::multiplies_integers(pair->quantized.graph)) {
    return usage("a dynamically quantized model has no encodings to switch off, so there are no sensitivities");
  }
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(pair->quantized, request.fixed);
  if (!fixed.ok()) return fixed.error();

  AnalysisRequest analysis;
  analysis.quantized = &pair->quantized;
  analysis.reference = &pair->reference.graph;
  analysis.other_units = pipeline::incomparable(pair->quantized.units, pair->reference.units).all();
  analysis.shapes = pair->shapes;
  analysis.samples = pipeline::source_of(pair->samples.reader);
  analysis.samples.count = std::min(analysis.samples.count, request.num_samples);
  analysis.fixed = *fixed;
  analysis.num_threads = pipeline::num_threads_for(request.num_threads, analysis.samples.count);
  analysis.memory_bytes = request.memory_bytes;
  analysis.wants_only = request.direction != SensitivityDirection::kDisableOne;
  analysis.wants_all_but = request.direction != SensitivityDirection::kEnableOne;
  analysis.wants_parts = request.parts;

  const Result<std::string> key = key_of(request, *pair, *fixed, analysis.samples);
  if (!key.ok()) return key.error();
  std::optional<std::filesystem::path> folder;
  if (request.cache) folder = request.cache_dir ? request.cache_dir : pipeline::default_cache_folder();
  Result<ScoreCache> cache = ScoreCache::open(folder, request.results_in, *key);
  if (!cache.ok()) return cache.error();
  analysis.known = [&](const std::string& form) { return cache->known(form); };
  analysis.found = [&](const std::string& form, const OutputScore& score) { return cache->add(form, score); };
  if (request.shard) {
    analysis.takes = [&](std::size_t i) {
      return static_cast<std::int64_t>(i) % request.shard->count == request.shard->index;
    };
  }
  if (observer.progress) {
    analysis.progress = [&](std::int64_t done, std::int64_t total) {
      observer.progress("measuring layers", done, total);
    };
  }

  compare::OutputMeasures measures;
  measures.labels = pair->labels.classes;
  measures.labels.resize(std::min(measures.labels.size(), static_cast<std::size_t>(analysis.samples.count)));
  measures.masks = pair->labels.mask_source();
  const Result<OutputJudge> judge =
      OutputJudge::make(pair->reference.graph, pair->shapes, analysis.samples, measures, analysis.num_threads);
  if (!judge.ok()) return judge.error().at(request.model.model.string());
  std::optional<CommandScores> command;
  if (request.metric_command) {
    Result<CommandScores> made =
        CommandScores::make(*request.metric_command, pair->reference.graph, *judge, analysis.samples.count);
    if (!made.ok()) return made.error();
    command.emplace(*std::move(made));
    analysis.seen = [&](const sensitivity::Run&, std::int64_t sample, const exec::Executor& run) {
      return command->write(sample, run);
    };
    analysis.command_score = [&](const sensitivity::Run&) -> Result<double> {
      const Result<std::pair<double, double>> scores = command->score();
      if (!scores.ok()) return scores.error();
      if (!cache->known(kFloatForm)) {
        OutputScore of_float = judge->reference();
        of_float.command_score = scores->first;
        if (auto added = cache->add(kFloatForm, of_float); !added.ok()) return added.error();
      }
      return scores->second;
    };
  }
  const Result<Analysis> analysed = sensitivity::analyze(analysis, *judge);
  if (!analysed.ok()) return analysed.error();

  const OutputScore of_float = cache->known(kFloatForm).value_or(judge->reference());
  const report::SensitivityReport report = report_of(request, *pair, analysis, of_float, *analysed);
  if (observer.warning) std::ranges::for_each(report.warnings, observer.warning);
  if (auto written = write_results(request, report, *cache); !written.ok()) return written.error();
  return SensitivityOutcome{(request.shard ? std::string() : report::to_table(report, kGroupsInTable)) +
                            story_of(*analysed)};
}

}  // namespace halfstep
