// model_pair.cpp: the float model first; the quantized one under its shapes.
#include "pipeline/model_pair.hpp"

#include <optional>
#include <string>
#include <utility>

#include "core/text.hpp"
#include "io/samples/labels.hpp"
#include "io/samples/masks.hpp"
#include "io/samples/photo_folder.hpp"
#include "pipeline/integer_model.hpp"

namespace halfstep::pipeline {
namespace {

SampleFiles files_of(const PairRequest& request) {
  return {request.input_list, request.input_images, request.preprocess};
}

Result<Labels> load_labels(const PairRequest& request, const io::InputList& list) {
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

/// The quantized model under the float model's shapes and the same inputs.
Result<PreparedModel> load_quantized(const PairRequest& request, std::optional<RawModel> raw, const RawModel& reference,
                                     const ops::InputShapes& shapes, const Observer& observer) {
  if (!raw) return prepare_with_encodings(reference, shapes, {}, *request.encodings, observer);
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
  Result<PreparedModel> model = prepare_model(*std::move(raw), shapes, {}, observer);
  if (model.ok() && !is_quantized(*model) && !multiplies_integers(model->graph)) {
    return Error{ErrorCode::kInvalidInput, request.quantized->string() +
                                               ": carries no encodings (no QuantizeLinear/DequantizeLinear pairs); "
                                               "give the output of quantize or another QDQ model"};
  }
  if (model.ok()) {
    const std::string path = request.quantized->string();
    if (Result<void> useful = check_rule_has_use(*model, path, request.fixed); !useful.ok()) {
      return useful.error();
    }
  }
  return model;
}

}  // namespace

compare::MaskSource Labels::mask_source() const {
  if (masks.empty()) return {};
  return [this](std::int64_t sample, std::int64_t height, std::int64_t width) {
    return io::read_mask(masks[static_cast<std::size_t>(sample)], height, width);
  };
}

Result<void> check_pair(const PairRequest& request) {
  if (Result<void> one = check_samples(files_of(request)); !one.ok()) return one;
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
  if (request.metric == Metric::kMiou && !request.labels) {
    return Error{ErrorCode::kUsage, "--metric miou needs --labels, a list of mask files"};
  }
  return {};
}

std::vector<NamedPath> inputs_of(const PairRequest& request) {
  std::vector<NamedPath> inputs{{"the model", request.model.model}};
  if (!request.input_list.empty()) inputs.push_back({"the input list", request.input_list});
  if (request.quantized) inputs.push_back({"the quantized model", *request.quantized});
  if (request.encodings) inputs.push_back({"the encodings", *request.encodings});
  if (request.labels) inputs.push_back({"the labels", *request.labels});
  return inputs;
}

Result<ModelPair> load_pair(const PairRequest& request, const Observer& observer) {
  Result<RawModel> raw = read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  std::optional<RawModel> raw_quantized;
  if (request.quantized) {
    Result<RawModel> read = read_model({*request.quantized, request.model.input_dims}, observer);
    if (!read.ok()) return read.error();
    raw_quantized = *std::move(read);
  }
  Result<OpenedSamples> samples =
      open_samples(*raw, files_of(request), raw_quantized ? *raw_quantized : *raw, observer.warning);
  if (!samples.ok()) return samples.error();
  const io::SampleReader& reader = samples->reader;
  if (observer.warning && !(reader.list().output_layers.empty() && reader.list().output_tensors.empty())) {
    observer.warning(request.input_list.string() +
                     ": lines naming outputs have no effect here, every output is compared");
  }
  Result<Labels> labels = load_labels(request, reader.list());
  if (!labels.ok()) return labels.error();
  Result<ops::InputShapes> shapes = shapes_of_first_sample(*raw, reader);
  if (!shapes.ok()) return shapes.error();
  Result<PreparedModel> quantized = load_quantized(request, std::move(raw_quantized), *raw, *shapes, observer);
  if (!quantized.ok()) return quantized.error();
  Result<PreparedModel> model = prepare_model(*std::move(raw), *shapes, {}, request.encodings ? Observer{} : observer);
  if (!model.ok()) return model.error();
  return ModelPair{*std::move(model), *std::move(quantized), *std::move(samples), *std::move(labels),
                   *std::move(shapes)};
}

}  // namespace halfstep::pipeline
