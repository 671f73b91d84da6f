// option_table.cpp: rows about files and arithmetic, and what all rows are used for.
#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "halfstep/options.hpp"
#include "pipeline/calibration_option.hpp"
#include "pipeline/option_parts.hpp"
#include "pipeline/option_values.hpp"

namespace halfstep {

using pipeline::get_flag;
using pipeline::get_int;
using pipeline::illegal;
using pipeline::number_of;
using pipeline::set_flag;
using pipeline::set_int;
using pipeline::shown_number;

namespace {

constexpr char kSearch[] = "search";
constexpr char kMatmulNbits[] = "matmul_nbits";
constexpr char kPack[] = "pack_4_bit_weights";

template <auto Member, class Request>
Result<void> set_path(Request& request, const std::string& text) {
  request.*Member = text;
  return {};
}
template <auto Member, class Request>
std::optional<std::string> get_path(const Request& request) {
  if (!(request.*Member)) return std::nullopt;
  return (request.*Member)->string();
}
Result<void> set_budget(QuantizeRequest& request, const std::string& text) {
  const std::optional<double> seconds = number_of<double>(text);
  if (!seconds || !(*seconds > 0.0)) return illegal("time_budget", text, "a number of seconds above 0");
  request.time_budget_seconds = *seconds;
  return {};
}
Result<void> set_dynamic(QuantizeRequest& request, const std::string& text) {
  if (text != "true" && text != "false") return illegal("dynamic", text, "true or false");
  request.dynamic = text == "true";
  return {};
}
std::optional<std::string> get_dynamic(const QuantizeRequest& request) {
  if (!request.dynamic) return std::nullopt;
  return "true";
}
std::optional<std::string> get_budget(const QuantizeRequest& request) {
  if (!request.time_budget_seconds) return std::nullopt;
  return shown_number(*request.time_budget_seconds);
}
std::optional<std::string> get_version(const QuantizeRequest& request) { return request.encodings_version; }

Result<void> set_arithmetic(FixedPointRequest& request, const std::string& text) {
  request.arithmetic = arithmetic_of(text);
  return {};
}
std::optional<std::string> get_arithmetic(const FixedPointRequest& request) {
  if (!request.arithmetic) return std::nullopt;
  return std::string(name_of(*request.arithmetic));
}

Result<void> add_statistics(QuantizeRequest& request, const std::string& text) {
  request.statistics_in.emplace_back(text);
  return {};
}

std::optional<std::string> get_statistics(const QuantizeRequest& request) {
  std::string files;
  for (const auto& file : request.statistics_in) files += (files.empty() ? "" : " ") + file.string();
  if (files.empty()) return std::nullopt;
  return files;
}

Result<void> set_shard(QuantizeRequest& request, const std::string& text) {
  request.shard = parse_shard(text);
  return request.shard ? Result<void>() : illegal("shard", text, "I/N with 0 <= I < N, as 0/8");
}

std::optional<std::string> get_shard(const QuantizeRequest& request) {
  if (!request.shard) return std::nullopt;
  return std::to_string(request.shard->index) + "/" + std::to_string(request.shard->count);
}

/// What stands for other options has no value of its own.
std::optional<std::string> get_nothing(const QuantizeRequest& /*request*/) { return std::nullopt; }

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
    const std::vector<std::string> words(row.values.begin(), row.values.end());
    const bool is_word = text.size() > 2;  // Numbers are near to each other by chance.
    return illegal(row.name, text, legal + (is_word ? did_you_mean(text, words) : ""));
  }
  if (row.kind == OptionKind::kNumber && number_of<std::int64_t>(text).value_or(-1) < 0) {
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
  if (row.kind == OptionKind::kBoolean && type.empty()) type = "true|false";
  std::string escaped;
  for (const char c : type) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return "| `--" + std::string(row.name) + " " + escaped + "` | " + shown + " | " + std::string(row.help) + " |\n";
}

}  // namespace

