// quantize_summary.cpp: the closing lines of quantize.
#include "pipeline/quantize_summary.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <span>

#include "calib/range_estimators.hpp"
#include "encoding/range_to_encoding.hpp"
#include "report/report_text.hpp"

namespace halfstep::pipeline {
namespace {

constexpr std::size_t kIslandsShown = 5;
constexpr int kWorstLayersShown = 5;

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string shown_bytes(std::int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  return b < 1e6 ? number("%.1f kB", b / 1e3) : number("%.2f MB", b / 1e6);
}

double peak_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

std::string count(std::size_t n, const char* noun) { return std::to_string(n) + " " + noun + (n == 1 ? "" : "s"); }

const char* weights_granularity(WeightsPerChannel choice) {
  switch (choice) {
    case WeightsPerChannel::kNone:
      return " per tensor";
    case WeightsPerChannel::kDepthwise:
      return " per channel in depthwise convolutions, else per tensor";
    case WeightsPerChannel::kAll:
      return " per channel";
  }
  return "";
}

/// "13.37 to 18.02 dB on 25 held-out samples, 1.2 s".
std::string gain_of(const report::TuningStep& step, std::int64_t num_held_out) {
  return number("%.2f", step.sqnr_before_db) + number(" to %.2f dB", step.sqnr_after_db) + " on " +
         count(static_cast<std::size_t>(num_held_out), "held-out sample") + number(", %.1f s", step.seconds) +
         (step.undone ? ": undone" : "");
}

/// "  20.41 dB   96.0 %   1.9 s  percentile by channel, biases   <- kept".
std::string trial_line(const report::Trial& trial) {
  if (!trial.tried) return "                             " + trial.scheme + ": no time left";
  return number("%7.2f dB", trial.sqnr_db) + number("  %5.1f %%", trial.agreement) +
         (trial.drop ? number("  drop %5.2f", *trial.drop) : std::string()) + number("  %5.1f s  ", trial.seconds) +
         trial.scheme + (trial.kept ? "  <- kept" : "");
}

void add_line(std::string& text, const char* label, const std::string& content) {
  std::string padded = label;
  padded.resize(12, ' ');
  text += padded + content + "\n";
}

/// One line for a plain run; a table, one kind a line, if anything came from elsewhere or was asked for.
void add_coverage(std::string& text, const std::vector<std::pair<std::string, std::int64_t>>& coverage) {
  bool is_plain = true;
  std::string all;
  for (const auto& [kind, number] : coverage) {
    const bool is_special = kind == "overrides" || kind == "source_model" || kind == "ordered";
    is_plain = is_plain && !(is_special && number > 0);
    if (number > 0) all += (all.empty() ? "" : ", ") + std::to_string(number) + " " + report::coverage_words(kind);
  }
  if (is_plain) return add_line(text, "Coverage", all);
  for (const auto& [kind, number] : coverage) {
    std::string count_text = std::to_string(number);
    count_text.insert(0, 5 - std::min<std::size_t>(5, count_text.size()), ' ');
    add_line(text, &kind == &coverage.front().first ? "Coverage" : "",
             count_text + "  " + report::coverage_words(kind));
  }
}

bool is_weight_only(const QuantizationOptions& options) { return options.act_bits == 32; }

std::string precision_line(const QuantizationOptions& options) {
  const bool power = options.scale == ScaleKind::kPowerOfTwo;
  const std::string widths = "W" + std::to_string(options.weight_bits) + "A" + std::to_string(options.act_bits) +
                             (power ? " power-of-two" : "");
  const std::string weights =
      ", weights " + std::string(name_of(options.param_schema)) + weights_granularity(options.per_channel);
  if (is_weight_only(options)) {
    const std::string blocks =
        options.block_size == 0 ? "" : ", in blocks of " + std::to_string(options.block_size) + " in MatMul and Gemm";
    return widths + ": activations and biases float32" + weights + blocks;
  }
  return widths + ": activations " + std::string(name_of(options.act_schema)) + weights + ", biases int" +
         std::to_string(options.bias_bits);
}

void add_model(std::string& text, const QuantizeStory& story) {
  add_line(text, "Model",
           story.report.model + ": " + count(story.num_file_nodes, "node") + ", " + std::to_string(story.num_nodes) +
               " after folding and fusing");
}

/// What stayed float, sizes, time and files. `lead` follows the number of nodes, of which `num_islands` are worth
/// telling.
void add_closing(std::string& text, const QuantizeStory& story, std::size_t num_islands, const char* lead,
                 const std::vector<std::filesystem::path>& written) {
  const report::Report& report = story.report;
  const std::span islands(report.float_islands.data(), num_islands);
  if (!islands.empty()) add_line(text, "Float", count(islands.size(), "node") + lead);
  for (std::size_t i = 0; i < std::min(islands.size(), kIslandsShown); ++i) {
    add_line(text, "", islands[i].node + ": " + islands[i].reason);
  }
  if (islands.size() > kIslandsShown)
    add_line(text, "", "and " + std::to_string(islands.size() - kIslandsShown) + " more, see the report");
  if (!report.warnings.empty()) {
    add_line(text, "Warnings", std::to_string(report.warnings.size()) + ", see above or the report");
  }
  add_line(text, "Size", shown_bytes(report.float_model_bytes) + " to " + shown_bytes(report.quantized_model_bytes));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - story.start).count();
  add_line(text, "Took", number("%.1f s", seconds) + ", " + number("%.0f MB", peak_memory_mb()) + " peak memory");
  std::string files;
  for (const std::filesystem::path& path : written) files += (files.empty() ? "" : ", ") + path.string();
  add_line(text, "Wrote", files);
}

std::string calibration_line(const QuantizeRequest& request, const QuantizeStory& story) {
  return count(static_cast<std::size_t>(story.report.num_calibration_samples), "sample") + ", " +
         count(story.num_observed, "tensor") + " observed (" +
         std::string(calib::name_of(request.options.act_range.method)) + "), " +
         (story.num_statistics_files > 0 ? "from " + count(story.num_statistics_files, "file")
                                         : count(static_cast<std::size_t>(story.num_threads), "thread"));
}

/// "9 of 65 layers wider (6 W8A16, 3 float)", and what that costs and holds.
std::string mixed_line(const report::MixedPrecision& found) {
  std::string kinds;
  std::size_t num_wider = 0;
  for (std::size_t c = 1; c < found.candidates.size(); ++c) {
    const auto layers = std::ranges::count(found.layers, found.candidates[c], &report::LayerWidth::candidate);
    num_wider += static_cast<std::size_t>(layers);
    if (layers > 0) kinds += (kinds.empty() ? " (" : ", ") + std::to_string(layers) + " " + found.candidates[c];
  }
  return std::to_string(num_wider) + " of " + count(found.layers.size(), "layer") + " wider" +
         (kinds.empty() ? "" : kinds + ")");
}
std::string mixed_cost(const report::MixedPrecision& found) {
  const auto chosen = std::ranges::find_if(found.curve, &report::MixedPrecisionPoint::chosen);
  if (chosen == found.curve.end()) return "";
  const auto measured = std::ranges::count_if(
      found.curve, [](const report::MixedPrecisionPoint& point) { return point.sqnr_db.has_value(); });
  std::string text = number("%.2f", chosen->cost_factor) + " times the " + found.counts + " of the narrowest model";
  if (chosen->drop) {
    text += ", " + number("%.2f", *chosen->drop) + " points of " + found.measure + " lost";
    if (found.allowed_drop) text += number(" (%.2f allowed)", *found.allowed_drop);
  }
  return text + "; " + count(static_cast<std::size_t>(measured), "model") + " measured";
}

}  // namespace

