// report.hpp: the outcome of a run as a document. Schema: docs/report.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compare/comparison.hpp"
#include "report/diagnosis.hpp"

namespace halfstep::report {

/// Version of the JSON layout; rises when a key changes its meaning or goes away.
inline constexpr int kSchemaVersion = 1;

/// SQNR in a report is limited to +-this many dB, because JSON has no infinity:
/// the upper limit means that nothing differs.
inline constexpr double kMaxReportedDb = 999.0;

/// A node whose output stays float, and why.
struct FloatIsland {
  std::string node;
  std::string op;
  std::string reason;
};

/// One threshold and what became of it.
struct Gate {
  std::string option;   ///< "min_top1", as the command line spells it without dashes.
  std::string subject;  ///< What was measured: "top-1 of the quantized model", "SQNR of output 'logits'".
  std::string unit;     ///< "%", "points", "dB" or "".
  double threshold = 0.0;
  double actual = 0.0;  ///< Never NaN; 0 where `unmeasured` says why there is no figure.
  bool passed = false;
  /// By how much it failed, in `unit`; 0 if passed.
  double shortfall = 0.0;
  /// Why no figure can be given, as "3 of 40 values are NaN or infinite in one run only"; such a gate has failed.
  std::string unmeasured = {};
};

/// What a tensor's values and its grid cover; for the charts.
struct RangeLine {
  std::string name;
  double min = 0.0, max = 0.0;            ///< Of the float values.
  double grid_min = 0.0, grid_max = 0.0;  ///< Of the encoding, over all channels.
};

enum class RangeRole { kActivation, kWeight };

/// What was seen of a tensor, what grid it got for that and by what.
struct TensorRange : RangeLine {
  RangeRole role = RangeRole::kActivation;
  std::string by;  ///< In words: "calibrated (mse)", "from its values".
  std::int64_t num_values = 0;
  /// Values more than half a step outside their grid; empty where nothing tells how many.
  std::optional<double> clipped_percent;
  std::optional<std::size_t> num_channels;  ///< Set: each has a grid of its own.
};

/// Spread of the weights of one output channel: a box plot.
struct ChannelBox {
  double min = 0.0, lower_quartile = 0.0, median = 0.0, upper_quartile = 0.0, max = 0.0;
};
struct WeightBoxes {
  std::string name;
  std::string node;                  ///< In words, "node 'conv1' (Conv)".
  std::vector<ChannelBox> channels;  ///< One if the weight has one grid only.
};

/// Float values of a tensor, counted in equal bins, and the grid drawn over them.
struct TensorHistogram {
  std::string name;
  double first_edge = 0.0;
  double bin_width = 0.0;
  std::vector<std::int64_t> counts;
  double grid_min = 0.0, grid_max = 0.0;
  double step = 0.0;                                     ///< Scale: distance of grid points (the largest, per channel).
  std::optional<double> clipped_percent = std::nullopt;  ///< TensorRange::clipped_percent, where known.
};

/// One scheme that quantize --search or --algorithms auto looked at.
struct Trial {
  std::string scheme;
  bool tried = false;                         ///< False: there was no time left for it.
  double sqnr_db = 0.0;                       ///< Mean over outputs, held-out samples.
  double agreement = 0.0;                     ///< Percent of held-out samples.
  std::optional<double> drop = std::nullopt;  ///< --algorithms auto: accuracy lost, percentage points.
  bool kept = false;                          ///< The best one.
  double seconds = 0.0;                       ///< Not in the files.
};

/// What one algorithm, or several in one sweep, did to the model, and what it won on samples it did not see.
struct TuningStep {
  std::string algorithms;          ///< As options spell them: "equalize", "round,bias-correction".
  std::string did;                 ///< In words.
  std::vector<std::string> notes;  ///< What was left as it was, and why; one line each.
  double sqnr_before_db = 0.0;     ///< Mean over outputs, held-out samples.
  double sqnr_after_db = 0.0;
  double agreement_before = 0.0;  ///< Percent of held-out samples.
  double agreement_after = 0.0;
  bool undone = false;   ///< It made them worse, so the model is as it was before.
  double seconds = 0.0;  ///< Not in the files: reports are the same for every run.
};

/// Largest magnitude of a weight in each output channel, before and after the algorithms that change the float model.
struct WeightRanges {
  std::string name;
  std::string node;            ///< In words, "node 'conv1' (Conv)".
  std::vector<double> before;  ///< In the order of the channels; not empty.
  std::vector<double> after;   ///< As many.
};

/// One assignment of widths that a search for mixed precision looked at.
struct MixedPrecisionPoint {
  std::int64_t num_changed = 0;  ///< Layers that are wider than the model.
  std::string layer;             ///< That changed last; "" for the first point and for points beside the curve.
  double bit_operations = 0.0;
  double cost_factor = 1.0;                      ///< What MixedPrecision::counts says, over the narrowest model's.
  std::optional<double> predicted_sqnr_db = {};  ///< What layers cost alone, added up; empty: they were not measured.
  std::optional<double> sqnr_db = {};            ///< Measured.
  std::optional<double> drop = {};               ///< Measured.
  bool chosen = false;
};

/// A layer and the width that a search chose for it.
struct LayerWidth {
  std::string name;
  std::string op;
  std::string candidate;
  std::vector<std::optional<double>> sqnr_db;  ///< Of the outputs with only this layer quantized, by candidate.
};

/// What quantize --auto_mixed_precision found.
struct MixedPrecision {
  std::vector<std::string> candidates;  ///< The model's own widths first.
  std::string measure;                  ///< Of the drop: "top-1", "agreement" or "noise", in percentage points.
  std::optional<double> allowed_drop;
  std::string counts;                      ///< "bit operations", or by the target's costs "estimated time".
  std::optional<double> budget;            ///< Bit operations, or a cost_factor of estimated time.
  bool holds = true;                       ///< The chosen point has the allowed drop.
  std::vector<MixedPrecisionPoint> curve;  ///< From the cheapest on.
  std::vector<LayerWidth> layers;          ///< In the order of the network.
};

/// What only the HTML page of `quantize-eval` shows.
struct Charts {
  std::vector<RangeLine> activation_ranges;  ///< In the order the network computes them.
  std::vector<WeightBoxes> weights;          ///< In the order the network reads them.
  std::vector<TensorHistogram> histograms;   ///< Worst tensors first.
};

/// How photos became inputs.
struct PhotoPreprocess {
  std::string name;
  std::string json;  ///< An object, one line: the keys of docs/photos.md.
};

/// A sample as the network sees it.
struct Picture {
  std::string name;  ///< Where it is listed.
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::string png;  ///< A file's bytes.
};

/// What a report says. Optional parts are left out of the document.
struct Report {
  std::string kind;  ///< "quantize" or "eval".
  std::string tool_version;
  std::string model;                          ///< Path as the user gave it.
  std::string quantized;                      ///< Path of the quantized model or encodings; may be empty.
  std::string input_list;                     ///< Or the folder of the photos.
  std::optional<PhotoPreprocess> preprocess;  ///< Empty: no sample is a photo.
  std::vector<Picture> pictures;              ///< For the HTML page.
  std::vector<std::string> classes;           ///< Folders that stood for labels, by class; empty: none did.
  std::string mode;                           ///< "simulated", "fixed" or "both".
  std::string arithmetic;                     ///< Rule of the fixed-point run; empty: left out.
  std::vector<std::pair<std::string, std::string>> options;  ///< Name and value, in a fixed order.
  std::optional<compare::Comparison> comparison;             ///< Float against fixed point, or simulated in that mode.
  std::optional<compare::Comparison> simulated_comparison;   ///< Mode "both": float against simulated.
  std::vector<Gate> gates;
  std::optional<Charts> charts;
  std::vector<TensorRange> ranges;            ///< Activations in the order of the network, then weights.
  std::vector<TensorHistogram> histograms;    ///< Of what calibration saw; worst tensors first.
  std::vector<std::string> activation_order;  ///< Those with a grid, as the network computes them; for the HTML page.
  std::vector<std::pair<std::string, std::pair<double, double>>> extra_metrics;  ///< Name; float, quantized.
  std::int64_t num_calibration_samples = 0;                                      ///< 0: left out.
  std::int64_t num_activation_encodings = 0;
  std::int64_t num_weight_encodings = 0;
  std::int64_t num_bias_encodings = 0;
  std::int64_t float_model_bytes = 0;      ///< 0: left out.
  std::int64_t quantized_model_bytes = 0;  ///< 0: left out.
  std::vector<Trial> trials;               ///< Of a search, in their order.
  std::optional<MixedPrecision> mixed_precision;
  std::optional<Diagnosis> diagnosis;
  std::vector<TuningStep> tuning;           ///< In the order they ran.
  std::int64_t num_held_out = 0;            ///< Samples that judged them; 0: left out.
  std::vector<WeightRanges> weight_ranges;  ///< In the order the network reads them; for the HTML page.
  std::vector<std::pair<std::string, std::int64_t>> coverage;  ///< precision::Coverage; empty: left out.
  std::vector<FloatIsland> float_islands;
  std::vector<std::string> warnings;
};

/// The document as JSON text, ending in a line feed. The same report gives the same bytes.
std::string to_json(const Report& report);

/// The document as a page of Markdown that fits a pull request, ending in a line feed.
std::string to_markdown(const Report& report);

/// The document as JUnit XML: one test case a gate and one an output.
std::string to_junit(const Report& report);

/// The document as one self-contained HTML page.
std::string to_html(const Report& report);

/// Metrics, outputs and the `num_layers` worst layers as a table for a terminal.
std::string to_table(const compare::Comparison& comparison, int num_layers);

/// The same for all comparisons of a report, with its other metrics and a line for each gate. Requires: comparison.
std::string to_table(const Report& report, int num_layers);

}  // namespace halfstep::report
