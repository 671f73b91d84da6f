// evaluate.cpp: the story of quantize-eval.
#include "halfstep/evaluate.hpp"

#include <algorithm>
#include <utility>

#include "compare/compare_runs.hpp"
#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/version.hpp"
#include "pipeline/charts.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/diagnose.hpp"
#include "pipeline/gates.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/metric_command.hpp"
#include "pipeline/model_pair.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/report_format.hpp"
#include "report/baseline.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::PreparedModel;

constexpr int kLayersInTable = 10;

bool wants_charts(const EvaluateRequest& request) {
  return std::ranges::any_of(request.reports,
                             [](const auto& path) { return pipeline::report_format_of(path)->extension == ".html"; });
}

Result<void> check_request(const EvaluateRequest& request) {
  if (Result<void> valid = pipeline::check_pair(request); !valid.ok()) return valid;
  if (request.mode == EvaluateMode::kSimulated && request.fixed.arithmetic &&
      !needs_power_of_two(*request.fixed.arithmetic)) {
    return Error{
        ErrorCode::kUsage,
        "--arithmetic has no effect with --mode simulated unless it is a shift rule; use --mode fixed or both"};
  }
  if (request.metric_command) {
    if (Result<void> valid = pipeline::check_metric_command(*request.metric_command); !valid.ok()) return valid;
  }
  if (Result<void> valid = pipeline::check_gates(request); !valid.ok()) return valid;
  if (Result<void> valid = pipeline::check_diagnosis(request); !valid.ok()) return valid;
  for (const std::filesystem::path& path : request.reports) {
    if (Result<void> known = pipeline::check_report_format(path); !known.ok()) return known;
  }
  std::vector<pipeline::NamedPath> inputs = pipeline::inputs_of(request);
  if (request.gates.baseline) inputs.push_back({"the baseline", *request.gates.baseline});
  std::vector<pipeline::NamedPath> outputs;
  for (const std::filesystem::path& path : request.reports) outputs.push_back({"a report", path});
  return pipeline::check_outputs(inputs, outputs);
}

Result<std::optional<report::Baseline>> load_baseline(const EvaluateRequest& request, const Observer& observer) {
  if (!request.gates.baseline) return std::optional<report::Baseline>();
  const std::string path = request.gates.baseline->string();
  const Result<std::string> text = pipeline::read_text(*request.gates.baseline);
  if (!text.ok()) return text.error();
  Result<report::Baseline> baseline = report::parse_baseline(*text, path);
  if (!baseline.ok()) return baseline.error();
  const std::string mode(pipeline::name_of(request.mode));
  if (observer.warning && baseline->mode != mode) {
    observer.warning(path + ": was measured in mode " + halfstep::quoted(baseline->mode) + ", this run is in mode " +
                     halfstep::quoted(mode));
  }
  return std::optional<report::Baseline>(*std::move(baseline));
}

/// Before the long work: gates on errors need a float32 output. Types that only running tells are not judged here.
Result<void> check_outputs_for_gates(const Gates& gates, const graph::Graph& graph, const ops::InputShapes& shapes) {
  if (!pipeline::needs_outputs(gates)) return {};
  const Result<ops::Facts> facts = ops::infer_facts(graph, shapes);
  if (!facts.ok()) return facts.error();
  const bool can_be_float = std::ranges::any_of(graph.outputs, [&](const graph::GraphOutput& output) {
    const std::optional<TensorType>& type = (*facts)[static_cast<std::size_t>(output.value)].type;
    return !type || type->dtype == DType::kFloat32;
  });
  return can_be_float ? Result<void>() : pipeline::no_float_output();
}

/// All reports, or none: each is written under a temporary name first.
Result<void> write_reports(const EvaluateRequest& request, const report::Report& report) {
  std::vector<AtomicFile> files;
  for (const std::filesystem::path& path : request.reports) {
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file.ok()) return file.error();
    files.push_back(*std::move(file));
    if (Result<void> written = files.back().write(pipeline::report_format_of(path)->write(report)); !written.ok())
      return written;
    if (Result<void> finished = files.back().finish(); !finished.ok()) return finished;
  }
  for (AtomicFile& file : files) {
    if (Result<void> committed = file.commit(); !committed.ok()) return committed;
  }
  return {};
}

}  // namespace