bool asks_for_precision(const QuantizationOptions& options) {
  QuantizationOptions grids = options;  // Without what --effort decides unasked.
  const QuantizationOptions defaults;
  grids.act_per_channel = defaults.act_per_channel;
  grids.act_range = defaults.act_range;
  grids.param_range = defaults.param_range;
  return !(grids == defaults);
}

std::string summary_of(const QuantizeRequest& request, const QuantizeStory& story,
                       const std::vector<std::filesystem::path>& written) {
  const report::Report& report = story.report;
  std::string text;
  const auto line = [&](const char* label, const std::string& content) { add_line(text, label, content); };
  add_model(text, story);
  // Weights alone need no samples, and every layer is float then: neither is worth a line.
  const bool weights_only = is_weight_only(request.options);
  if (report.num_calibration_samples > 0 && !weights_only) line("Calibrated", calibration_line(request, story));
  const bool has_grids = report.num_activation_encodings + report.num_weight_encodings + report.num_bias_encodings > 0;
  if (report.preprocess) line("Photos", "preprocessing " + report.preprocess->name);
  line("Precision", has_grids ? precision_line(request.options) : "real numbers only, no tensor has a grid");
  line("Encodings",
       std::to_string(report.num_activation_encodings) + " activations, " +
           std::to_string(report.num_weight_encodings) + " weights and constants, " +
           std::to_string(report.num_bias_encodings) + " biases" +
           (story.num_imported > 0 ? "; " + std::to_string(story.num_imported) + " came with the model" : ""));
  add_coverage(text, report.coverage);
  for (const report::Trial& trial : report.trials) {
    line(&trial == report.trials.data() ? "Searched" : "", trial_line(trial));
  }
  if (report.mixed_precision) {
    line("Mixed", mixed_line(*report.mixed_precision));
    line("", mixed_cost(*report.mixed_precision));
  }
  if (!story.untuned.empty()) line("Tuned", "not: " + story.untuned);
  for (const report::TuningStep& step : report.tuning) {
    line("Tuned", step.algorithms + ": " + step.did);
    line("", gain_of(step, report.num_held_out));
    for (std::size_t i = 0; i < std::min(step.notes.size(), kIslandsShown); ++i) line("", step.notes[i]);
    if (step.notes.size() > kIslandsShown)
      line("", "and " + std::to_string(step.notes.size() - kIslandsShown) + " more, see the report");
  }
  add_closing(text, story, weights_only ? 0 : report.float_islands.size(), " stay float:", written);
  if (report.comparison) {
    text += "\nCost (float against fixed point, the first calibration samples)\n";
    text += report::to_table(*report.comparison, kWorstLayersShown);
  }
  return text;
}

