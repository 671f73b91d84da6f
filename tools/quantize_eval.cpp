// quantize_eval.cpp: the quantize-eval tool: float against quantized, over samples.
#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/evaluate.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{
      "Runs a float model and its quantized form over the same samples and reports what quantization costs.\n"
      "The quantized model is a QDQ ONNX file from any tool, or the float model with --encodings.",
      "quantize-eval"};
  cli::set_up(app);
  app.footer("Example:\n  quantize-eval --input_list eval.txt --labels labels.txt model.onnx model.quantized.onnx\n\n" +
             std::string(cli::kExitStatusHelp));
  EvaluateRequest request;
  cli::CommonOptions common;
  app.add_option("model", request.model.model, "Float ONNX model")->required();
  app.add_option("quantized", request.quantized, "Quantized ONNX model (QDQ)");
  app.add_option("--encodings", request.encodings, "Encodings (JSON) for the float model, instead of a quantized model")
      ->type_name("FILE");
  app.add_option("--input_list", request.input_list, "Samples, one line each (docs/input-list.md)")
      ->required()
      ->type_name("FILE");
  app.add_option("--labels", request.labels, "Class index of each sample, one a line: adds top-1 and top-5")
      ->type_name("FILE");
  app.add_option("--report", request.report, "Write the report here (JSON, docs/report.md)")->type_name("FILE");
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return cli::report_error(app.get_name(), dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    const Result<EvaluateOutcome> outcome = evaluate(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return cli::report_error(app.get_name(), outcome.error());
    std::fputs(outcome->table.c_str(), stdout);
    return 0;
  });
}
