// quantize_files.cpp: all files of a run, or none.
#include "pipeline/quantize_files.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/atomic_file.hpp"
#include "encoding/packed_codes.hpp"
#include "halfstep/options.hpp"
#include "halfstep/version.hpp"
#include "io/onnx/writer.hpp"
#include "pipeline/photos.hpp"
#include "pipeline/report_format.hpp"
#include "precision/convert_inserter.hpp"
#include "precision/coverage.hpp"

namespace halfstep::pipeline {
namespace {

io::EncodingsHeader header_of(const QuantizeRequest& request, io::EncodingsVersion version, Arithmetic arithmetic) {
  io::EncodingsHeader header;
  header.version = version;
  header.producer = std::string("halfstep ") + kVersion;
  header.arithmetic = name_of(arithmetic);
  header.act_bits = request.options.act_bits;
  header.weight_bits = request.options.weight_bits;
  header.symmetric_params = request.options.param_schema == Schema::kSymmetric;
  header.per_channel = request.options.per_channel == WeightsPerChannel::kAll;
  header.options = settings_of(request);
  return header;
}

std::map<std::string, io::EncodingsHeader::Real> reals_of(const PreparedModel& model, const precision::Plan& plan) {
  std::map<std::string, io::EncodingsHeader::Real> reals;
  for (std::size_t v = 0; v < plan.tensors.size(); ++v) {
    const std::optional<graph::RealFormat> real = plan.tensors[v].real;
    const graph::Value& value = model.graph.values[v];
    if (!real) continue;
    reals.emplace(value.name,
                  io::EncodingsHeader::Real{.bits = graph::bits_of(*real), .is_parameter = value.constant.has_value()});
  }
  return reals;
}

/// Everything in the quantized model's metadata that is not about its encodings goes into the float one, too.
std::vector<std::pair<std::string, std::string>> common_metadata(const PreparedModel& model,
                                                                 const QuantizeStory& story) {
  std::vector<std::pair<std::string, std::string>> metadata = metadata_of(model.units);
  if (story.report.preprocess) metadata.emplace_back(kPreprocessKey, story.report.preprocess->json);
  metadata.emplace_back(kVersionKey, kVersion);
  return metadata;
}

Result<io::PendingModel> write_quantized(const QuantizeRequest& request, const OutputPaths& paths,
                                         const PreparedModel& model, const QuantizeStory& story) {
  io::WriteOptions options{
      .tool_version = kVersion, .metadata = common_metadata(model, story), .matmul_nbits = request.matmul_nbits};
  options.metadata.emplace_back(kArithmeticKey, std::string(name_of(story.fixed.arithmetic)));
  std::string settings;
  for (const auto& [name, value] : settings_of(request)) {
    settings += (settings.empty() ? "" : " ") + name + "=" + value;
  }
  options.metadata.emplace_back("halfstep.options", settings);
  return io::write_onnx(model.graph, model.encodings, paths.model, options);
}

/// The float model that the encodings describe; empty if nobody asked for it.
Result<std::optional<io::PendingModel>> write_float(const OutputPaths& paths, const PreparedModel& model,
                                                    const QuantizeStory& story) {
  std::optional<io::PendingModel> pending;
  if (!paths.float_model) return pending;
  const io::WriteOptions options{.tool_version = kVersion, .metadata = common_metadata(model, story)};
  graph::Graph real = model.graph;
  for (graph::Value& value : real.values) value.format = graph::RealFormat::kFloat32;
  Result<io::PendingModel> written = io::write_onnx(real, {}, *paths.float_model, options);
  if (!written.ok()) return written.error();
  pending.emplace(*std::move(written));
  return pending;
}

/// All weights of 4 bits one after the other, in the order of names; `index` says where each lies.
Result<std::string> packed_weights(const PreparedModel& model, std::map<std::string, io::PackedWeight>& index) {
  std::string bytes;
  for (const auto& [name, entry] : model.encodings) {
    if (entry.role != TensorRole::kWeight || !entry.codes || storage_bits(entry.encoding.grid()) != 4) continue;
    const std::optional<int> axis = entry.encoding.axis();
    const std::string packed = pack_4_bits(*entry.codes, axis);
    index[name] = {.offset = static_cast<std::int64_t>(bytes.size()),
                   .bytes = static_cast<std::int64_t>(packed.size()),
                   .channels = axis ? entry.codes->shape()[*axis] : 1,
                   .axis = axis,
                   .shape = entry.codes->shape()};
    bytes += packed;
  }
  if (!index.empty()) return bytes;
  return Error{ErrorCode::kUsage, "--pack_4_bit_weights has no effect: no weight has 4 bits, see --weights_bitwidth 4"};
}

}  // namespace

Result<OutputPaths> output_paths(const QuantizeRequest& request) {
  OutputPaths paths;
  paths.model = request.output_path.value_or(request.model.model.stem().string() + ".quantized.onnx");
  const std::filesystem::path folder = paths.model.parent_path();
  // model.quantized.onnx, model.encodings.json, model.report.json; x.onnx, x.encodings.json, x.report.json.
  std::string stem = paths.model.stem().string();
  if (const std::string_view suffix = ".quantized"; stem.size() > suffix.size() && stem.ends_with(suffix)) {
    stem.resize(stem.size() - suffix.size());
  }
  paths.encodings = request.encodings_out.value_or(folder / (stem + ".encodings.json"));
  paths.report = request.report.value_or(folder / (stem + ".report.json"));
  paths.float_model = request.float_out;
  if (request.mixed_precision.enabled || request.tuning.ladder)
    paths.overrides = request.mixed_precision.overrides_out.value_or(folder / (stem + ".overrides.json"));
  if (request.pack_4_bit_weights) paths.packed = folder / (stem + ".packed4.bin");
  if (Result<void> known = check_report_format(paths.report); !known.ok()) return known.error();
  std::vector<NamedPath> inputs{{"the model", request.model.model}};
  if (!request.input_list.empty()) inputs.push_back({"the input list", request.input_list});
  for (const std::filesystem::path& file : request.statistics_in) inputs.push_back({"statistics", file});
  for (const std::filesystem::path& file : request.quantization_overrides) inputs.push_back({"overrides", file});
  if (!request.aimet_config.empty()) inputs.push_back({"the AIMET configuration", request.aimet_config});
  if (!request.preprocess.empty()) inputs.push_back({"the preprocessing", request.preprocess});
  if (std::filesystem::exists(request.target)) inputs.push_back({"the target", request.target});
  std::vector<NamedPath> outputs;
  if (!request.shard) {
    outputs = {{"the quantized model", paths.model}, {"the encodings", paths.encodings}, {"the report", paths.report}};
  }
  if (paths.packed) outputs.push_back({"packed weights", *paths.packed});
  if (paths.overrides) outputs.push_back({"the overrides", *paths.overrides});
  if (paths.float_model) outputs.push_back({"the float model", *paths.float_model});
  if (request.statistics_out) outputs.push_back({"the statistics", *request.statistics_out});
  if (Result<void> fit = check_outputs(inputs, outputs); !fit.ok()) return fit.error();
  paths.written = std::move(outputs);
  return paths;
}

// Each is written under a temporary name first.
Result<void> write_files(const QuantizeRequest& request, io::EncodingsVersion version, const OutputPaths& paths,
                         const PreparedModel& model, const Quantized& quantized, QuantizeStory& story) {
  Result<AtomicFile> encodings = AtomicFile::create(paths.encodings);
  if (!encodings.ok()) return encodings.error();
  Result<AtomicFile> report = AtomicFile::create(paths.report);
  if (!report.ok()) return report.error();
  std::optional<AtomicFile> seen;
  if (request.statistics_out) {
    Result<AtomicFile> file = AtomicFile::create(*request.statistics_out);
    if (!file.ok()) return file.error();
    seen.emplace(*std::move(file));
    if (auto written = seen->write(io::write_statistics(quantized.seen)); !written.ok()) return written;
    if (auto finished = seen->finish(); !finished.ok()) return finished;
  }

  Result<io::PendingModel> pending = write_quantized(request, paths, model, story);
  if (!pending.ok()) return pending.error();
  story.report.quantized_model_bytes = pending->num_bytes;
  Result<std::optional<io::PendingModel>> float_model = write_float(paths, model, story);
  if (!float_model.ok()) return float_model.error();

  io::EncodingsHeader header = header_of(request, version, story.fixed.arithmetic);
  header.weights = quantized.changed_weights;
  header.reals = reals_of(model, quantized.plan);
  for (auto& [name, convert] : precision::record_converts(model.graph, model.converts)) {
    header.converts[name] = {convert.from, std::move(convert.readers)};
  }
  header.int32 = model.int32;
  header.rules = precision::rules_of(model.graph, quantized.facts, quantized.plan);
  std::optional<AtomicFile> packed;
  if (paths.packed) {
    Result<std::string> bytes = packed_weights(model, header.packed);
    if (!bytes.ok()) return bytes.error();
    Result<AtomicFile> file = AtomicFile::create(*paths.packed);
    if (!file.ok()) return file.error();
    packed.emplace(*std::move(file));
    if (auto written = packed->write(*bytes); !written.ok()) return written;
    if (auto finished = packed->finish(); !finished.ok()) return finished;
  }
  const std::string encodings_text = io::write_encodings(model.encodings, header);
  if (Result<void> written = encodings->write(encodings_text); !written.ok()) return written;
  if (Result<void> written = report->write(report_format_of(paths.report)->write(story.report)); !written.ok())
    return written;
  if (Result<void> finished = encodings->finish(); !finished.ok()) return finished;
  if (Result<void> finished = report->finish(); !finished.ok()) return finished;
  if (Result<void> committed = pending->commit(); !committed.ok()) return committed;
  if (*float_model) {
    if (Result<void> committed = (*float_model)->commit(); !committed.ok()) return committed;
  }
  if (packed) {
    if (Result<void> committed = packed->commit(); !committed.ok()) return committed;
  }
  if (Result<void> committed = encodings->commit(); !committed.ok()) return committed;
  if (seen) {
    if (Result<void> committed = seen->commit(); !committed.ok()) return committed;
  }
  return report->commit();
}

}  // namespace halfstep::pipeline
