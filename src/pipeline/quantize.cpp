// quantize.cpp: the story of quantize, in order.
#include "halfstep/quantize.hpp"

#include <algorithm>

#include "core/atomic_file.hpp"
#include "core/text.hpp"
#include "halfstep/options.hpp"
#include "halfstep/version.hpp"
#include "io/json/encodings_json.hpp"
#include "io/onnx/writer.hpp"
#include "lower/lower.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/observe_float.hpp"
#include "pipeline/output_paths.hpp"
#include "pipeline/quantize_summary.hpp"
#include "precision/assign_encodings.hpp"
#include "precision/check_constants.hpp"
#include "precision/choose_tensors.hpp"
#include "report/report.hpp"

namespace halfstep {
namespace {

using pipeline::PreparedModel;
using pipeline::QuantizeStory;
using pipeline::RawModel;

/// Where the three files go.
struct OutputPaths {
  std::filesystem::path model;
  std::filesystem::path encodings;
  std::filesystem::path report;
};

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
  const std::vector<pipeline::NamedPath> inputs{{"the model", request.model.model},
                                                {"the input list", request.input_list}};
  const std::vector<pipeline::NamedPath> outputs{
      {"the quantized model", paths.model}, {"the encodings", paths.encodings}, {"the report", paths.report}};
  if (Result<void> fit = pipeline::check_outputs(inputs, outputs); !fit.ok()) return fit.error();
  return paths;
}

/// The first samples again, float against fixed point.
Result<void> validate(const QuantizeRequest& request, const PreparedModel& model, const io::SampleReader& reader,
                      const Observer& observer, QuantizeStory& story) {
  pipeline::FloatComparison comparison;
  comparison.reference = &model.graph;
  comparison.quantized = &model.graph;
  comparison.encodings = &model.encodings;
  comparison.samples = pipeline::source_of(reader);
  comparison.samples.count = std::min(comparison.samples.count, request.num_validation_samples);
  comparison.num_threads = pipeline::num_threads_for(request.num_threads, comparison.samples.count);
  comparison.mode = EvaluateMode::kFixed;
  comparison.fixed = story.fixed;
  if (comparison.samples.count == 0) return {};
  Result<pipeline::FloatComparisonOutcome> outcome = pipeline::compare_with_float(comparison, observer);
  if (!outcome.ok()) return outcome.error();
  if (observer.warning) std::ranges::for_each(outcome->warnings, observer.warning);
  pipeline::put(*std::move(outcome), comparison, story.report);
  return {};
}

io::EncodingsHeader header_of(const QuantizeRequest& request, io::EncodingsVersion version, Arithmetic arithmetic) {
  io::EncodingsHeader header;
  header.version = version;
  header.producer = std::string("halfstep ") + kVersion;
  header.arithmetic = name_of(arithmetic);
  header.act_bits = request.options.act_bits;
  header.weight_bits = request.options.weight_bits;
  header.symmetric_params = request.options.param_schema == Schema::kSymmetric;
  header.per_channel = request.options.per_channel == WeightsPerChannel::kAll;
  header.options = settings_of(request.options);
  return header;
}

/// All three files, or none: each is written under a temporary name first.
Result<void> write_files(const QuantizeRequest& request, io::EncodingsVersion version, const OutputPaths& paths,
                         const PreparedModel& model, QuantizeStory& story) {
  Result<AtomicFile> encodings = AtomicFile::create(paths.encodings);
  if (!encodings.ok()) return encodings.error();
  Result<AtomicFile> report = AtomicFile::create(paths.report);
  if (!report.ok()) return report.error();

  io::WriteOptions options;
  options.tool_version = kVersion;
  options.metadata = {{pipeline::kVersionKey, kVersion},
                      {pipeline::kArithmeticKey, std::string(name_of(story.fixed.arithmetic))}};
  std::string settings;
  for (const auto& [name, value] : settings_of(request.options)) {
    settings += (settings.empty() ? "" : " ") + name + "=" + value;
  }
  options.metadata.emplace_back("halfstep.options", settings);
  Result<io::PendingModel> pending = io::write_onnx(model.graph, model.encodings, paths.model, options);
  if (!pending.ok()) return pending.error();
  story.report.quantized_model_bytes = pending->num_bytes;

  const std::string encodings_text =
      io::write_encodings(model.encodings, header_of(request, version, story.fixed.arithmetic));
  if (Result<void> written = encodings->write(encodings_text); !written.ok()) return written;
  if (Result<void> written = report->write(report::to_json(story.report)); !written.ok()) return written;
  if (Result<void> finished = encodings->finish(); !finished.ok()) return finished;
  if (Result<void> finished = report->finish(); !finished.ok()) return finished;
  if (Result<void> committed = pending->commit(); !committed.ok()) return committed;
  if (Result<void> committed = encodings->commit(); !committed.ok()) return committed;
  return report->commit();
}

}  // namespace

