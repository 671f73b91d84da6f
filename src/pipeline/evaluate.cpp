// evaluate.cpp: the story of quantize-eval.
#include "halfstep/evaluate.hpp"

#include <algorithm>
#include <utility>

#include "compare/compare_runs.hpp"
#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/version.hpp"
#include "io/samples/photo_folder.hpp"
#include "pipeline/charts.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/diagnose.hpp"
#include "pipeline/gates.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/metric_command.hpp"
#include "pipeline/model_pair.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/photos.hpp"
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

std::vector<pipeline::NamedPath> outputs_of(const EvaluateRequest& request) {
  std::vector<pipeline::NamedPath> outputs;
  for (const std::filesystem::path& path : request.reports) outputs.push_back({"a report", path});
  return outputs;
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
  return pipeline::check_outputs(inputs, outputs_of(request));
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

/// Folders that are likely to stand for other classes than the user means; empty: none.
std::string doubt_of_classes(const std::vector<std::string>& classes, const std::filesystem::path& folder,
                             const PreparedModel& model, const ops::InputShapes& shapes) {
  if (classes.empty() || model.graph.outputs.empty()) return "";
  const Result<ops::Facts> facts = ops::infer_facts(model.graph, shapes);
  if (!facts.ok()) return "";  // Told elsewhere.
  const std::optional<TensorType>& scores = (*facts)[static_cast<std::size_t>(model.graph.outputs[0].value)].type;
  const auto num_classes = static_cast<std::int64_t>(classes.size());
  const std::string remedy =
      "; " + (folder / io::kClassesFile).string() + " may name the folders of all classes in their order, one a line";
  if (scores && scores->shape.num_elements() > num_classes) {
    return folder.string() + ": its " + std::to_string(num_classes) + " folders are classes 0 to " +
           std::to_string(num_classes - 1) + ", and the model has " + std::to_string(scores->shape.num_elements()) +
           " classes" + remedy;
  }
  const auto number = [](const std::string& name) {
    const bool digits = !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::stoll(name) : -1LL;
  };
  for (std::size_t c = 1; c < classes.size(); ++c) {
    if (number(classes[c - 1]) < 0 || number(classes[c]) < 0 || number(classes[c - 1]) < number(classes[c])) continue;
    return folder.string() + ": folders are classes in the order of their letters, " + classes[c - 1] + " before " +
           classes[c] + remedy;
  }
  return "";
}

/// The order that folders were given as classes. Long ones are shortened; the JSON report has all.
std::string classes_line(const std::vector<std::string>& classes) {
  constexpr std::size_t kShown = 20;
  std::string line;
  for (std::size_t c = 0; c < std::min(classes.size(), kShown); ++c) {
    line += (c == 0 ? "Classes from folders: " : ", ") + std::to_string(c) + " " + classes[c];
  }
  if (classes.size() > kShown) {
    line += ", ..., " + std::to_string(classes.size() - 1) + " " + classes.back();
  }
  return line.empty() ? "" : line + "\n\n";
}

/// All reports, or none.
Result<void> write_reports(const EvaluateRequest& request, const report::Report& report) {
  std::vector<FileText> files;
  for (const std::filesystem::path& path : request.reports) {
    files.push_back({path, pipeline::report_format_of(path)->write(report)});
  }
  return write_files(files);
}

}  // namespace

Result<EvaluateOutcome> evaluate(const EvaluateRequest& request, const Observer& observer) {
  if (Result<void> valid = check_request(request); !valid.ok()) return valid.error();
  const Result<std::optional<report::Baseline>> baseline = load_baseline(request, observer);
  if (!baseline.ok()) return baseline.error();

  // Read.
  const Result<pipeline::ModelPair> pair = pipeline::load_pair(request, observer);
  if (!pair.ok()) return pair.error();
  if (auto apart = pipeline::check_not_samples(pair->samples.reader.list(), outputs_of(request)); !apart.ok()) {
    return apart.error();
  }
  const PreparedModel* model = &pair->reference;
  const PreparedModel* quantized = &pair->quantized;
  const std::string doubt =
      doubt_of_classes(pair->labels.names, pair->samples.reader.list().path, *model, pair->shapes);
  if (observer.warning && !doubt.empty() && !pair->labels.names_from_file) observer.warning(doubt);
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
  comparison.samples = pipeline::source_of(pair->samples.reader);
  comparison.num_threads = pipeline::num_threads_for(request.num_threads, pair->samples.reader.num_samples());
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
      using enum pipeline::OutputFolders::Side;
      auto done = folders->write(kFloat, sample, model->graph, [&](std::size_t o) { return ours.output(o); });
      if (!done.ok()) return done;
      return folders->write(kQuantized, sample, model->graph, [&](std::size_t o) { return theirs.output(o); });
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
  report.input_list = pair->samples.reader.list().path.string();
  report.classes = pair->labels.names;
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
  if (Result<void> shown = pipeline::put_photos(pair->samples, wants_charts(request), report); !shown.ok()) {
    return shown.error();
  }
  if (const std::string left_out = pair->samples.reader.warning(); !left_out.empty())
    report.warnings.push_back(left_out);
  if (observer.warning) std::ranges::for_each(report.warnings, observer.warning);
  if (Result<void> written = write_reports(request, report); !written.ok()) return written.error();
  return EvaluateOutcome{classes_line(report.classes) + report::to_table(report, kLayersInTable),
                         pipeline::failures_of(report.gates)};
}

}  // namespace halfstep
