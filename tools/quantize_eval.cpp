// quantize_eval.cpp: the quantize-eval tool: float against quantized, over samples, with gates for CI.
#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/evaluate.hpp"

namespace halfstep {
namespace {

void add_gates(CLI::App& app, Gates& gates) {
  const auto add = [&](const char* name, std::optional<double>& threshold, const char* type, const char* help) {
    app.add_option(name, threshold, help)->type_name(type)->group("Gates (exit status 6 if one is missed)");
  };
  add("--min_top1", gates.min_top1, "PERCENT", "Top-1 of the quantized model; needs labels");
  add("--max_top1_drop", gates.max_top1_drop, "POINTS", "Top-1 of float less quantized; needs labels");
  add("--min_top1_agreement", gates.min_top1_agreement, "PERCENT", "Samples with the same best class in both");
  add("--min_miou", gates.min_miou, "PERCENT", "Mean IoU of the quantized model; needs --metric miou");
  add("--min_sqnr_db", gates.min_sqnr_db, "DB", "SQNR of the worst output");
  add("--min_cosine", gates.min_cosine, "X", "Cosine of the worst output");
  add("--max_abs_error", gates.max_abs_error, "X", "Largest error of any output");
  app.add_option("--baseline", gates.baseline, "JSON report of an earlier run on the same samples")
      ->type_name("FILE")
      ->group("Gates (exit status 6 if one is missed)");
  add("--max_regression", gates.max_regression, "N",
      "How much worse than the baseline: points of mean IoU or top-1 if both have it, else of agreement, else dB of "
      "the worst output");
}

}  // namespace
}  // namespace halfstep

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{
      "Runs a float model and its quantized form over the same samples, reports what quantization costs, layer by\n"
      "layer, and fails if it costs too much. The quantized model is an ONNX file from any tool (QDQ or QOperator),\n"
      "or the float model with --encodings.",
      "quantize-eval"};
  cli::set_up(app);
  app.footer(
      "Example:\n  quantize-eval --input_list eval.txt --labels labels.txt --max_top1_drop 1 --report eval.html\n"
      "      model.onnx model.quantized.onnx\n\n"
      "Pipelines to copy: docs/ci.md. What is computed: docs/numerics.md.\n\n" +
      std::string(cli::kExitStatusHelp));
  EvaluateRequest request;
  cli::CommonOptions common;
  const std::map<std::string, EvaluateMode> modes{
      {"fixed", EvaluateMode::kFixed}, {"simulated", EvaluateMode::kSimulated}, {"both", EvaluateMode::kBoth}};
  const std::map<std::string, Metric> metrics{{"topk", Metric::kTopK}, {"miou", Metric::kMiou}};
  bool no_isolated = false;
  app.add_option("model", request.model.model, "Float ONNX model")->required();
  app.add_option("quantized", request.quantized, "Quantized ONNX model");
  app.add_option("--encodings", request.encodings, "Encodings (JSON) for the float model, instead of a quantized model")
      ->type_name("FILE");
  cli::add_samples(app, request);
  cli::add_choice(app, "--mode", request.mode, modes,
                  "fixed: integer arithmetic, as a device computes; simulated: float, rounded onto the grids; both: "
                  "fixed, and how far the simulation is from it")
      ->type_name("fixed|simulated|both")
      ->default_str("fixed");
  cli::add_fixed_point(app, request.fixed);
  app.add_option(
         "--labels", request.labels,
         "Class index of each sample, one a line: adds top-1 and top-5. With --metric miou one mask file a line")
      ->type_name("FILE");
  app.add_flag("--labels_from_folders", request.labels_from_folders,
               "Instead of --labels: the folders right under --input_images are the classes, in the order of their "
               "names or of classes.txt there");
  cli::add_choice(
      app, "--metric", request.metric, metrics,
      "miou: mean intersection over union; masks are PNG (grayscale, palette) or raw uint8 or int64, 255 is "
      "ignored")
      ->type_name("topk|miou")
      ->default_str("topk");
  app.add_option("--metric_command", request.metric_command,
                 "Shell command that prints a number for each model, from {float_dir} and {quantized_dir}, where the "
                 "outputs lie as Result_N/<output>.raw")
      ->type_name("COMMAND");
  app.add_flag("--no_isolated", no_isolated, "Do not measure every layer alone: saves one run a sample");
  app.add_flag(
      "--diagnose", request.diagnose,
      "Say which layers cost most, why, and what to try next with what gain, from the first samples, at most 32 "
      "(docs/diagnose.md)");
  app.add_option("--report", request.reports,
                 "Write the report here: .json, .md, .xml (JUnit) or .html; repeatable (docs/report.md)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add_gates(app, request.gates);
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return cli::report_error(app.get_name(), dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    request.isolated = !no_isolated;
    if (request.mode == EvaluateMode::kSimulated && app.count("--accumulator_bits") > 0) {
      return cli::report_error(app.get_name(), {ErrorCode::kUsage,
                                                "--accumulator_bits has no effect with --mode simulated; use --mode "
                                                "fixed or both"});
    }
    const Result<EvaluateOutcome> outcome = evaluate(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return cli::report_error(app.get_name(), outcome.error());
    std::fputs(outcome->table.c_str(), stdout);
    if (outcome->failed_gates.empty()) return 0;
    std::fflush(stdout);
    return cli::report_error(app.get_name(), {ErrorCode::kAccuracyGate, outcome->failed_gates});
  });
}
