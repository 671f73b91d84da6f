// quantize.cpp: the quantize tool: from a float model and samples to a quantized model.
#include "halfstep/quantize.hpp"

#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/options.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{
      "Quantizes an ONNX model: calibrates on samples and writes <model>.quantized.onnx (QDQ),\n"
      "<model>.encodings.json (AIMET's format) and <model>.report.json to the working directory.",
      "quantize"};
  cli::set_up(app);
  app.footer("Example:\n  quantize --input_list calib.txt model.onnx\n\n" + std::string(cli::kExitStatusHelp));
  QuantizeRequest request;
  cli::CommonOptions common;
  std::set<std::string, std::less<>> given;
  app.add_option("model", request.model.model, "Float ONNX model; one that carries encodings keeps them")->required();
  app.add_option("--input_list", request.input_list, "Calibration samples, one line each (docs/input-list.md)")
      ->type_name("FILE");
  cli::add_rows(app, quantize_options(), request, given);
  cli::add_rows(app, fixed_point_options(), request.fixed, given);
  cli::add_rows(app, precision_options(), request.options, given, "Precision");
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    const auto fail = [&](const Error& error) { return cli::report_error(app.get_name(), error); };
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return fail(dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    if (const Result<void> sensible = check_given(request.options, given); !sensible.ok()) return fail(sensible.error());
    settle_defaults(request.options, given);
    const Result<QuantizeOutcome> outcome = quantize(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return fail(outcome.error());
    std::fputs(outcome->summary.c_str(), stdout);
    return 0;
  });
}