Result<EvaluateOutcome> evaluate(const EvaluateRequest& request, const Observer& observer) {
  if (Result<void> valid = check_request(request); !valid.ok()) return valid.error();
  const Result<std::optional<report::Baseline>> baseline = load_baseline(request, observer);
  if (!baseline.ok()) return baseline.error();

  // Read.
  const Result<pipeline::ModelPair> pair = pipeline::load_pair(request, observer);
  if (!pair.ok()) return pair.error();
  const PreparedModel* model = &pair->reference;
  const PreparedModel* quantized = &pair->quantized;
  if (Result<void> valid = check_outputs_for_gates(request.gates, model->graph, pair->shapes); !valid.ok()) {
    return valid.error();
  }

  if (request.diagnose) {
    if (Result<void> valid = pipeline::check_diagnosis(*pair); !valid.ok()) return valid.error();
  }

  // Compare.
  pipeline::FloatComparison comparison;
  comparison.reference = &model->graph;
  comparison.quantized = &quantized->graph;
  comparison.encodings = &quantized->encodings;
  comparison.samples = pipeline::source_of(pair->reader);
  comparison.num_threads = pipeline::num_threads_for(request.num_threads, pair->reader.num_samples());
  comparison.mode = request.mode;
  comparison.incomparable = pipeline::incomparable(quantized->units, model->units);
  comparison.isolated = request.isolated;
  comparison.labels = pair->labels.classes;
  comparison.needs_scores = request.gates.min_top1_agreement.has_value();
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(*quantized, request.fixed);
  if (!fixed.ok()) return fixed.error();
  comparison.fixed = *fixed;
  comparison.masks = pair->labels.mask_source();
  std::optional<pipeline::OutputFolders> folders;
  if (request.metric_command) {
    Result<pipeline::OutputFolders> made = pipeline::OutputFolders::create();
    if (!made.ok()) return made.error();
    folders = *std::move(made);
    comparison.seen = [&](std::int64_t sample, const exec::Executor& ours, const exec::Executor& theirs) {
      return folders->write(sample, model->graph, ours, theirs);
    };
  }
  Result<pipeline::FloatComparisonOutcome> outcome = pipeline::compare_with_float(comparison, observer);
  if (!outcome.ok()) return outcome.error();

  // Judge and write.
  report::Report report;
  report.kind = "eval";
  report.tool_version = kVersion;
  report.model = request.model.model.string();
  report.quantized = request.quantized ? request.quantized->string() : request.encodings->string();
  report.input_list = request.input_list.string();
  pipeline::put(*std::move(outcome), comparison, report);
  pipeline::count_encodings(quantized->encodings, report);
  if (folders) {
    const Result<std::pair<double, double>> scores = folders->run(*request.metric_command);
    if (!scores.ok()) return scores.error();
    report.extra_metrics.emplace_back("metric_command", *scores);
  }
  if (*baseline) {
    if (Result<void> same = report::check_same_run(**baseline, report); !same.ok()) return same.error();
  }
  Result<std::vector<report::Gate>> gates = pipeline::judge(request.gates, *baseline, report);
  if (!gates.ok()) return gates.error();
  report.gates = *std::move(gates);
  if (request.diagnose) {
    Result<report::Diagnosis> diagnosis = pipeline::diagnose(*pair, *fixed, request.num_threads, observer);
    if (!diagnosis.ok()) return diagnosis.error();
    report.diagnosis = *std::move(diagnosis);
  }
  if (wants_charts(request)) {
    Result<report::Charts> charts = pipeline::make_charts(comparison, *report.comparison, observer);
    if (!charts.ok()) return charts.error();
    report.charts = *std::move(charts);
  }
  if (observer.warning) std::ranges::for_each(report.warnings, observer.warning);
  if (Result<void> written = write_reports(request, report); !written.ok()) return written.error();
  return EvaluateOutcome{report::to_table(report, kLayersInTable), pipeline::failures_of(report.gates)};
}

}  // namespace halfstep
