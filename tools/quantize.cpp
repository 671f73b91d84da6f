// quantize.cpp: the quantize tool: from a float model and samples to a quantized model.
#include "halfstep/quantize.hpp"

#include <charconv>
#include <cstdio>

#include "cli/common.hpp"

namespace halfstep {
namespace {

/// "-0x80 0x7F": two integers, decimal or hexadecimal.
Result<IntGrid> parse_steps(const std::string& text) {
  std::int32_t ends[2] = {};
  std::istringstream words(text);
  std::string word;
  int count = 0;
  for (; words >> word; ++count) {
    const bool negative = word.starts_with('-');
    std::string_view digits = std::string_view(word).substr(negative ? 1 : 0);
    const bool hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    if (hexadecimal) digits.remove_prefix(2);
    std::int32_t magnitude = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, hexadecimal ? 16 : 10);
    const bool whole = failure == std::errc() && end == digits.data() + digits.size() && magnitude >= 0;
    if (!whole || count == 2) {
      count = 3;
      break;
    }
    ends[count] = negative ? -magnitude : magnitude;
  }
  if (count != 2) {
    return Error{
        ErrorCode::kUsage,
        "--restrict_quantization_steps takes two integers in one argument, e.g. \"-0x80 0x7F\", not '" + text + "'"};
  }
  return IntGrid{ends[0], ends[1]};
}

void add_precision(CLI::App& app, QuantizationOptions& options, std::string& steps) {
  const std::map<std::string, Schema> schemas{{"asymmetric", Schema::kAsymmetric},
                                              {"symmetric", Schema::kSymmetric},
                                              {"unsignedsymmetric", Schema::kUnsignedSymmetric}};
  const std::map<std::string, ScaleKind> scales{{"affine", ScaleKind::kAffine},
                                                {"power_of_two", ScaleKind::kPowerOfTwo}};
  const std::map<std::string, ActPerChannel> channel_choices{{"none", ActPerChannel::kNone},
                                                             {"depthwise", ActPerChannel::kDepthwise}};
  const char* group = "Precision";
  app.add_option("--act_bitwidth", options.act_bits, "Bits of activations: 8 (default) or 16")
      ->check(CLI::IsMember({8, 16}))
      ->type_name("N")
      ->group(group);
  app.add_option("--weights_bitwidth", options.weight_bits, "Bits of weights: 4, 8 (default) or 16")
      ->check(CLI::IsMember({4, 8, 16}))
      ->type_name("N")
      ->group(group);
  app.add_option("--bias_bitwidth", options.bias_bits, "Bits of biases: 8 or 32 (default)")
      ->check(CLI::IsMember({8, 32}))
      ->type_name("N")
      ->group(group);
  cli::add_choice(app, "--act_quantizer_schema", options.act_schema, schemas,
                  "asymmetric (default), symmetric, or unsignedsymmetric: zero point 0, unsigned without negatives; "
                  "the default of --scale power_of_two is unsignedsymmetric")
      ->type_name("asymmetric|symmetric|unsignedsymmetric")
      ->group(group);
  cli::add_choice(app, "--param_quantizer_schema", options.param_schema, schemas,
                  "The same for weights (default: symmetric)")
      ->type_name("asymmetric|symmetric|unsignedsymmetric")
      ->group(group);
  app.add_option("--use_per_channel_quantization", options.per_channel,
                 "One scale for each output channel of weights (default: true); false: one for each tensor")
      ->expected(0, 1)
      ->default_str("true")
      ->type_name("BOOL")
      ->group(group);
  cli::add_choice(app, "--act_per_channel", options.act_per_channel, channel_choices,
                  "Activations with a scale for each channel: none (default), or depthwise: those that only depthwise "
                  "convolutions read, where it costs nothing")
      ->type_name("none|depthwise")
      ->group(group);
  cli::add_choice(app, "--scale", options.scale, scales, "affine (default), or power_of_two: scales 2^n, zero points 0")
      ->type_name("affine|power_of_two")
      ->group(group);
  app.add_option("--restrict_quantization_steps", steps,
                 "Grid of symmetric weights as one argument, e.g. \"-0x80 0x7F\" (default: -0x7F 0x7F at 8 bits)")
      ->type_name("\"MIN MAX\"")
      ->group(group);
}

}  // namespace
}  // namespace halfstep

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
  std::string steps;
  app.add_option("model", request.model.model, "Float ONNX model; one that carries encodings keeps them")->required();
  app.add_option("--input_list", request.input_list, "Calibration samples, one line each (docs/input-list.md)")
      ->required()
      ->type_name("FILE");
  app.add_option("--output_path", request.output_path, "Quantized model to write")->type_name("FILE.onnx");
  app.add_option("--encodings_out", request.encodings_out, "Encodings to write (default: beside the quantized model)")
      ->type_name("FILE");
  app.add_option("--report", request.report, "Report to write (default: beside the quantized model)")
      ->type_name("FILE");
  app.add_option("--encodings_version", request.encodings_version, "AIMET format: 0.6.1, 1.0.0 (default) or 2.0.0")
      ->check(CLI::IsMember({"0.6.1", "1.0.0", "2.0.0"}))
      ->type_name("VERSION");
  app.add_option("--validate", request.num_validation_samples,
                 "Samples to run in float and in fixed point at the end (default: 8; 0: none)")
      ->check(CLI::Range(0, 1'000'000'000))
      ->type_name("N");
  add_precision(app, request.options, steps);
  cli::add_fixed_point(app, request.fixed);
  cli::add_input_dim(app, common);
  cli::add_running(app, common);

  return cli::run_main(app, argc, argv, [&] {
    const auto fail = [&](const Error& error) { return cli::report_error(app.get_name(), error); };
    Result<InputDims> dims = cli::input_dims_of(common);
    if (!dims.ok()) return fail(dims.error());
    request.model.input_dims = *std::move(dims);
    request.num_threads = common.num_threads;
    if (!steps.empty()) {
      const Result<IntGrid> grid = parse_steps(steps);
      if (!grid.ok()) return fail(grid.error());
      request.options.restricted_steps = *grid;
    }
    // Power-of-two scales have no zero point, so the default schema follows them.
    if (request.options.scale == ScaleKind::kPowerOfTwo && app.count("--act_quantizer_schema") == 0) {
      request.options.act_schema = Schema::kUnsignedSymmetric;
    }
    const Result<QuantizeOutcome> outcome = quantize(request, cli::make_observer(app.get_name(), common));
    if (!outcome.ok()) return fail(outcome.error());
    std::fputs(outcome->summary.c_str(), stdout);
    return 0;
  });
}
