// cache_keys.cpp: fingerprints of models, samples and orders.
#include "pipeline/cache_keys.hpp"

#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.hpp"
#include "graph/fingerprint.hpp"
#include "halfstep/options.hpp"
#include "io/json/encodings_json.hpp"

namespace halfstep::pipeline {
namespace {

/// Grids as they compute, without where they came from: the path of a file would make another key of the same model.
std::string grids_of(EncodingSet encodings) {
  for (auto& [name, encoding] : encodings) encoding.provenance = {};
  return io::write_encodings(encodings, {});
}

}  // namespace

std::string print_of_models(const graph::Graph& reference, const PreparedModel& quantized,
                            const FixedPointOptions& fixed) {
  std::string text = graph::fingerprint(reference) + " " + graph::fingerprint(quantized.graph) + " " +
                     graph::fingerprint(grids_of(quantized.encodings)) + " " + std::string(name_of(fixed.arithmetic)) +
                     " " + std::to_string(fixed.accumulator_bits);
  for (const std::string& name : quantized.units.rescaled) text += " " + name;
  return graph::fingerprint(text);
}

Result<std::string> print_of_samples(const exec::SampleSource& samples) {
  std::string text;
  for (std::int64_t i = 0; i < samples.count; ++i) {
    const Result<std::vector<Tensor>> sample = samples.load(i);
    if (!sample.ok()) return sample.error();
    for (const Tensor& tensor : *sample) {
      const ConstView view = tensor.view();
      text += " " + to_string(*view.type) +
              graph::fingerprint(std::string_view(reinterpret_cast<const char*>(view.bytes), view.type->num_bytes()));
    }
  }
  return graph::fingerprint(text);
}

Result<std::string> print_of_orders(const QuantizeRequest& request) {
  std::string text;
  for (const auto& [name, value] : settings_of(request)) text += " " + name + "=" + value;
  std::vector<std::filesystem::path> files = request.quantization_overrides;
  if (!request.aimet_config.empty()) files.push_back(request.aimet_config);
  std::error_code ignored;
  if (std::filesystem::exists(request.target, ignored)) files.emplace_back(request.target);
  for (const std::filesystem::path& file : files) {
    const Result<std::string> bytes = read_text(file);
    if (!bytes.ok()) return bytes.error();
    text += " " + graph::fingerprint(*bytes);
  }
  text += std::string(" ") + (request.overrides_lenient ? "lenient" : "") + (request.ignore_encodings ? "bare" : "");
  return graph::fingerprint(text);
}

}  // namespace halfstep::pipeline
