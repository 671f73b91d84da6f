// quantize_run.cpp: the quantize-run tool: a model over samples, results to files.
#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/run.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{"Runs a model over samples and writes DIR/Result_N/<tensor>.raw for sample N, counted from 0.",
               "quantize-run"};
  cli::set_up(app);
  app.footer(
      "Example:\n  quantize-run --input_list samples.txt --output_dir results --mode simulated "
      "model.quantized.onnx\n\n" +
      std::string(cli::kExitStatusHelp));
  RunRequest request;
  cli::CommonOptions common;
  const std::map<std::string, RunMode> modes{
      {"float", RunMode::kFloat}, {"simulated", RunMode::kSimulated}, {"fixed", RunMode::kFixed}};
  app.add_option("model", request.model.model, "ONNX model: float, QDQ or QOperator")->required();
  cli::add_samples(app, request);
  app.add_option("--output_dir", request.output_dir, "Folder for the results; made if missing")
      ->required()
      ->type_name("DIR");
  cli::add_choice(app, "--mode", request.mode, modes,
                  "float: encodings ignored; simulated: encoded tensors rounded onto their grids; fixed: integer "
                  "arithmetic, encoded tensors written as real values and as codes (<tensor>.codes.raw)")
      ->type_name("float|simulated|fixed")
      ->default_str("float");
  app.add_option("--encodings", request.encodings,
                 "Encodings (JSON) for a float model; needs --mode fixed or simulated")
      ->type_name("FILE");
  app.add_option("--dump_tensors", request.dump_tensors, "Tensors to write beside the outputs: all, or names")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("all|NAME,...");
  app.add_option("--save_inputs", request.save_inputs,
                 "Folder for what the model is fed, Result_N/<input>.npy; made if missing")
      ->type_name("DIR");
  const auto add_names = [&app](const char* name, std::vector<std::string>& names, const char* help) {
    app.add_option(name, names, help)->delimiter(',')->allow_extra_args(false)->type_name("NAME,...");
  };
  add_names("--from", request.from,
            "Run only what lies behind these tensors; the input list names files for them, such as <tensor>.raw of an "
            "earlier run");
  add_names("--to", request.to, "Run only what these tensors need; they are the outputs");
  add_names("--quantized_until", request.quantized_until,
            "Quantize only these tensors and what they are computed from, run the rest in float; needs --mode fixed or "
            "simulated");
  cli::add_fixed_point(app, request.fixed);
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return cli::report_error(app.get_name(), dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    const bool shifts = request.fixed.arithmetic && needs_power_of_two(*request.fixed.arithmetic);
    if (request.mode != RunMode::kFixed &&
        ((app.count("--arithmetic") > 0 && !(request.mode == RunMode::kSimulated && shifts)) ||
         app.count("--accumulator_bits") > 0)) {
      return cli::report_error(app.get_name(), {ErrorCode::kUsage,
                                                "--arithmetic and --accumulator_bits have no effect without --mode "
                                                "fixed (but for a shift rule with --mode simulated)"});
    }
    const Result<RunOutcome> outcome = run(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return cli::report_error(app.get_name(), outcome.error());
    std::printf("%lld samples, %lld files in %s%s%s\n", static_cast<long long>(outcome->num_samples),
                static_cast<long long>(outcome->num_files), request.output_dir.c_str(),
                outcome->arithmetic.empty() ? "" : ", arithmetic ", outcome->arithmetic.c_str());
    return 0;
  });
}
