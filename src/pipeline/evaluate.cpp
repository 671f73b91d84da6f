// evaluate.cpp: the story of quantize-eval.
#include "halfstep/evaluate.hpp"

#include <algorithm>
#include <utility>

#include "compare/compare_runs.hpp"
#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/version.hpp"
#include "io/samples/labels.hpp"
#include "io/samples/masks.hpp"
#include "io/samples/photo_folder.hpp"
#include "pipeline/charts.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/gates.hpp"
#include "pipeline/integer_model.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/metric_command.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/photos.hpp"
#include "pipeline/report_format.hpp"
#include "report/baseline.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::PreparedModel;
using pipeline::RawModel;

constexpr int kLayersInTable = 10;

pipeline::SampleFiles files_of(const EvaluateRequest& request) {
  return {request.input_list, request.input_images, request.preprocess};
}

bool wants_charts(const EvaluateRequest& request) {
  return std::ranges::any_of(request.reports,
                             [](const auto& path) { return pipeline::report_format_of(path)->extension == ".html"; });
}

Result<void> check_request(const EvaluateRequest& request) {
  if (Result<void> one = pipeline::check_samples(files_of(request)); !one.ok()) return one;
  if (request.labels_from_folders && request.input_images.empty()) {
    return Error{ErrorCode::kUsage, "--labels_from_folders needs --input_images DIR with a folder a class"};
  }
  if (request.labels_from_folders && (request.labels || request.metric == Metric::kMiou)) {
    return Error{ErrorCode::kUsage, std::string("--labels_from_folders gives a class to each photo: leave out ") +
                                        (request.labels ? "--labels" : "--metric miou")};
  }
  if (request.quantized.has_value() == request.encodings.has_value()) {
    return Error{ErrorCode::kUsage, request.quantized ? "give a quantized model or --encodings, not both"
                                                      : "give a quantized model, or --encodings for the float one"};
  }
  if (request.mode == EvaluateMode::kSimulated && request.fixed.arithmetic &&
      !needs_power_of_two(*request.fixed.arithmetic)) {
    return Error{
        ErrorCode::kUsage,
        "--arithmetic has no effect with --mode simulated unless it is a shift rule; use --mode fixed or both"};
  }
  if (request.metric == Metric::kMiou && !request.labels) {
    return Error{ErrorCode::kUsage, "--metric miou needs --labels, a list of mask files"};
  }
  if (request.metric_command) {
    if (Result<void> valid = pipeline::check_metric_command(*request.metric_command); !valid.ok()) return valid;
  }
  if (Result<void> valid = pipeline::check_gates(request); !valid.ok()) return valid;
  for (const std::filesystem::path& path : request.reports) {
    if (Result<void> known = pipeline::check_report_format(path); !known.ok()) return known;
  }
  std::vector<pipeline::NamedPath> inputs{{"the model", request.model.model}};
  if (!request.input_list.empty()) inputs.push_back({"the input list", request.input_list});
  if (request.quantized) inputs.push_back({"the quantized model", *request.quantized});
  if (request.encodings) inputs.push_back({"the encodings", *request.encodings});
  if (request.labels) inputs.push_back({"the labels", *request.labels});
  if (request.gates.baseline) inputs.push_back({"the baseline", *request.gates.baseline});
  std::vector<pipeline::NamedPath> outputs;
  for (const std::filesystem::path& path : request.reports) outputs.push_back({"a report", path});
  return pipeline::check_outputs(inputs, outputs);
}

/// Classes of whole samples, or of pixels.
struct Labels {
  std::vector<std::int64_t> classes;
  std::vector<std::string> names;  ///< Of the classes; empty unless folders are.
  bool names_from_file = false;    ///< Their order is the user's.
  std::vector<std::filesystem::path> masks;
};