namespace {

/// Files and what is done with them.
std::span<const OptionRow<QuantizeRequest>> file_rows() {
  using Request = QuantizeRequest;
  static const std::array<OptionRow<Request>, 15> kRows{{
      // First, so that every other option of the same source wins over it.
      {.name = "calibration_option",
       .type = "N",
       .default_text = "not set",
       .help =
           "TIDL's calibrationOption, a sum: 0, scales 2^n, one a tensor, min-max; 1, activations by percentile; 2, "
           "weights by percentile; 4, iterative bias correction, and clipped weights without 8; 8, weights of "
           "depthwise convolutions by channel; 16, their weights in 16 bits; 32, those of the first layer. Other "
           "options win over it",
       .decides = {"act_quantizer_schema", "param_quantizer_schema", "use_per_channel_quantization", "scale",
                   "act_quantizer_calibration", "param_quantizer_calibration", "percentile_calibration_value",
                   "percentile_act_range_shrink", "percentile_wt_range_shrink", "trim_flat", "algorithms",
                   "bias_correction_method"},
       .set = pipeline::set_calibration_option,
       .get = get_nothing},
      {.name = "output_path",
       .type = "FILE.onnx",
       .default_text = "`<model>.quantized.onnx`",
       .help = "the quantized model",
       .set = set_path<&Request::output_path>,
       .get = get_path<&Request::output_path>},
      {.name = "encodings_out",
       .type = "FILE",
       .default_text = "`<stem>.encodings.json`",
       .help = "the encodings, beside the quantized model",
       .set = set_path<&Request::encodings_out>,
       .get = get_path<&Request::encodings_out>},
      {.name = "float_out",
       .type = "FILE.onnx",
       .default_text = "not written",
       .help = "the float model with the weights and biases that algorithms left, which the encodings describe; for "
               "tools that take a float model and encodings, as QNN and AIMET",
       .set = set_path<&Request::float_out>,
       .get = get_path<&Request::float_out>},
      {.name = "report",
       .type = "FILE",
       .default_text = "`<stem>.report.json`",
       .help = "the report, beside the quantized model; `.json`, `.md`, `.xml` or `.html`",
       .set = set_path<&Request::report>,
       .get = get_path<&Request::report>},
      {.name = "statistics_out",
       .type = "FILE",
       .default_text = "not written",
       .help = "what calibration saw, for `--statistics_in` (docs/statistics.md)",
       .set = set_path<&Request::statistics_out>,
       .get = get_path<&Request::statistics_out>},
      {.name = "statistics_in",
       .kind = OptionKind::kList,
       .type = "FILE...",
       .default_text = "none",
       .help =
           "estimate ranges from these instead of running samples; several are merged exactly. The model comes last",
       .set = add_statistics,
       .get = get_statistics},
      {.name = "shard",
       .type = "I/N",
       .default_text = "all samples",
       .help = "run samples I, I + N, ... (from 0) and write `--statistics_out` only (docs/scale-out.md)",
       .set = set_shard,
       .get = get_shard},
      {.name = "encodings_version",
       .kind = OptionKind::kWord,
       .values = {"1.0.0", "0.6.1", "2.0.0"},
       .type = "V",
       .help = "AIMET format of the encodings",
       .set = set_path<&Request::encodings_version>,
       .get = get_version},
      {.name = "dynamic",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help =
           "no samples: weights of Conv, Gemm and MatMul become bytes, and each run finds the grids of their inputs "
           "(docs/encodings.md)",
       .set = set_dynamic,
       .get = get_dynamic},
      {.name = "matmul_nbits",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help =
           "write 4-bit weights in blocks (`--block_size`) as com.microsoft MatMulNBits rather than DequantizeLinear",
       .set = set_flag<&Request::matmul_nbits, kMatmulNbits>,
       .get = get_flag<&Request::matmul_nbits>},
      {.name = "pack_4_bit_weights",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "write 4-bit weights, two codes a byte and each channel from a byte of its own, to <output "
               "stem>.packed4.bin",
       .set = set_flag<&Request::pack_4_bit_weights, kPack>,
       .get = get_flag<&Request::pack_4_bit_weights>},
      {.name = "search",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "try a ladder of ranges, grids and algorithms on part of the samples, and keep what is best on the rest",
       .set = set_flag<&Request::search, kSearch>,
       .get = get_flag<&Request::search>},
      {.name = "time_budget",
       .type = "SECONDS",
       .default_text = "none",
       .help = "of the search: begin nothing that will not end within it",
       .set = set_budget,
       .get = get_budget},
      {.name = "validate",
       .kind = OptionKind::kNumber,
       .type = "N",
       .default_text = "8",
       .help = "samples to run in float and in fixed point at the end; 0: none",
       .set = set_int<&Request::num_validation_samples>,
       .get = get_int<&Request::num_validation_samples>},
  }};
  return kRows;
}

/// The rows of both parts, in that order.
template <class Request>
std::vector<OptionRow<Request>> joined(std::span<const OptionRow<Request>> a, std::span<const OptionRow<Request>> b) {
  std::vector<OptionRow<Request>> rows(a.begin(), a.end());
  rows.insert(rows.end(), b.begin(), b.end());
  return rows;
}

}  // namespace

std::optional<Shard> parse_shard(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto index = number_of<std::int64_t>(text.substr(0, slash));
  const auto count = number_of<std::int64_t>(text.substr(std::min(slash + 1, text.size())));
  if (!index || !count || *index < 0 || *index >= *count) return std::nullopt;
  return Shard{*index, *count};
}

std::span<const OptionRow<QuantizationOptions>> precision_options() {
  static const auto kRows = joined(pipeline::grid_rows(), pipeline::mixed_precision_rows());
  return kRows;
}

