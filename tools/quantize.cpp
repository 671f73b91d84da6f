// quantize.cpp: the quantize tool: from a float model and samples to a quantized model.
#include "halfstep/quantize.hpp"

#include <cstdio>
#include <optional>
#include <string>

#include "cli/common.hpp"
#include "halfstep/options.hpp"
#include "halfstep/recipes.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{
      "Quantizes an ONNX model: calibrates on samples and writes <model>.quantized.onnx (QDQ),\n"
      "<model>.encodings.json (AIMET's format) and <model>.report.json to the working directory.",
      "quantize"};
  cli::set_up(app);
  app.footer("Example:\n  quantize --input_list calib.txt model.onnx\n\n" + std::string(cli::kExitStatusHelp));
  QuantizeRequest request;
  QuantizeRequest typed;  // Options as the command line alone has them; a recipe comes before it.
  GivenOptions given;
  cli::CommonOptions common;
  std::string config;
  bool explain = false;
  app.add_option("model", request.model.model, "Float ONNX model; one that carries encodings keeps them")->required();
  app.add_option("--input_list", request.input_list, "Calibration samples, one line each (docs/input-list.md)")
      ->type_name("FILE");
  app.add_option("--config", config, "Recipe: options from a file, which other options change (README: Recipes)")
      ->type_name("NAME|FILE");
  app.add_flag("--explain", explain, "Print every option, its value and what decided it, and do nothing else");
  cli::add_rows(app, quantize_options(), typed, given);
  cli::add_rows(app, fixed_point_options(), typed.fixed, given);
  cli::add_rows(app, precision_options(), typed.options, given, "Precision");
  cli::add_rows(app, tuning_options(), typed.tuning, given, "Algorithms");
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    const auto fail = [&](const Error& error) { return cli::report_error(app.get_name(), error); };
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return fail(dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    std::optional<Recipe> recipe;
    if (app.count("--config") > 0) {
      Result<Recipe> found = find_recipe(config);
      if (!found.ok()) return fail(found.error());
      recipe = *std::move(found);
    }
    const Result<OptionOrigins> origins = resolve_options(request, recipe, given);
    if (!origins.ok()) return fail(origins.error());
    const Observer observer = cli::make_observer(app.get_name(), common);
    if (explain) {
      const Result<std::string> explained = explain_options(request, recipe, *origins, observer);
      if (!explained.ok()) return fail(explained.error());
      std::fputs(explained->c_str(), stdout);
      return 0;
    }
    const Result<QuantizeOutcome> outcome = quantize(request, observer);
    if (!outcome.ok()) return fail(outcome.error());
    std::fputs(outcome->summary.c_str(), stdout);
    return 0;
  });
}
