// evaluate.cpp: the story of quantize-eval.
#include "halfstep/evaluate.hpp"

#include "compare/compare_runs.hpp"
#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/version.hpp"
#include "io/samples/labels.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/output_paths.hpp"
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
  if (!request.report) return {};
  std::vector<pipeline::NamedPath> inputs{{"the model", request.model.model}, {"the input list", request.input_list}};
  if (request.quantized) inputs.push_back({"the quantized model", *request.quantized});
  if (request.encodings) inputs.push_back({"the encodings", *request.encodings});
  if (request.labels) inputs.push_back({"the labels", *request.labels});
  return pipeline::check_outputs(inputs, {{"the report", *request.report}});
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
  if (observer.warning && !(reader->list().output_layers.empty() && reader->list().output_tensors.empty())) {
    observer.warning(request.input_list.string() +
                     ": lines naming outputs have no effect here, every output is compared");
  }
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
  if (request.encodings) {
    Result<PreparedModel> loaded = pipeline::prepare_with_encodings(*raw, *shapes, {}, *request.encodings, observer);
    if (!loaded.ok()) return loaded.error();
    quantized = *std::move(loaded);
  }
  Result<PreparedModel> model =
      pipeline::prepare_model(*std::move(raw), *shapes, {}, request.encodings ? Observer{} : observer);
  if (!model.ok()) return model.error();

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
  if (request.report) {
    if (Result<void> written = write_file(*request.report, report::to_json(report)); !written.ok())
      return written.error();
  }
  return EvaluateOutcome{report::to_table(*report.comparison, kLayersInTable)};
}

}  // namespace halfstep
