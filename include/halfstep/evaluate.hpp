// evaluate.hpp: a float model and its quantized form, side by side over samples, and the accuracy gate.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "halfstep/arithmetic.hpp"
#include "halfstep/model_source.hpp"
#include "halfstep/observer.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// How the quantized side runs.
enum class EvaluateMode {
  kFixed,      ///< Integer arithmetic.
  kSimulated,  ///< Float arithmetic, encoded tensors rounded onto their grids.
  kBoth,       ///< Fixed, and beside it simulated, with the distance of their codes.
};

/// What is measured beside errors and agreement.
enum class Metric {
  kTopK,  ///< Top-1 and top-5, if there are labels.
  kMiou,  ///< Mean intersection over union; the labels are masks.
};

/// Thresholds; each that is set becomes a line of the report. The members are
/// named like the options. Percentages run from 0 to 100.
struct Gates {
  std::optional<double> min_top1 = std::nullopt;            ///< Of the quantized model, percent.
  std::optional<double> max_top1_drop = std::nullopt;       ///< Float less quantized, percentage points.
  std::optional<double> min_top1_agreement = std::nullopt;  ///< Samples with the same best class, percent.
  std::optional<double> min_miou = std::nullopt;            ///< Of the quantized model, percent.
  std::optional<double> min_sqnr_db = std::nullopt;         ///< Of the worst output.
  std::optional<double> min_cosine = std::nullopt;          ///< Of the worst output.
  std::optional<double> max_abs_error = std::nullopt;       ///< Of the worst output, in its unit.
  /// How much worse than `baseline` the quantized model may be: points of mean IoU or
  /// of top-1 if both reports have it, else of top-1 agreement, else dB of the worst output.
  std::optional<double> max_regression = std::nullopt;
  std::optional<std::filesystem::path> baseline = std::nullopt;  ///< A JSON report of an earlier run.
};

/// A float model, its quantized form, and samples to compare them on.
struct PairRequest {
  ModelSource model;                               ///< The float model.
  std::optional<std::filesystem::path> quantized;  ///< A quantized ONNX file from any tool; or
  std::optional<std::filesystem::path> encodings;  ///< encodings (JSON) for the float model.
  std::filesystem::path input_list;
  FixedPointRequest fixed;
  Metric metric = Metric::kTopK;
  /// In the list's order: one class index a line, or with kMiou one mask file a line.
  std::optional<std::filesystem::path> labels;
  std::filesystem::path input_images;  ///< A folder of photos instead of input_list.
  std::string preprocess;  ///< Name or file that says how photos become inputs; empty: as `quantized` records it.
  bool labels_from_folders = false;  ///< Instead of labels: the folders of input_images are the classes.
};

struct EvaluateRequest : PairRequest {
  EvaluateMode mode = EvaluateMode::kFixed;  ///< With kSimulated, `fixed` has no effect.
  /// A shell command that prints two numbers, for the float and the quantized model; {float_dir}
  /// and {quantized_dir} in it become folders with Result_<i>/<output>.raw, as quantize-run writes them.
  std::optional<std::string> metric_command;
  bool isolated = true;                        ///< Measure the error of every layer alone, too: one more run a sample.
  bool diagnose = false;                       ///< Look for what costs most, why and what to do; see docs/diagnose.md.
  std::vector<std::filesystem::path> reports;  ///< To write: .json, .md, .xml (JUnit) or .html; see docs/report.md.
  Gates gates;
  int num_threads = 0;  ///< 0: one for each processor.
};

struct EvaluateOutcome {
  std::string table;         ///< What a person wants to read, several lines.
  std::string failed_gates;  ///< One line that names the gates that were missed and by how much; empty: none.
};

/// Runs both models over every sample of the list and compares all outputs and
/// all tensors that both have under one name and the quantized one rounds.
/// Reports are written whether gates are met or not: all of them, or none.
/// Errors: those of reading any of the files; kUsage for parts that contradict
/// each other and for gates whose metric this run does not have; kInvalidInput
/// if labels and list differ in length, the models' inputs or outputs differ,
/// the baseline is of another run, or the metric command fails.
Result<EvaluateOutcome> evaluate(const EvaluateRequest& request, const Observer& observer = {});

}  // namespace halfstep
