// quantize_inspect.cpp: the quantize-inspect tool: what a model holds, what the tools support.
#include <cstdio>

#include "cli/common.hpp"
#include "halfstep/inspect.hpp"

int main(int argc, char** argv) {
  using namespace halfstep;
  CLI::App app{"Prints a model's graph, tensors, shapes and encodings, or the table of supported operators.",
               "quantize-inspect"};
  cli::set_up(app);
  app.footer("Example:\n  quantize-inspect model.quantized.onnx\n\n" + std::string(cli::kExitStatusHelp));
  InspectRequest request;
  cli::CommonOptions common;
  bool operators = false;
  bool as_read = false;
  auto* model = app.add_option("model", request.model.model, "ONNX model: float, QDQ or QOperator");
  app.add_option("--encodings", request.encodings, "Encodings (JSON) to show beside the tensors")
      ->type_name("FILE")
      ->needs(model);
  app.add_flag("--as_read", as_read, "Show the graph before folding and fusion")->needs(model);
  std::string why;
  app.add_option("--why", why,
                 "Tell the story of this tensor: where it went, the rules that touched it, its grid, and what would "
                 "change it; with --encodings of quantize, whole")
      ->type_name("TENSOR")
      ->needs(model);
  std::string program;
  auto* program_option = app.add_option("--program", program,
                                        "Print the fixed-point Program: each step with its multipliers, shifts, zero "
                                        "points, grids, accumulators and why they cannot overflow")
                             ->check(CLI::IsMember({"fixed"}))
                             ->type_name("fixed")
                             ->needs(model)
                             ->excludes("--why");
  FixedPointRequest fixed;
  cli::add_fixed_point(app, fixed);
  app.get_option("--arithmetic")->needs(program_option);
  app.get_option("--accumulator_bits")->needs(program_option);
  cli::add_input_dim(app, common);
  cli::add_memory_limit(app);
  app.add_flag("--operators", operators, "Print the table of supported operators instead")->excludes(model);

  return cli::run_main(app, argc, argv, [&] {
    if (operators) {
      std::fputs(operators_table().c_str(), stdout);
      return 0;
    }
    if (request.model.model.empty()) {
      return cli::report_error(app.get_name(),
                               {ErrorCode::kUsage, "give a model, or --operators; see quantize-inspect --help"});
    }
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return cli::report_error(app.get_name(), dims.error());
    request.model.input_dims = *std::move(dims);
    request.prepared = !as_read;
    if (!why.empty()) request.why = why;
    if (!program.empty()) request.fixed_program = fixed;
    const Result<std::string> text = inspect(request);
    if (!text.ok()) return cli::report_error(app.get_name(), text.error());
    std::fputs(text->c_str(), stdout);
    return 0;
  });
}
