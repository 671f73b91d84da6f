// option_table.cpp: the rows of options.hpp.
#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "calib/range_estimators.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"
#include "halfstep/options.hpp"
#include "precision/options.hpp"

namespace halfstep {
namespace {

Error illegal(std::string_view name, const std::string& text, const std::string& expected) {
  return Error{ErrorCode::kUsage, "--" + std::string(name) + ": " + text + " is not " + expected};
}

std::optional<std::int64_t> integer_of(std::string_view text, int base = 10) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <auto Member, class Request>
Result<void> set_int(Request& request, const std::string& text) {
  request.*Member = static_cast<std::remove_reference_t<decltype(request.*Member)>>(integer_of(text).value_or(0));
  return {};
}
template <auto Member, class Request>
std::optional<std::string> get_int(const Request& request) {
  return std::to_string(request.*Member);
}

template <auto Member, class Request>
Result<void> set_path(Request& request, const std::string& text) {
  request.*Member = text;
  return {};
}

/// The member becomes the one of `All` whose name_of() is the text.
template <auto Member, const auto& All>
Result<void> set_named(QuantizationOptions& options, const std::string& text) {
  using calib::name_of;
  using precision::name_of;
  for (const auto value : All) {
    if (name_of(value) == text) options.*Member = value;
  }
  return {};
}
template <auto Member>
std::optional<std::string> get_named(const QuantizationOptions& options) {
  using calib::name_of;
  using precision::name_of;
  return std::string(name_of(options.*Member));
}

constexpr std::array kSchemas{Schema::kAsymmetric, Schema::kSymmetric, Schema::kUnsignedSymmetric};
constexpr std::array kScales{ScaleKind::kAffine, ScaleKind::kPowerOfTwo};
constexpr std::array kActPerChannel{ActPerChannel::kNone, ActPerChannel::kDepthwise};
constexpr std::array kMethods{RangeMethod::kMinMax};

std::optional<bool> boolean_of(std::string_view text) {
  for (const std::string_view yes : {"true", "on", "yes", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "off", "no", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

Result<void> set_per_channel(QuantizationOptions& options, const std::string& text) {
  const std::optional<bool> value = boolean_of(text);
  if (!value) return illegal("use_per_channel_quantization", text, "true or false");
  options.per_channel = *value;
  return {};
}
std::optional<std::string> get_per_channel(const QuantizationOptions& options) {
  return options.per_channel ? "true" : "false";
}

std::optional<std::string> get_act_per_channel(const QuantizationOptions& options) {
  if (options.act_per_channel == ActPerChannel::kNone) return std::nullopt;
  return get_named<&QuantizationOptions::act_per_channel>(options);
}

/// "-0x80": a decimal or hexadecimal number that fits a grid's end.
std::optional<std::int32_t> grid_end(std::string_view word) {
  const bool negative = word.starts_with('-');
  if (negative) word.remove_prefix(1);
  const bool hexadecimal = word.starts_with("0x") || word.starts_with("0X");
  if (hexadecimal) word.remove_prefix(2);
  const std::optional<std::int64_t> magnitude = integer_of(word, hexadecimal ? 16 : 10);
  if (!magnitude || *magnitude < 0 || *magnitude > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(negative ? -*magnitude : *magnitude);
}

Result<void> set_steps(QuantizationOptions& options, const std::string& text) {
  std::istringstream words(text);
  std::vector<std::optional<std::int32_t>> ends;
  for (std::string word; words >> word;) ends.push_back(grid_end(word));
  if (ends.size() != 2 || !ends[0] || !ends[1]) {
    return Error{
        ErrorCode::kUsage,
        "--restrict_quantization_steps takes two integers in one argument, e.g. \"-0x80 0x7F\", not '" + text + "'"};
  }
  options.restricted_steps = IntGrid{*ends[0], *ends[1]};
  return {};
}
std::optional<std::string> get_steps(const QuantizationOptions& options) {
  if (!options.restricted_steps) return std::nullopt;
  return std::to_string(options.restricted_steps->q_min) + " " + std::to_string(options.restricted_steps->q_max);
}

Result<void> set_arithmetic(FixedPointRequest& request, const std::string& text) {
  request.arithmetic = arithmetic_of(text);
  return {};
}
std::optional<std::string> get_arithmetic(const FixedPointRequest& request) {
  if (!request.arithmetic) return std::nullopt;
  return std::string(name_of(*request.arithmetic));
}

std::vector<std::string_view> arithmetic_names() {
  std::vector<std::string_view> names;
  for (const ArithmeticName& entry : kArithmeticNames) names.push_back(entry.name);
  return names;
}

/// Legal as far as the row tells; set() says the rest.
template <class Request>
Result<void> check(const OptionRow<Request>& row, const std::string& text) {
  if (row.kind == OptionKind::kWord && std::ranges::find(row.values, text) == row.values.end()) {
    std::string legal;
    for (const std::string_view value : row.values) legal += (legal.empty() ? "one of " : ", ") + std::string(value);
    return illegal(row.name, text, legal);
  }
  if (row.kind == OptionKind::kNumber && integer_of(text).value_or(-1) < 0) {
    return illegal(row.name, text, "a whole number of at least 0");
  }
  return {};
}

/// The row's line of README.
template <class Request>
std::string markdown_line(const OptionRow<Request>& row) {
  std::string type(row.type);
  std::string shown(row.default_text);
  for (std::size_t i = 0; i < row.values.size() && row.default_text.empty(); ++i) {
    shown += (i > 0 ? ", " : "") + std::string(row.values[i]);
  }
  if (row.kind == OptionKind::kWord) type = type.empty() ? "WORD" : type;
  if (row.kind == OptionKind::kBoolean) type = "true|false";
  std::string escaped;
  for (const char c : type) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return "| `--" + std::string(row.name) + " " + escaped + "` | " + shown + " | " + std::string(row.help) + " |\n";
}

}  // namespace

std::span<const OptionRow<QuantizationOptions>> precision_options() {
  using Options = QuantizationOptions;
  static const std::array<OptionRow<Options>, 10> kRows{{
      {.name = "act_bitwidth",
       .kind = OptionKind::kWord,
       .values = {"8", "16"},
       .type = "N",
       .help = "bits of activations",
       .set = set_int<&Options::act_bits>,
       .get = get_int<&Options::act_bits>},
      {.name = "weights_bitwidth",
       .kind = OptionKind::kWord,
       .values = {"8", "4", "16"},
       .type = "N",
       .help = "bits of weights",
       .set = set_int<&Options::weight_bits>,
       .get = get_int<&Options::weight_bits>},
      {.name = "bias_bitwidth",
       .kind = OptionKind::kWord,
       .values = {"32", "8"},
       .type = "N",
       .help = "bits of biases",
       .set = set_int<&Options::bias_bits>,
       .get = get_int<&Options::bias_bits>},
      {.name = "act_quantizer_schema",
       .kind = OptionKind::kWord,
       .values = {"asymmetric", "symmetric", "unsignedsymmetric"},
       .type = "S",
       .help = "grid of activations; unsignedsymmetric: zero point 0, unsigned without negatives, and the default with "
               "`--scale power_of_two`",
       .set = set_named<&Options::act_schema, kSchemas>,
       .get = get_named<&Options::act_schema>},
      {.name = "param_quantizer_schema",
       .kind = OptionKind::kWord,
       .values = {"symmetric", "asymmetric", "unsignedsymmetric"},
       .type = "S",
       .help = "grid of weights",
       .set = set_named<&Options::param_schema, kSchemas>,
       .get = get_named<&Options::param_schema>},
      {.name = "use_per_channel_quantization",
       .kind = OptionKind::kBoolean,
       .default_text = "true",
       .help = "one scale for each output channel of weights, rather than one for each tensor",
       .set = set_per_channel,
       .get = get_per_channel},
      {.name = "scale",
       .kind = OptionKind::kWord,
       .values = {"affine", "power_of_two"},
       .type = "KIND",
       .help = "power_of_two: scales 2^n, zero points 0",
       .set = set_named<&Options::scale, kScales>,
       .get = get_named<&Options::scale>},
      {.name = "act_quantizer_calibration",
       .kind = OptionKind::kWord,
       .values = {"min-max"},
       .type = "METHOD",
       .help = "how the range of an activation is chosen",
       .set = set_named<&Options::act_method, kMethods>,
       .get = get_named<&Options::act_method>},
      {.name = "act_per_channel",
       .kind = OptionKind::kWord,
       .values = {"none", "depthwise"},
       .type = "CHOICE",
       .help = "depthwise: activations that only depthwise convolutions read get a scale for each channel, which costs "
               "nothing there",
       .set = set_named<&Options::act_per_channel, kActPerChannel>,
       .get = get_act_per_channel},
      {.name = "restrict_quantization_steps",
       .type = "\"MIN MAX\"",
       .default_text = "`\"-0x7F 0x7F\"` at 8 bits",
       .help = "grid of symmetric weights, as one argument",
       .set = set_steps,
       .get = get_steps},
  }};
  return kRows;
}

std::span<const OptionRow<FixedPointRequest>> fixed_point_options() {
  static const std::array<OptionRow<FixedPointRequest>, 2> kRows{{
      {.name = "arithmetic",
       .kind = OptionKind::kWord,
       .values = arithmetic_names(),
       .type = "RULE",
       .default_text = "as recorded with the encodings, else q31_single, or shift_half_up where all scales are powers "
                       "of two",
       .help = "how fixed-point runs round (docs/numerics.md section 6); recorded with the encodings",
       .set = set_arithmetic,
       .get = get_arithmetic},
      {.name = "accumulator_bits",
       .kind = OptionKind::kWord,
       .values = {"64", "32"},
       .type = "N",
       .help = "64: accumulators that may exceed 32 bits are widened; 32: the weight scale is raised",
       .set = set_int<&FixedPointRequest::accumulator_bits>,
       .get = get_int<&FixedPointRequest::accumulator_bits>},
  }};
  return kRows;
}

std::span<const OptionRow<QuantizeRequest>> quantize_options() {
  using Request = QuantizeRequest;
  static const std::array<OptionRow<Request>, 5> kRows{{
      {.name = "output_path",
       .type = "FILE.onnx",
       .default_text = "`<model>.quantized.onnx`",
       .help = "the quantized model",
       .set = set_path<&Request::output_path>},
      {.name = "encodings_out",
       .type = "FILE",
       .default_text = "`<stem>.encodings.json`",
       .help = "the encodings, beside the quantized model",
       .set = set_path<&Request::encodings_out>},
      {.name = "report",
       .type = "FILE",
       .default_text = "`<stem>.report.json`",
       .help = "the report, beside the quantized model",
       .set = set_path<&Request::report>},
      {.name = "encodings_version",
       .kind = OptionKind::kWord,
       .values = {"1.0.0", "0.6.1", "2.0.0"},
       .type = "V",
       .help = "AIMET format of the encodings",
       .set = set_path<&Request::encodings_version>},
      {.name = "validate",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "8",
       .help = "samples to run in float and in fixed point at the end; 0: none",
       .set = set_int<&Request::num_validation_samples>},
  }};
  return kRows;
}

Result<void> set_option(QuantizationOptions& options, std::string_view name, const std::string& text) {
  std::vector<std::string> names;
  for (const auto& row : precision_options()) {
    names.emplace_back(row.name);
    if (row.name != name) continue;
    if (Result<void> legal = check(row, text); !legal.ok()) return legal;
    return row.set(options, text);
  }
  return Error{ErrorCode::kUsage, "there is no option " + quoted(name) + did_you_mean(name, names)};
}

void settle_defaults(QuantizationOptions& options, const std::set<std::string, std::less<>>& given) {
  if (options.scale == ScaleKind::kPowerOfTwo && given.count("act_quantizer_schema") == 0) {
    options.act_schema = Schema::kUnsignedSymmetric;
  }
}

std::vector<std::pair<std::string, std::string>> settings_of(const QuantizationOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& row : precision_options()) {
    if (std::optional<std::string> value = row.get(options)) settings.emplace_back(row.name, *std::move(value));
  }
  return settings;
}

std::string options_markdown() {
  std::string text = "| option | values, default first | |\n|---|---|---|\n";
  for (const auto& row : quantize_options()) text += markdown_line(row);
  for (const auto& row : fixed_point_options()) text += markdown_line(row);
  for (const auto& row : precision_options()) text += markdown_line(row);
  return text;
}

}  // namespace halfstep
