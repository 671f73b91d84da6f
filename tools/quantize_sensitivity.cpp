// quantize_sensitivity.cpp: the quantize-sensitivity tool: which layers quantization hurts.
#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/sensitivity.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{
      "Measures what each layer's quantization costs: the quantized model with this one layer in float (disable one),\n"
      "and the float model with only this one quantized (enable one); weights, activations, and both. The quantized\n"
      "model is an ONNX file from any tool (QDQ or QOperator), or the float model with --encodings.",
      "quantize-sensitivity"};
  cli::set_up(app);
  app.footer(
      "Example:\n  quantize-sensitivity --input_list calib.txt --report layers.html model.onnx model.quantized.onnx\n\n"
      "What the figures mean, and what to do about them: docs/sensitivity.md.\n\n" +
      std::string(cli::kExitStatusHelp));
  SensitivityRequest request;
  cli::CommonOptions common;
  const std::map<std::string, Metric> metrics{{"topk", Metric::kTopK}, {"miou", Metric::kMiou}};
  const std::map<std::string, SensitivityDirection> directions{{"both", SensitivityDirection::kBoth},
                                                               {"enable-one", SensitivityDirection::kEnableOne},
                                                               {"disable-one", SensitivityDirection::kDisableOne}};
  bool no_parts = false;
  bool no_cache = false;
  std::string shard;
  std::size_t memory_mb = request.memory_bytes >> 20;
  app.add_option("model", request.model.model, "Float ONNX model")->required();
  app.add_option("quantized", request.quantized, "Quantized ONNX model");
  app.add_option("--encodings", request.encodings, "Encodings (JSON) for the float model, instead of a quantized model")
      ->type_name("FILE");
  app.add_option("--input_list", request.input_list, "Samples, one line each (docs/input-list.md)")
      ->required()
      ->type_name("FILE");
  app.add_option("--samples", request.num_samples, "Use the first N samples of the list")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000))
      ->default_str("100");
  cli::add_choice(app, "--direction", request.direction, directions,
                  "enable-one: only this layer quantized; disable-one: all but this layer; both: one after the other")
      ->type_name("both|enable-one|disable-one")
      ->default_str("both");
  app.add_flag("--no_parts", no_parts, "Do not measure weights and activations apart: saves two runs of three");
  cli::add_fixed_point(app, request.fixed);
  app.add_option(
         "--labels", request.labels,
         "Class index of each sample, one a line: adds top-1 and top-5. With --metric miou one mask file a line")
      ->type_name("FILE");
  cli::add_choice(app, "--metric", request.metric, metrics, "miou: mean intersection over union; needs --labels")
      ->type_name("topk|miou")
      ->default_str("topk");
  app.add_option("--metric_command", request.metric_command,
                 "Shell command that prints a number for each model, from {float_dir} and {quantized_dir}, as for "
                 "quantize-eval; it is run once for every run")
      ->type_name("COMMAND");
  app.add_option("--cache_dir", request.cache_dir,
                 "Folder that keeps the scores found so far; the same command goes on from them")
      ->type_name("DIR")
      ->default_str("~/.cache/halfstep");
  app.add_flag("--no_cache", no_cache, "Keep no scores on disk, and use none");
  app.add_option("--shard", shard, "Take every N-th run from the I-th on, I from 0, and write --results_out only")
      ->type_name("I/N");
  app.add_option("--results_out", request.results_out, "Write all scores here, for --results_in")->type_name("FILE");
  app.add_option("--results_in", request.results_in,
                 "Scores that other shards have written, one or more files: name the models before")
      ->type_name("FILE");
  app.add_option("--memory_mb", memory_mb, "Room for tensors kept between runs; with less, more is computed again")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000'000))
      ->default_str("512");
  app.add_option("--report", request.reports, "Write the report here: .json, .md or .html; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return cli::report_error(app.get_name(), dims.error());
    if (!shard.empty()) {
      request.shard = parse_shard(shard);
      if (!request.shard) {
        return cli::report_error(app.get_name(), {ErrorCode::kUsage, "--shard takes I/N with 0 <= I < N, as 0/8"});
      }
    }
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    request.parts = !no_parts;
    request.cache = !no_cache;
    request.memory_bytes = memory_mb << 20;
    const Result<SensitivityOutcome> outcome = measure_sensitivity(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return cli::report_error(app.get_name(), outcome.error());
    std::fputs(outcome->table.c_str(), stdout);
    return 0;
  });
}
