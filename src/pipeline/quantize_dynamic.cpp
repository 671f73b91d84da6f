// quantize_dynamic.cpp: the story of quantize --dynamic, in order.
#include "pipeline/quantize_dynamic.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/atomic_file.hpp"
#include "core/errors.hpp"
#include "halfstep/options.hpp"
#include "halfstep/version.hpp"
#include "io/json/encodings_json.hpp"
#include "io/onnx/writer.hpp"
#include "io/samples/sample_reader.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/quantize_files.hpp"
#include "pipeline/quantize_summary.hpp"
#include "pipeline/report_format.hpp"
#include "precision/check_constants.hpp"
#include "precision/dynamic_quantization.hpp"
#include "precision/options.hpp"

namespace halfstep::pipeline {
namespace {

/// Files, and what decides about weights.
constexpr std::array<std::string_view, 14> kDynamicTakes = {"dynamic",
                                                            "output_path",
                                                            "encodings_out",
                                                            "report",
                                                            "encodings_version",
                                                            "weights_bitwidth",
                                                            "param_quantizer_schema",
                                                            "use_per_channel_quantization",
                                                            "param_quantizer_calibration",
                                                            "param_quantizer",
                                                            "percentile_calibration_value",
                                                            "percentile_wt_range_shrink",
                                                            "mean_std_factor",
                                                            "restrict_quantization_steps"};

bool dynamic_takes(std::string_view name) { return std::ranges::find(kDynamicTakes, name) != kDynamicTakes.end(); }

Error without_use(const std::string& name, const std::string& by) {
  return usage("--" + name + by + " has no effect with --dynamic, which looks at no samples and leaves the grids of " +
               "activations to each run: leave it out");
}

Result<void> check_dynamic_request(const QuantizeRequest& request) {
  if (!request.input_list.empty()) return without_use("input_list", "");
  if (!request.input_images.empty()) return without_use("input_images", "");
  if (!request.preprocess.empty()) return without_use("preprocess", "");
  if (!request.statistics_in.empty()) return without_use("statistics_in", "");
  if (request.statistics_out) return without_use("statistics_out", "");
  if (request.shard) return without_use("shard", "");
  if (request.search) return without_use("search", "");
  if (request.float_out) return without_use("float_out", "");
  if (request.options.weight_bits != 8) {
    return usage("--dynamic has no form for weights of " + std::to_string(request.options.weight_bits) +
                 " bits, ConvInteger and MatMulInteger multiply bytes: use --weights_bitwidth 8");
  }
  if (request.options.scale != ScaleKind::kAffine) {
    return usage("--dynamic has no form for scales that are powers of two: use --scale affine");
  }
  return precision::check(request.options);
}

/// The settings that had a say.
GivenOptions dynamic_settings(const QuantizationOptions& options) {
  GivenOptions settings{{"dynamic", "true"}};
  for (auto& setting : settings_of(options, {})) {
    if (dynamic_takes(setting.first)) settings.push_back(std::move(setting));
  }
  return settings;
}

/// What it takes to know shapes: dimensions that the file leaves open must be given.
Result<ops::InputShapes> declared_shapes(const RawModel& model) {
  ops::InputShapes shapes;
  for (const io::InputSpec& spec : input_specs(model)) {
    Result<Shape> shape = io::default_shape(spec);
    if (!shape.ok()) return shape.error().at(model.path);
    shapes.insert_or_assign(spec.name, *std::move(shape));
  }
  return shapes;
}

Result<PreparedModel> load_float(const QuantizeRequest& request, const Observer& observer, QuantizeStory& story,
                                 ops::InputShapes& shapes) {
  Result<RawModel> raw = read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  story.num_file_nodes = raw->graph.nodes.size();
  story.report.float_model_bytes = raw->num_bytes;
  const std::string place = request.model.model.string();
  if (Result<void> finite = precision::check_constants(raw->graph); !finite.ok()) return finite.error().at(place);
  Result<ops::InputShapes> declared = declared_shapes(*raw);
  if (!declared.ok()) return declared.error();
  shapes = *std::move(declared);
  Result<PreparedModel> model = prepare_model(*std::move(raw), shapes, {}, observer);
  if (!model.ok()) return model;
  if (!model->encodings.empty()) {
    return usage(place + ": carries encodings already; --dynamic takes the float model that it was made of");
  }
  story.num_nodes = model->graph.nodes.size();
  return model;
}

io::EncodingsHeader dynamic_header(const QuantizeRequest& request, io::EncodingsVersion version) {
  io::EncodingsHeader header;
  header.version = version;
  header.producer = std::string("halfstep ") + kVersion;
  // Weights alone: what reads them chooses a rule of its own.
  header.arithmetic = name_of(Arithmetic::kFloatHalfEven);
  header.act_bits = 8;
  header.weight_bits = request.options.weight_bits;
  header.symmetric_params = request.options.param_schema == Schema::kSymmetric;
  header.per_channel = request.options.per_channel == WeightsPerChannel::kAll;
  header.options = dynamic_settings(request.options);
  return header;
}

io::WriteOptions dynamic_metadata(const QuantizeRequest& request, const PreparedModel& model) {
  io::WriteOptions options{.tool_version = kVersion, .metadata = metadata_of(model.units)};
  std::string settings;
  for (const auto& [name, value] : dynamic_settings(request.options)) {
    settings += (settings.empty() ? "" : " ") + name + "=" + value;
  }
  options.metadata.emplace_back(kVersionKey, kVersion);
  options.metadata.emplace_back("halfstep.options", settings);
  return options;
}

/// Model, encodings and report: all, or none.
Result<void> write_dynamic(const QuantizeRequest& request, const OutputPaths& paths, const PreparedModel& model,
                           const precision::DynamicallyQuantized& made, QuantizeStory& story) {
  const Result<io::EncodingsVersion> version = io::encodings_version(request.encodings_version);
  if (!version.ok()) return version.error();
  Result<AtomicFile> encodings = AtomicFile::create(paths.encodings);
  if (!encodings.ok()) return encodings.error();
  Result<AtomicFile> report = AtomicFile::create(paths.report);
  if (!report.ok()) return report.error();
  Result<io::PendingModel> pending = io::write_onnx(made.graph, {}, paths.model, dynamic_metadata(request, model));
  if (!pending.ok()) return pending.error();
  story.report.quantized_model_bytes = pending->num_bytes;
  const std::string text = io::write_encodings(made.weights, dynamic_header(request, *version));
  if (Result<void> done = encodings->write(text); !done.ok()) return done;
  if (Result<void> done = report->write(report_format_of(paths.report)->write(story.report)); !done.ok()) return done;
  if (Result<void> done = encodings->finish(); !done.ok()) return done;
  if (Result<void> done = report->finish(); !done.ok()) return done;
  if (Result<void> done = pending->commit(); !done.ok()) return done;
  if (Result<void> done = encodings->commit(); !done.ok()) return done;
  return report->commit();
}

void fill_report(const QuantizeRequest& request, const OutputPaths& paths, const precision::DynamicallyQuantized& made,
                 report::Report& report) {
  report.kind = "quantize";
  report.tool_version = kVersion;
  report.model = request.model.model.string();
  report.quantized = paths.model.string();
  report.mode = "dynamic";
  report.options = dynamic_settings(request.options);
  for (const precision::FloatLayer& layer : made.float_layers) {
    report.float_islands.push_back({layer.label, layer.op_type, layer.reason});
  }
  count_encodings(made.weights, report);
}

}  // namespace

Result<void> check_dynamic_options(const OptionOrigins& origins) {
  for (const auto& [name, origin] : origins) {
    if (origin.source != OptionSource::kCommandLine && origin.source != OptionSource::kRecipe) continue;
    if (dynamic_takes(name) || !origin.through.empty()) continue;
    return without_use(name, origin.source == OptionSource::kRecipe ? " of the recipe" : "");
  }
  return {};
}

Result<QuantizeOutcome> quantize_dynamic(const QuantizeRequest& request, const Observer& observer) {
  QuantizeStory story;
  if (Result<void> legal = check_dynamic_request(request); !legal.ok()) return legal.error();
  if (const auto version = io::encodings_version(request.encodings_version); !version.ok()) return version.error();
  const Result<OutputPaths> paths = output_paths(request);
  if (!paths.ok()) return paths.error();

  // Read, fold and fuse.
  ops::InputShapes shapes;
  const Result<PreparedModel> model = load_float(request, observer, story, shapes);
  if (!model.ok()) return model.error();
  const std::string place = request.model.model.string();

  // Weights become integers, layer by layer.
  const Result<ops::Facts> facts = ops::infer_facts(model->graph, shapes);
  if (!facts.ok()) return facts.error().at(place);
  const Result<precision::DynamicallyQuantized> made =
      precision::quantize_dynamically(model->graph, *facts, request.options);
  if (!made.ok()) return made.error().at(place);
  if (made->num_inputs == 0) {
    return unsupported(place +
                       ": nothing to quantize, no Conv, Gemm or MatMul of this model multiplies float32 data "
                       "with a constant; see quantize-inspect");
  }

  // Write.
  fill_report(request, *paths, *made, story.report);
  if (Result<void> written = write_dynamic(request, *paths, *model, *made, story); !written.ok()) {
    return written.error();
  }
  const DynamicCounts counts{made->num_conv, made->num_gemm, made->num_matmul, made->num_inputs};
  return QuantizeOutcome{paths->model, paths->encodings, paths->report,
                         dynamic_summary(request, story, counts, {paths->model, paths->encodings, paths->report})};
}

}  // namespace halfstep::pipeline