std::span<const OptionRow<QuantizeRequest>> quantize_options() {
  using Rows = std::span<const OptionRow<QuantizeRequest>>;
  static const auto kRows = [] {
    const auto files = joined(pipeline::sample_rows(), file_rows());
    const auto more = joined(pipeline::override_rows(), pipeline::mixed_precision_search_rows());
    return joined(Rows(files), Rows(more));
  }();
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

template <class Request>
Result<void> set_row(const OptionRow<Request>& row, Request& request, const std::string& text) {
  if (Result<void> legal = check(row, text); !legal.ok()) return legal;
  return row.set(request, text);
}
template Result<void> set_row(const OptionRow<QuantizationOptions>&, QuantizationOptions&, const std::string&);
template Result<void> set_row(const OptionRow<TuningOptions>&, TuningOptions&, const std::string&);
template Result<void> set_row(const OptionRow<FixedPointRequest>&, FixedPointRequest&, const std::string&);
template Result<void> set_row(const OptionRow<QuantizeRequest>&, QuantizeRequest&, const std::string&);

Result<void> set_option(QuantizationOptions& options, std::string_view name, const std::string& text) {
  std::vector<std::string> names;
  for (const auto& row : precision_options()) {
    names.emplace_back(row.name);
    if (row.name == name) return set_row(row, options, text);
  }
  return Error{ErrorCode::kUsage, "there is no option " + quoted(name) + did_you_mean(name, names)};
}

void settle_defaults(QuantizationOptions& options, const GivenNames& given) {
  const bool keeps_zero_point = options.act_schema == Schema::kAsymmetric;
  if (options.scale == ScaleKind::kPowerOfTwo && keeps_zero_point && !given.contains("act_quantizer_schema")) {
    options.act_schema = Schema::kUnsignedSymmetric;
  }
}

Result<void> check_given(const QuantizationOptions& options, const GivenNames& given) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSameThing{{
      {"act_quantizer", "act_quantizer_calibration"},
      {"act_quantizer", "act_quantizer_schema"},
      {"param_quantizer", "param_quantizer_calibration"},
      {"param_quantizer", "param_quantizer_schema"},
      {"percentile_calibration_value", "percentile_act_range_shrink"},
      {"percentile_calibration_value", "percentile_wt_range_shrink"},
  }};
  for (const auto& [one, other] : kSameThing) {
    if (!given.contains(one) || !given.contains(other)) continue;
    return Error{ErrorCode::kUsage,
                 "--" + std::string(one) + " and --" + std::string(other) + " set the same thing, use one of them"};
  }
  const bool act_percentile = options.act_range.method == RangeMethod::kPercentile;
  const bool param_percentile = options.param_range.method == RangeMethod::kPercentile;
  const bool any_mean_std =
      options.act_range.method == RangeMethod::kMeanStd || options.param_range.method == RangeMethod::kMeanStd;
  struct Parameter {
    std::string_view name;
    bool has_effect;
    std::string_view needs;
  };
  const std::array<Parameter, 6> parameters{{
      {"percentile_calibration_value", act_percentile || param_percentile, "act_quantizer_calibration percentile"},
      {"percentile_act_range_shrink", act_percentile, "act_quantizer_calibration percentile"},
      {"percentile_wt_range_shrink", param_percentile, "param_quantizer_calibration percentile"},
      {"moving_average_constant", options.act_range.method == RangeMethod::kMovingAverage,
       "act_quantizer_calibration moving-average"},
      {"act_per_channel_calibration", options.act_per_channel != ActPerChannel::kNone, "act_per_channel depthwise"},
      {"mean_std_factor", any_mean_std, "act_quantizer_calibration mean-std"},
  }};
  for (const Parameter& parameter : parameters) {
    if (!given.contains(parameter.name) || parameter.has_effect) continue;
    return Error{ErrorCode::kUsage,
                 "--" + std::string(parameter.name) + " has no effect without --" + std::string(parameter.needs)};
  }
  return {};
}

GivenOptions settings_of(const QuantizationOptions& options, const TuningOptions& tuning) {
  GivenOptions settings;
  for (const auto& row : precision_options()) {
    if (std::optional<std::string> value = row.get(options)) settings.emplace_back(row.name, *std::move(value));
  }
  for (const auto& row : tuning_options()) {
    if (row.name == "effort") continue;  // What it decided is listed.
    if (std::optional<std::string> value = row.get(tuning)) settings.emplace_back(row.name, *std::move(value));
  }
  return settings;
}

GivenOptions settings_of(const QuantizeRequest& request) {
  GivenOptions settings = settings_of(request.options, request.tuning);
  if (!request.target.empty()) settings.emplace_back("target", request.target);
  return settings;
}

std::string options_markdown() {
  std::string text = "| option | values, default first | |\n|---|---|---|\n";
  for (const auto& row : quantize_options()) text += markdown_line(row);
  for (const auto& row : fixed_point_options()) text += markdown_line(row);
  for (const auto& row : precision_options()) text += markdown_line(row);
  for (const auto& row : tuning_options()) text += markdown_line(row);
  return text;
}

}  // namespace halfstep
