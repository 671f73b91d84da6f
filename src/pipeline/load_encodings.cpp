// load_encodings.cpp: a float model with encodings from a file.
#include "pipeline/load_encodings.hpp"

#include <algorithm>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/json/encodings_json.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/weights_fingerprint.hpp"
#include "precision/convert_inserter.hpp"
#include "precision/encoding_targets.hpp"

namespace halfstep::pipeline {
namespace {

void tell(const Observer& observer, const std::string& text) {
  if (observer.warning) observer.warning(text);
}

bool is_graph_output(const graph::Graph& graph, graph::ValueId id) {
  return std::ranges::find(graph.outputs, id, &graph::GraphOutput::value) != graph.outputs.end();
}

/// A tensor that survives only because it is in `keep` would else be one with an output that copies it: it has that
/// output's encoding, so that asking for a tensor changes no result.
Result<void> share_with_copies(const RawModel& model, const ops::InputShapes& shapes,
                               const std::vector<std::string>& keep, EncodingSet& encodings) {
  const auto is_free = [&](const std::string& name) {
    return !encodings.contains(name) && !is_graph_output(model.graph, graph::find_value(model.graph, name));
  };
  if (std::ranges::none_of(keep, is_free)) return {};
  Renamed renamed;
  const Result<PreparedModel> unpinned = prepare_and_tell(model, shapes, {}, {}, renamed);
  if (!unpinned.ok()) return unpinned.error();
  for (const std::string& name : keep) {
    const auto copy = renamed.find(name);
    if (copy == renamed.end() || encodings.contains(name)) continue;
    const TensorEncoding* shared = find_encoding(encodings, copy->second);
    if (shared != nullptr) encodings.emplace(name, *shared);
  }
  return {};
}

/// Errors: as other_weights().
Result<void> check_weights(const io::OwnRecords& own, const std::filesystem::path& encodings, const RawModel& model,
                           const PreparedModel& prepared, const ops::InputShapes& shapes) {
  if (fits_weights(own, prepared.graph)) return {};
  // What the caller keeps may have kept passes from folding.
  const Result<PreparedModel> free = prepare_model(model, shapes, {}, {});
  if (!free.ok()) return free.error();
  if (fits_weights(own, free->graph)) return {};
  return other_weights(encodings.string(), model.path);
}

/// What the file keeps real or computes in int32, with the converts that asks for.
Result<void> keep_real(const std::map<std::string, int>& reals, const std::set<std::string>& int32,
                       const ops::InputShapes& shapes, PreparedModel& model) {
  precision::Given given = given_of(model);
  for (const std::string& name : int32) given.orders[name].push_back({.bits = 32, .by = "the encodings say so"});
  for (const auto& [name, bits] : reals) {
    given.orders[name].push_back({.real = graph::real_format(bits), .by = "the encodings say so"});
  }
  const auto given_to = give(std::move(given), shapes, {}, model);
  return given_to.ok() ? Result<void>() : given_to.error();
}

}  // namespace

void restore_converts(const io::OwnRecords& own, PreparedModel& model) {
  precision::RecordedConverts converts;
  for (const auto& [name, convert] : own.converts) converts[name] = {convert.from, convert.readers};
  model.converts.merge(precision::restore_converts(model.graph, converts));
}

bool fits_weights(const io::OwnRecords& own, const graph::Graph& graph) {
  return own.weights.empty() || own.weights == weights_fingerprint(graph);
}

Error other_weights(const std::string& file, const std::string& model) {
  return usage(file + ": made for a model whose weights algorithms changed, not for " + model +
               "; write that model with quantize --float_out, or use the quantized model itself");
}

Result<PreparedModel> prepare_with_encodings(RawModel model, const ops::InputShapes& shapes,
                                             const std::vector<std::string>& keep,
                                             const std::filesystem::path& encodings, const Observer& observer) {
  Result<std::string> text = read_text(encodings);
  if (!text.ok()) return text.error();
  Result<PreparedModel> prepared = prepare_model(model, shapes, keep, observer);
  if (!prepared.ok()) return prepared;
  const io::OwnRecords own = io::read_own_records(*text);
  if (Result<void> same = check_weights(own, encodings, model, *prepared, shapes); !same.ok()) return same.error();
  // What preparing made or changed is described by the prepared graph, what it removed by the file's.
  restore_converts(own, *prepared);
  EncodingTargets targets = precision::encoding_targets(prepared->graph);
  targets.merge(precision::encoding_targets(model.graph));
  Result<io::EncodingsFile> file = io::read_encodings(*text, encodings.string(), targets);
  if (!file.ok()) return file.error();
  for (const std::string& warning : file->warnings) tell(observer, warning);

  std::vector<std::string> removed;
  for (const auto& [name, entry] : file->encodings) {
    if (graph::find_value(prepared->graph, name) == graph::kNoValue) removed.push_back(name);
  }
  if (!removed.empty()) {
    removed.insert(removed.end(), keep.begin(), keep.end());
    // Everything worth a warning was said the first time.
    prepared = prepare_model(model, shapes, removed, {});
    if (!prepared.ok()) return prepared;
    restore_converts(own, *prepared);
  }
  std::size_t num_left_out = 0;
  std::string example;
  for (const auto& [name, entry] : file->encodings) {
    if (graph::find_value(prepared->graph, name) != graph::kNoValue) continue;
    ++num_left_out;
    example = name;
  }
  if (num_left_out > 0) {
    tell(observer, encodings.string() + ": " + std::to_string(num_left_out) + " entries have no effect, such as " +
                       halfstep::quoted(example) + ": folding constants removed these tensors");
  }
  prepared->encodings = std::move(file->encodings);
  prepared->arithmetic = file->arithmetic;
  if (Result<void> real = keep_real(file->reals, own.int32, shapes, *prepared); !real.ok()) return real.error();
  if (Result<void> shared = share_with_copies(model, shapes, keep, prepared->encodings); !shared.ok()) {
    return shared.error();
  }
  return prepared;
}

}  // namespace halfstep::pipeline
