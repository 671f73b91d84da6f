// strip.cpp: a quantized model without its encodings.
#include "core/errors.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/version.hpp"
#include "io/onnx/writer.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/photos.hpp"

namespace halfstep {
namespace {

/// Between real numbers of one format they do nothing.
void remove_converts(graph::Graph& graph) {
  const graph::Links links = graph::links_of(graph);
  for (const graph::Node& node : graph.nodes) {
    if (node.op_type != "Identity" || !graph.value(node.outputs[0]).pinned ||
        links.is_output[static_cast<std::size_t>(node.outputs[0])])
      continue;
    graph::replace_uses(graph, node.outputs[0], node.inputs[0]);
  }
  graph = graph::remove_unused(std::move(graph));
}

}  // namespace

Result<QuantizeOutcome> strip(const QuantizeRequest& request, const Observer& observer) {
  const std::string place = request.model.model.string();
  if (request.has_samples() || !request.preprocess.empty() || !request.quantization_overrides.empty() ||
      request.report || request.encodings_out) {
    return usage(
        "--strip writes the float model and nothing else: --input_list, --input_images, --preprocess, "
        "--quantization_overrides, --report and " +
        std::string("--encodings_out have no effect"));
  }
  const std::filesystem::path path = request.output_path.value_or(request.model.model.stem().string() + ".float.onnx");
  if (auto fit = pipeline::check_outputs({{"the model", request.model.model}}, {{"the float model", path}}); !fit.ok())
    return fit.error();
  Result<pipeline::RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  const std::size_t num_nodes = raw->graph.nodes.size();
  Result<pipeline::PreparedModel> carried = pipeline::encodings_of_model(*std::move(raw), observer);
  if (!carried.ok()) return carried.error();
  bool has_halves = false;
  for (graph::Value& value : carried->graph.values) {
    has_halves = has_halves || value.format != graph::RealFormat::kFloat32;
    value.format = graph::RealFormat::kFloat32;
  }
  if (carried->encodings.empty() && !has_halves) return usage("--strip: " + place + " carries no encodings");
  remove_converts(carried->graph);
  std::erase_if(carried->graph.metadata, [](const auto& entry) {
    return entry.first.starts_with("halfstep.") && entry.first != pipeline::kPreprocessKey;
  });
  const io::WriteOptions options{.tool_version = kVersion, .metadata = {{pipeline::kVersionKey, kVersion}}};
  Result<io::PendingModel> written = io::write_onnx(carried->graph, {}, path, options);
  if (!written.ok()) return written.error();
  if (auto committed = written->commit(); !committed.ok()) return committed.error();
  QuantizeOutcome outcome;
  outcome.model = path;
  outcome.summary = "Model       " + place + ": " + std::to_string(num_nodes) + " nodes\nStripped    " +
                    std::to_string(carried->encodings.size()) + " encodings, " +
                    std::to_string(carried->graph.nodes.size()) + " nodes left\nWrote       " + path.string() + "\n";
  return outcome;
}

}  // namespace halfstep