Result<QuantizeOutcome> quantize(const QuantizeRequest& request, const Observer& observer) {
  QuantizeStory story;
  if (Result<void> legal = precision::check(request.options); !legal.ok()) return legal.error();
  const Result<io::EncodingsVersion> version = io::encodings_version(request.encodings_version);
  if (!version.ok()) return version.error();
  Result<OutputPaths> paths = output_paths(request);
  if (!paths.ok()) return paths.error();

  // Read.
  Result<RawModel> raw = pipeline::read_model(request.model, observer);
  if (!raw.ok()) return raw.error();
  story.num_file_nodes = raw->graph.nodes.size();
  story.report.float_model_bytes = raw->num_bytes;
  Result<io::SampleReader> reader = pipeline::open_samples(*raw, request.input_list);
  if (!reader.ok()) return reader.error();
  const auto warn = [&](const std::string& text) {
    story.report.warnings.push_back(text);
    if (observer.warning) observer.warning(text);
  };
  if (!reader->list().output_layers.empty() || !reader->list().output_tensors.empty()) {
    warn(request.input_list.string() + ": lines naming outputs do not restrict calibration, every tensor is observed");
  }
  Result<ops::InputShapes> shapes = pipeline::shapes_of_first_sample(*raw, *reader);
  if (!shapes.ok()) return shapes.error();

  if (Result<void> finite = precision::check_constants(raw->graph); !finite.ok()) {
    return finite.error().at(request.model.model.string());
  }

  // Fold and fuse.
  Result<PreparedModel> prepared = pipeline::prepare_model(*std::move(raw), *shapes, {}, observer);
  if (!prepared.ok()) return prepared.error();
  PreparedModel model = *std::move(prepared);
  const std::string place = request.model.model.string();
  Result<ops::Facts> facts = ops::infer_facts(model.graph, *shapes);
  if (!facts.ok()) return facts.error().at(place);

  // Observe, then decide.
  const precision::Plan plan = precision::choose_tensors(model.graph, *facts, request.options, model.encodings);
  const int num_threads = pipeline::num_threads_for(request.num_threads, reader->num_samples());
  Result<calib::Observations> observations =
      pipeline::observe_float(model.graph, precision::watches_of(model.graph, *facts, plan),
                              pipeline::source_of(*reader), num_threads, "calibrating", observer);
  if (!observations.ok()) return observations.error();
  Result<precision::Assignment> assignment =
      precision::assign_encodings(model.graph, *facts, plan, *observations, model.encodings);
  if (!assignment.ok()) return assignment.error().at(place);
  story.num_imported = model.encodings.size();
  model.encodings = std::move(assignment->encodings);
  if (story.num_imported > 0 && story.num_imported == model.encodings.size()) {
    warn(place + ": every tensor carries an encoding already; all are kept as they are" +
         (pipeline::asks_for_precision(request.options) ? ", so precision options have no effect" : ""));
  }
  for (const std::string& warning : assignment->warnings) warn(warning);
  if (model.encodings.empty()) {
    return Error{ErrorCode::kUnsupported, place +
                                              ": nothing to quantize, no operator of this model computes on float32 "
                                              "data and has an integer form; see quantize-inspect"};
  }

  const Result<FixedPointOptions> fixed = pipeline::fixed_options_for(model, request.fixed);
  if (!fixed.ok()) return fixed.error();
  story.fixed = *fixed;

  // Judge and write.
  story.report.kind = "quantize";
  story.report.tool_version = kVersion;
  story.report.model = place;
  story.report.quantized = paths->model.string();
  story.report.input_list = request.input_list.string();
  story.report.mode = "fixed";
  story.report.arithmetic = name_of(story.fixed.arithmetic);
  story.report.options = settings_of(request.options);
  story.report.num_calibration_samples = reader->num_samples();
  const Result<lower::Program> program = lower::fixed_program(model.graph, *shapes, model.encodings, story.fixed);
  if (!program.ok()) return program.error().at(place);
  for (const lower::Island& island : program->islands) {
    story.report.float_islands.push_back({island.label, model.graph.node(island.node).op_type, island.reason});
  }
  pipeline::count_encodings(model.encodings, story.report);
  story.num_nodes = model.graph.nodes.size();
  story.num_threads = num_threads;
  story.num_observed = static_cast<std::size_t>(assignment->counts.observed);
  if (Result<void> judged = validate(request, model, *reader, observer, story); !judged.ok()) return judged.error();
  if (Result<void> written = write_files(request, *version, *paths, model, story); !written.ok())
    return written.error();
  return QuantizeOutcome{paths->model, paths->encodings, paths->report,
                         pipeline::summary_of(request, story, {paths->model, paths->encodings, paths->report})};
}

}  // namespace halfstep
