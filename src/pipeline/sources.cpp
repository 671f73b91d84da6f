// sources.cpp: opens them, and observes.
#include "pipeline/sources.hpp"

#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "pipeline/given_orders.hpp"
#include "pipeline/observe_float.hpp"

namespace halfstep::pipeline {
namespace {

/// Without samples every range must have come from elsewhere.
Result<void> check_complete(const graph::Graph& graph, const precision::Plan& plan) {
  std::size_t num_missing = 0;
  std::string example;
  for (std::size_t v = 0; v < plan.tensors.size(); ++v) {
    if (plan.tensors[v].source != precision::Source::kObserved) continue;
    if (num_missing++ == 0) example = graph.values[v].name;
  }
  if (num_missing == 0) return {};
  return usage("the overrides give no range to " + std::to_string(num_missing) + " tensors, such as " +
               quoted(example) +
               ": calibrate them with --input_list FILE, or let them stay float with --float_fallback");
}

const char* samples_option(const QuantizeRequest& request) {
  return request.input_images.empty() ? "input_list" : "input_images";
}

/// Weights have ranges of their own: samples serve the comparison at the end and nothing else.
Result<void> check_weight_only(const QuantizeRequest& request) {
  const std::string reason = "--act_bitwidth 32 quantizes weights alone, by their values: ";
  if (request.options.mixed.float_bits || request.float_fallback) {
    return usage(reason + (request.float_fallback ? "--float_fallback" : "--float_bitwidth") + " has no effect");
  }
  if (!request.statistics_in.empty() || request.statistics_out) {
    return usage(reason + "--statistics_in and --statistics_out have no effect");
  }
  if (request.search || (request.tuning.asked_for && !request.tuning.algorithms.empty())) {
    return usage(reason + (request.search ? "--search" : "--algorithms") + " has no activations to judge by");
  }
  if (request.matmul_nbits && (request.options.block_size == 0 || request.options.weight_bits != 4)) {
    return usage("--matmul_nbits needs --block_size and --weights_bitwidth 4");
  }
  return {};
}

}  // namespace

Result<void> check_sources(const QuantizeRequest& request) {
  const bool reads = !request.statistics_in.empty();
  if (request.has_samples()) {
    if (auto one = check_samples({request.input_list, request.input_images, request.preprocess}); !one.ok()) return one;
  } else if (!request.preprocess.empty()) {
    return usage("--preprocess has no effect without photos: give --input_images DIR, or --input_list FILE");
  }
  if (request.options.act_bits == 32) return check_weight_only(request);
  if (request.matmul_nbits) return usage("--matmul_nbits needs --act_bitwidth 32 and --block_size");
  if (!request.has_samples() && !reads && !may_need_no_samples(request)) {
    return usage(
        "nothing to calibrate with: give --input_list FILE (docs/input-list.md), --input_images DIR with photos, or "
        "--statistics_in FILE...");
  }
  if (request.float_fallback && (reads || request.has_samples())) {
    return usage("--float_fallback leaves float what overrides do not cover, and --" +
                 std::string(reads ? "statistics_in" : samples_option(request)) +
                 " would give it ranges: leave one of them out");
  }
  if (request.overrides_lenient && request.quantization_overrides.empty()) {
    return usage("--overrides_lenient has no effect without --quantization_overrides");
  }
  if (reads && request.statistics_out) {
    return usage("--statistics_out keeps what samples show, and --statistics_in runs none: use one of them");
  }
  if (request.shard && !request.statistics_out) {
    return usage("--shard writes statistics only: give --statistics_out FILE, too");
  }
  if (request.shard && (request.output_path || request.encodings_out || request.float_out || request.report)) {
    return usage(
        "--shard writes statistics only: --output_path, --encodings_out, --float_out and --report have no effect");
  }
  const bool runs_algorithms = request.tuning.asked_for && !request.tuning.algorithms.empty();
  if ((request.search || runs_algorithms) && (reads || request.statistics_out)) {
    return usage((request.search ? "--search runs samples, and " : "--algorithms run samples, and ") +
                 std::string(reads ? "--statistics_in" : "--statistics_out") +
                 " is about ranges alone: leave one of them out");
  }
  return {};
}

Result<Sources> open_sources(const QuantizeRequest& request, const RawModel& raw,
                             const std::function<void(const std::string&)>& warn) {
  Sources sources;
  if (request.has_samples()) {
    Result<OpenedSamples> opened =
        open_samples(raw, {request.input_list, request.input_images, request.preprocess}, raw, warn);
    if (!opened.ok()) return opened.error();
    io::SampleReader* const reader = &opened->reader;
    if (!reader->list().output_layers.empty() || !reader->list().output_tensors.empty()) {
      warn(request.input_list.string() +
           ": lines naming outputs do not restrict calibration, every tensor is observed");
    }
    Result<ops::InputShapes> shapes = shapes_of_first_sample(raw, *reader);
    if (!shapes.ok()) return shapes.error();
    sources.shapes = *std::move(shapes);
    sources.samples.emplace(*std::move(opened));
  }
  if (!request.has_samples() && request.statistics_in.empty()) {
    for (const io::InputSpec& spec : input_specs(raw)) {
      Result<Shape> shape = io::default_shape(spec);
      if (!shape.ok()) return shape.error().at("input " + quoted(spec.name));
      sources.shapes.insert_or_assign(spec.name, *std::move(shape));
    }
  }
  if (!request.statistics_in.empty()) {
    Result<MergedStatistics> statistics = read_statistics(request.statistics_in);
    if (!statistics.ok()) return statistics.error();
    if (Result<void> fit = check_inputs(*statistics, raw); !fit.ok()) return fit.error();
    sources.shapes = statistics->inputs;
    sources.statistics.emplace(*std::move(statistics));
  }
  return sources;
}

Result<io::Statistics> observe(const QuantizeRequest& request, Sources& sources, const graph::Graph& graph,
                               const ops::Facts& facts, const precision::Plan& plan, const Observer& observer,
                               QuantizeStory& story) {
  io::Statistics seen;
  std::vector<calib::Watch> watches = precision::watches_of(graph, facts, plan);
  if (sources.statistics) {
    if (auto fit = check_statistics(*sources.statistics, graph, watches); !fit.ok()) return fit.error();
    story.report.num_calibration_samples = sources.statistics->num_samples;
    story.num_statistics_files = request.statistics_in.size();
    seen.observations = std::move(sources.statistics->observations);
    return seen;
  }
  if (!sources.samples) {
    if (auto complete = check_complete(graph, plan); !complete.ok()) return complete.error();
    return seen;
  }
  const Shard shard = request.shard.value_or(Shard{});
  const exec::SampleSource samples = part_of(source_of(sources.samples->reader), shard);
  story.report.num_calibration_samples = samples.count;
  story.num_threads = num_threads_for(request.num_threads, samples.count);
  if (request.statistics_out) {
    watches = watches_for_any_method(graph, facts, plan);
    Result<io::Statistics> header =
        statistics_header(graph, sources.shapes, request.model.model, sources.samples->reader, shard);
    if (!header.ok()) return header.error();
    seen = *std::move(header);
  }
  if (samples.count == 0) {
    for (const calib::Watch& watch : watches)
      seen.observations.emplace(graph.value(watch.value).name, calib::Observation{});
    return seen;
  }
  Result<calib::Observations> observations =
      observe_float(graph, std::move(watches), samples, story.num_threads, "calibrating", observer,
                    [shard](std::int64_t i) { return shard.index + i * shard.count; });
  if (!observations.ok()) return observations.error();
  seen.observations = *std::move(observations);
  return seen;
}

}  // namespace halfstep::pipeline