Result<Labels> load_labels(const EvaluateRequest& request, const io::InputList& list) {
  Labels labels;
  if (request.labels_from_folders) {
    Result<io::FolderLabels> folders = io::labels_from_folders(list);
    if (!folders.ok()) return folders.error();
    labels.classes = std::move(folders->classes_of);
    labels.names = std::move(folders->classes);
    labels.names_from_file = folders->from_file;
    return labels;
  }
  if (!request.labels) return labels;
  const auto num_samples = static_cast<std::int64_t>(list.samples.size());
  const bool are_masks = request.metric == Metric::kMiou;
  if (are_masks) {
    Result<std::vector<std::filesystem::path>> masks = io::read_mask_list(*request.labels);
    if (!masks.ok()) return masks.error();
    labels.masks = *std::move(masks);
  } else {
    Result<std::vector<std::int64_t>> classes = io::read_labels(*request.labels);
    if (!classes.ok()) return classes.error();
    labels.classes = *std::move(classes);
  }
  const std::size_t found = are_masks ? labels.masks.size() : labels.classes.size();
  if (static_cast<std::int64_t>(found) == num_samples) return labels;
  return Error{ErrorCode::kInvalidInput, request.labels->string() + ": has " + std::to_string(found) +
                                             (are_masks ? " masks, " : " labels, ") + list.path.string() + " has " +
                                             std::to_string(num_samples) + " samples"};
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

/// The quantized model under the float model's shapes and the same inputs.
Result<PreparedModel> load_quantized(const EvaluateRequest& request, std::optional<RawModel> raw,
                                     const RawModel& reference, const ops::InputShapes& shapes,
                                     const Observer& observer) {
  if (!raw) return pipeline::prepare_with_encodings(reference, shapes, {}, *request.encodings, observer);
  const auto names_of = [](const RawModel& model, const auto& boundary) {
    std::string names;
    for (const auto& entry : boundary) {
      names += (names.empty() ? "" : ", ") + halfstep::quoted(model.graph.value(entry.value).name);
    }
    return names;
  };
  const auto check_same = [&](const char* what, const std::string& ours, const std::string& theirs) -> Result<void> {
    if (ours == theirs) return {};
    return Error{ErrorCode::kInvalidInput,
                 raw->path + ": its " + what + " are " + ours + ", those of " + reference.path + " are " + theirs};
  };
  if (Result<void> same =
          check_same("inputs", names_of(*raw, raw->graph.inputs), names_of(reference, reference.graph.inputs));
      !same.ok()) {
    return same.error();
  }
  if (Result<void> same =
          check_same("outputs", names_of(*raw, raw->graph.outputs), names_of(reference, reference.graph.outputs));
      !same.ok()) {
    return same.error();
  }
  Result<PreparedModel> model = pipeline::prepare_model(*std::move(raw), shapes, {}, observer);
  if (model.ok() && !pipeline::is_quantized(*model) && !pipeline::multiplies_integers(model->graph)) {
    return Error{ErrorCode::kInvalidInput, request.quantized->string() +
                                               ": carries no encodings (no QuantizeLinear/DequantizeLinear pairs); "
                                               "give the output of quantize or another QDQ model"};
  }
  if (model.ok()) {
    const std::string path = request.quantized->string();
    if (Result<void> useful = pipeline::check_rule_has_use(*model, path, request.fixed); !useful.ok()) {
      return useful.error();
    }
  }
  return model;
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
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  std::optional<RawModel> raw_quantized;
  if (request.quantized) {
    Result<RawModel> read = pipeline::read_model({*request.quantized, request.model.input_dims}, observer);
    if (!read.ok()) return read.error();
    raw_quantized = *std::move(read);
  }
  const Result<pipeline::OpenedSamples> samples =
      pipeline::open_samples(*raw, files_of(request), raw_quantized ? *raw_quantized : *raw, observer.warning);
  if (!samples.ok()) return samples.error();
  const io::SampleReader* const reader = &samples->reader;
  if (observer.warning && !(reader->list().output_layers.empty() && reader->list().output_tensors.empty())) {
    observer.warning(request.input_list.string() +
                     ": lines naming outputs have no effect here, every output is compared");
  }
  Result<Labels> labels = load_labels(request, reader->list());
  if (!labels.ok()) return labels.error();
  Result<ops::InputShapes> shapes = pipeline::shapes_of_first_sample(*raw, *reader);
  if (!shapes.ok()) return shapes.error();
  Result<PreparedModel> quantized = load_quantized(request, std::move(raw_quantized), *raw, *shapes, observer);
  if (!quantized.ok()) return quantized.error();
  Result<PreparedModel> model =
      pipeline::prepare_model(*std::move(raw), *shapes, {}, request.encodings ? Observer{} : observer);
  if (!model.ok()) return model.error();
  const std::string doubt = doubt_of_classes(labels->names, reader->list().path, *model, *shapes);
  if (observer.warning && !doubt.empty() && !labels->names_from_file) observer.warning(doubt);
  if (Result<void> valid = check_outputs_for_gates(request.gates, model->graph, *shapes); !valid.ok()) {
    return valid.error();
  }

  // Compare.
  pipeline::FloatComparison comparison;
  comparison.reference = &model->graph;
  comparison.quantized = &quantized->graph;
  comparison.encodings = &quantized->encodings;
  comparison.samples = pipeline::source_of(*reader);
  comparison.num_threads = pipeline::num_threads_for(request.num_threads, reader->num_samples());
  comparison.mode = request.mode;
  comparison.incomparable = pipeline::incomparable(quantized->units, model->units);
  comparison.isolated = request.isolated;
  comparison.labels = labels->classes;
  comparison.needs_scores = request.gates.min_top1_agreement.has_value();
  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(*quantized, request.fixed);
  if (!fixed.ok()) return fixed.error();
  comparison.fixed = *fixed;
  if (!labels->masks.empty()) {
    comparison.masks = [&](std::int64_t sample, std::int64_t height, std::int64_t width) {
      return io::read_mask(labels->masks[static_cast<std::size_t>(sample)], height, width);
    };
  }
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
  report.input_list = reader->list().path.string();
  report.classes = labels->names;
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
  if (wants_charts(request)) {
    Result<report::Charts> charts = pipeline::make_charts(comparison, *report.comparison, observer);
    if (!charts.ok()) return charts.error();
    report.charts = *std::move(charts);
  }
  if (Result<void> shown = pipeline::put_photos(*samples, wants_charts(request), report); !shown.ok()) {
    return shown.error();
  }
  if (const std::string left_out = reader->warning(); !left_out.empty()) report.warnings.push_back(left_out);
  if (observer.warning) std::ranges::for_each(report.warnings, observer.warning);
  if (Result<void> written = write_reports(request, report); !written.ok()) return written.error();
  return EvaluateOutcome{classes_line(report.classes) + report::to_table(report, kLayersInTable),
                         pipeline::failures_of(report.gates)};
}

}  // namespace halfstep