std::string dynamic_summary(const QuantizeRequest& request, const QuantizeStory& story, const DynamicCounts& counts,
                            const std::vector<std::filesystem::path>& written) {
  std::string text;
  add_model(text, story);
  add_line(text, "Precision",
           "dynamic W8A8: activations by each run, weights " + std::string(name_of(request.options.param_schema)) +
               weights_granularity(request.options.per_channel) + ", biases float32");
  add_line(text, "Integers",
           std::to_string(counts.conv) + " Conv, " + std::to_string(counts.gemm) + " Gemm, " +
               std::to_string(counts.matmul) + " MatMul, which read " + count(counts.inputs, "tensor"));
  add_closing(text, story, story.report.float_islands.size(), " with weights stay float:", written);
  return text;
}

std::string shard_summary(const QuantizeRequest& request, const QuantizeStory& story, std::size_t num_tensors) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - story.start).count();
  return "Observed    shard " + std::to_string(request.shard->index) + "/" + std::to_string(request.shard->count) +
         ": " + count(static_cast<std::size_t>(story.report.num_calibration_samples), "sample") + ", " +
         count(num_tensors, "tensor") + ", " + count(static_cast<std::size_t>(story.num_threads), "thread") +
         number(", %.1f s", seconds) + "\nWrote       " + request.statistics_out->string() + "\n";
}

}  // namespace halfstep::pipeline
