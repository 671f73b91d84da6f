// evaluate.cpp: the story of quantize-eval.
#include "halfstep/evaluate.hpp"

#include "compare/compare_runs.hpp"
#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/version.hpp"
#include "io/samples/labels.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/load_model.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::PreparedModel;
using pipeline::RawModel;

constexpr int kLayersInTable = 10;

Result<void> check_request(const EvaluateRequest& request) {
  if (request.quantized.has_value() == request.encodings.has_value()) {
    return Error{ErrorCode::kUsage, request.quantized ? "give a quantized model or --encodings, not both"
                                                      : "give a quantized model, or --encodings for the float one"};
  }
  return {};
}

Result<std::vector<std::int64_t>> load_labels(const EvaluateRequest& request, std::int64_t num_samples) {
  if (!request.labels) return std::vector<std::int64_t>{};
  Result<std::vector<std::int64_t>> labels = io::read_labels(*request.labels);
  if (labels.ok() && static_cast<std::int64_t>(labels->size()) != num_samples) {
    return Error{ErrorCode::kInvalidInput, request.labels->string() + ": has " + std::to_string(labels->size()) +
                                               " labels, " + request.input_list.string() + " has " +
                                               std::to_string(num_samples) + " samples"};
  }
  return labels;
}

/// The quantized model under the float model's shapes and the same inputs.
Result<PreparedModel> load_quantized(const EvaluateRequest& request, const RawModel& reference,
                                     const ops::InputShapes& shapes, const Observer& observer) {
  Result<RawModel> raw = pipeline::read_model({*request.quantized, request.model.input_dims}, observer);
  if (!raw.ok()) return raw.error();
  const auto inputs_of = [](const RawModel& model) {
    std::string names;
    for (const graph::GraphInput& input : model.graph.inputs) {
      names += (names.empty() ? "" : ", ") + halfstep::quoted(model.graph.value(input.value).name);
    }
    return names;
  };
  if (inputs_of(*raw) != inputs_of(reference)) {
    return Error{ErrorCode::kInvalidInput, raw->path + ": its inputs are " + inputs_of(*raw) + ", those of " +
                                               reference.path + " are " + inputs_of(reference)};
  }
  Result<PreparedModel> model = pipeline::prepare_model(*std::move(raw), shapes, {}, observer);
  if (model.ok() && model->encodings.empty()) {
    return Error{ErrorCode::kInvalidInput, request.quantized->string() +
                                               ": carries no encodings (no QuantizeLinear/DequantizeLinear pairs); "
                                               "give the output of quantize or another QDQ model"};
  }
  return model;
}

}  // namespace

Result<EvaluateOutcome> evaluate(const EvaluateRequest& request, const Observer& observer) {
  if (Result<void> valid = check_request(request); !valid.ok()) return valid.error();
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  Result<io::SampleReader> reader = pipeline::open_samples(*raw, request.input_list);
  if (!reader.ok()) return reader.error();
  Result<std::vector<std::int64_t>> labels = load_labels(request, reader->num_samples());
  if (!labels.ok()) return labels.error();
  Result<ops::InputShapes> shapes = pipeline::shapes_of_first_sample(*raw, *reader);
  if (!shapes.ok()) return shapes.error();

  PreparedModel quantized;
  if (request.quantized) {
    Result<PreparedModel> loaded = load_quantized(request, *raw, *shapes, observer);
    if (!loaded.ok()) return loaded.error();
    quantized = *std::move(loaded);
  }
  Result<PreparedModel> model = pipeline::prepare_model(*std::move(raw), *shapes, {}, observer);
  if (!model.ok()) return model.error();
  if (request.encodings) {
    Result<EncodingSet> loaded = pipeline::load_encodings(*request.encodings, model->graph, observer);
    if (!loaded.ok()) return loaded.error();
    quantized = {model->graph, *std::move(loaded)};
  }
  // The report's file is tried before the long work.
  std::optional<AtomicFile> report_file;
  if (request.report) {
    Result<AtomicFile> file = AtomicFile::create(*request.report);
    if (!file.ok()) return file.error();
    report_file = *std::move(file);
  }

  const int num_threads = pipeline::num_threads_for(request.num_threads, reader->num_samples());
  Result<compare::Comparison> comparison =
      pipeline::compare_with_float(model->graph, quantized.graph, quantized.encodings, pipeline::source_of(*reader),
                                   num_threads, *std::move(labels), observer);
  if (!comparison.ok()) return comparison.error();

  report::Report report;
  report.kind = "eval";
  report.tool_version = kVersion;
  report.model = request.model.model.string();
  report.quantized = request.quantized ? request.quantized->string() : request.encodings->string();
  report.input_list = request.input_list.string();
  report.mode = "simulated";
  report.comparison = *std::move(comparison);
  pipeline::count_encodings(quantized.encodings, report);
  if (report_file) {
    if (Result<void> written = report_file->write(report::to_json(report)); !written.ok()) return written.error();
    if (Result<void> committed = report_file->commit(); !committed.ok()) return committed.error();
  }
  return EvaluateOutcome{report::to_table(*report.comparison, kLayersInTable)};
}

}  // namespace halfstep
