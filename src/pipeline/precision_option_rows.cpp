// precision_option_rows.cpp: the rows of grids.
#include <array>
#include <cmath>
#include <sstream>
#include <string_view>
#include <vector>

#include "calib/range_estimators.hpp"
#include "core/text.hpp"
#include "encoding/range_to_encoding.hpp"
#include "halfstep/options.hpp"
#include "pipeline/option_parts.hpp"
#include "pipeline/option_values.hpp"
#include "precision/options.hpp"

namespace halfstep::pipeline {
namespace {

using Options = QuantizationOptions;

/// The member becomes the one of `All` whose name_of() is the text.
template <auto Member, const auto& All>
Result<void> set_named(Options& options, const std::string& text) {
  using calib::name_of;
  using precision::name_of;
  for (const auto value : All) {
    if (name_of(value) == text) options.*Member = value;
  }
  return {};
}
template <auto Member>
std::optional<std::string> get_named(const Options& options) {
  using calib::name_of;
  using precision::name_of;
  return std::string(name_of(options.*Member));
}

constexpr char kMinMax[] = "min-max";
constexpr char kTrimFlat[] = "trim_flat";
constexpr char kAlignInputs[] = "align_inputs";
constexpr std::array kSchemas{Schema::kAsymmetric, Schema::kSymmetric, Schema::kUnsignedSymmetric};
constexpr std::array kScales{ScaleKind::kAffine, ScaleKind::kPowerOfTwo};
constexpr std::array kStrict{StrictSymmetric::kWeights, StrictSymmetric::kAll, StrictSymmetric::kNone};
constexpr std::array kActPerChannel{ActPerChannel::kNone, ActPerChannel::kDepthwise};
constexpr std::array kMethods{RangeMethod::kMinMax,  RangeMethod::kMovingAverage, RangeMethod::kMeanMinMax,
                              RangeMethod::kMeanStd, RangeMethod::kPercentile,    RangeMethod::kEntropy,
                              RangeMethod::kMse,     RangeMethod::kSqnr,          RangeMethod::kAdjusted};

/// Adjusting to the grid is for weights only.
std::vector<std::string_view> method_names(bool for_weights) {
  std::vector<std::string_view> names;
  for (const RangeMethod method : kMethods) {
    if (for_weights || method != RangeMethod::kAdjusted) names.push_back(calib::name_of(method));
  }
  return names;
}

std::optional<std::string> get_strict(const Options& options) {
  if (options.strict_symmetric == StrictSymmetric::kWeights) return std::nullopt;
  return get_named<&Options::strict_symmetric>(options);
}
std::optional<std::string> get_act_per_channel(const Options& options) {
  if (options.act_per_channel == ActPerChannel::kNone) return std::nullopt;
  return get_named<&Options::act_per_channel>(options);
}

Result<void> set_channel_calibration(Options& options, const std::string& text) {
  options.channels_keep_range = text == kMinMax;
  return {};
}
std::optional<std::string> get_channel_calibration(const Options& options) {
  if (!options.channels_keep_range) return std::nullopt;
  return kMinMax;
}

// Ranges.

template <auto Range>
Result<void> set_method(Options& options, const std::string& text) {
  for (const RangeMethod method : kMethods) {
    if (calib::name_of(method) == text) (options.*Range).method = method;
  }
  return {};
}
std::optional<std::string> get_act_method(const Options& options) {
  return std::string(calib::name_of(options.act_range.method));
}
std::optional<std::string> get_param_method(const Options& options) {
  if (options.param_range.method == RangeMethod::kMinMax) return std::nullopt;
  return std::string(calib::name_of(options.param_range.method));
}

/// QNN's older switch for schema and method in one.
template <auto Range, auto SchemaOf>
Result<void> set_legacy(Options& options, const std::string& text) {
  options.*SchemaOf = text == "symmetric" ? Schema::kSymmetric : Schema::kAsymmetric;
  (options.*Range).method = text == "enhanced"   ? RangeMethod::kSqnr
                            : text == "adjusted" ? RangeMethod::kAdjusted
                                                 : RangeMethod::kMinMax;
  return {};
}
std::optional<std::string> get_nothing(const Options& /*options*/) { return std::nullopt; }

Result<void> set_percentile(Options& options, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value >= 90.0 && *value <= 100.0)) {
    return illegal("percentile_calibration_value", text, "a number from 90 to 100, as 99.99");
  }
  options.act_range.percentile = options.param_range.percentile = *value;
  return {};
}
bool is_percentile(const RangeRule& rule) { return rule.method == RangeMethod::kPercentile; }
bool has_two_percentiles(const Options& options) {
  return is_percentile(options.act_range) && is_percentile(options.param_range) &&
         options.act_range.percentile != options.param_range.percentile;
}
std::optional<std::string> get_percentile(const Options& options) {
  if (has_two_percentiles(options)) return std::nullopt;
  if (is_percentile(options.act_range)) return shown_number(options.act_range.percentile);
  if (is_percentile(options.param_range)) return shown_number(options.param_range.percentile);
  return std::nullopt;
}

Result<void> set_shrink(RangeRule& range, std::string_view name, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value >= 0.0 && *value <= 10.0)) return illegal(name, text, "a number from 0 to 10, as 0.01");
  range.percentile = 100.0 - *value;
  return {};
}
Result<void> set_act_shrink(Options& options, const std::string& text) {
  return set_shrink(options.act_range, "percentile_act_range_shrink", text);
}
Result<void> set_wt_shrink(Options& options, const std::string& text) {
  return set_shrink(options.param_range, "percentile_wt_range_shrink", text);
}
template <auto Range>
std::optional<std::string> get_shrink(const Options& options) {
  if (!has_two_percentiles(options)) return std::nullopt;
  return shown_number(100.0 - (options.*Range).percentile);
}

Result<void> set_moving_average(Options& options, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value > 0.0 && *value <= 1.0)) {
    return illegal("moving_average_constant", text, "a number above 0, up to 1, as 0.01");
  }
  options.act_range.moving_average_constant = *value;
  return {};
}
std::optional<std::string> get_moving_average(const Options& options) {
  if (options.act_range.method != RangeMethod::kMovingAverage) return std::nullopt;
  return shown_number(options.act_range.moving_average_constant);
}

Result<void> set_mean_std(Options& options, const std::string& text) {
  const std::optional<double> value = number_of<double>(text);
  if (!value || !(*value > 0.0) || !std::isfinite(*value)) {
    return illegal("mean_std_factor", text, "a number above 0, as 3");
  }
  options.act_range.mean_std_factor = options.param_range.mean_std_factor = *value;
  return {};
}
std::optional<std::string> get_mean_std(const Options& options) {
  for (const RangeRule& rule : {options.act_range, options.param_range}) {
    if (rule.method == RangeMethod::kMeanStd) return shown_number(rule.mean_std_factor);
  }
  return std::nullopt;
}

// Granularity.

Result<void> set_per_channel(Options& options, const std::string& text) {
  if (text == "depthwise") {
    options.per_channel = WeightsPerChannel::kDepthwise;
    return {};
  }
  const std::optional<bool> value = boolean_of(text);
  if (!value) return illegal("use_per_channel_quantization", text, "true, false or depthwise");
  options.per_channel = *value ? WeightsPerChannel::kAll : WeightsPerChannel::kNone;
  return {};
}
std::optional<std::string> get_per_channel(const Options& options) {
  switch (options.per_channel) {
    case WeightsPerChannel::kNone:
      return "false";
    case WeightsPerChannel::kDepthwise:
      return "depthwise";
    case WeightsPerChannel::kAll:
      return "true";
  }
  return std::nullopt;
}

/// "-0x80": a decimal or hexadecimal number that fits a grid's end.
std::optional<std::int32_t> grid_end(std::string_view word) {
  const bool negative = word.starts_with('-');
  if (negative) word.remove_prefix(1);
  const bool hexadecimal = word.starts_with("0x") || word.starts_with("0X");
  if (hexadecimal) word.remove_prefix(2);
  std::int64_t magnitude = 0;
  const char* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, magnitude, hexadecimal ? 16 : 10);
  if (read.ec != std::errc() || read.ptr != end || magnitude < 0 || magnitude > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(negative ? -magnitude : magnitude);
}

Result<void> set_block_size(Options& options, const std::string& text) {
  const std::optional<int> value = number_of<int>(text);
  if (!value) return illegal("block_size", text, "0, 16, 32, 64, 128 or 256");
  options.block_size = *value;
  return {};
}
std::optional<std::string> get_block_size(const Options& options) {
  if (options.block_size == 0) return std::nullopt;
  return std::to_string(options.block_size);
}

Result<void> set_steps(Options& options, const std::string& text) {
  std::istringstream words(text);
  std::vector<std::optional<std::int32_t>> ends;
  for (std::string word; words >> word;) ends.push_back(grid_end(word));
  if (ends.size() != 2 || !ends[0] || !ends[1]) {
    return Error{
        ErrorCode::kUsage,
        "--restrict_quantization_steps takes two integers in one argument, e.g. \"-0x80 0x7F\", not " + quoted(text)};
  }
  options.restricted_steps = IntGrid{*ends[0], *ends[1]};
  return {};
}
std::optional<std::string> get_steps(const Options& options) {
  if (!options.restricted_steps) return std::nullopt;
  return std::to_string(options.restricted_steps->q_min) + " " + std::to_string(options.restricted_steps->q_max);
}

}  // namespace

std::span<const OptionRow<QuantizationOptions>> grid_rows() {
  static const std::array<OptionRow<Options>, 23> kRows{{
      {.name = "act_bitwidth",
       .kind = OptionKind::kWord,
       .values = {"8", "16", "32"},
       .type = "N",
       .help = "bits of activations; 32: they stay float32, weights alone are quantized and no samples are needed",
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
      {.name = "strict_symmetric",
       .kind = OptionKind::kWord,
       .values = {"weights", "all", "none"},
       .type = "WHICH",
       .help = "symmetric signed grids that leave out their lowest integer; weights: of affine scales; AIMET's key",
       .set = set_named<&Options::strict_symmetric, kStrict>,
       .get = get_strict},
      {.name = "use_per_channel_quantization",
       .kind = OptionKind::kBoolean,
       .type = "true|false|depthwise",
       .default_text = "true",
       .help = "one scale for each output channel of weights, rather than one for each tensor; depthwise: only of "
               "depthwise convolutions",
       .set = set_per_channel,
       .get = get_per_channel},
      {.name = "block_size",
       .type = "N",
       .default_text = "0",
       .help =
           "weights of MatMul and Gemm get a scale for each block of N (16, 32, 64, 128 or 256) along the axis they "
           "sum over; needs `--act_bitwidth 32`; 0: none",
       .set = set_block_size,
       .get = get_block_size},
      {.name = "scale",
       .kind = OptionKind::kWord,
       .values = {"affine", "power_of_two"},
       .type = "KIND",
       .help = "power_of_two: scales 2^n, zero points 0",
       .set = set_named<&Options::scale, kScales>,
       .get = get_named<&Options::scale>},
      {.name = "act_quantizer_calibration",
       .kind = OptionKind::kWord,
       .values = method_names(false),
       .type = "METHOD",
       .help = "how the range of an activation is chosen (docs/calibration.md); not given: by `--effort`",
       .set = set_method<&Options::act_range>,
       .get = get_act_method},
      {.name = "param_quantizer_calibration",
       .kind = OptionKind::kWord,
       .values = method_names(true),
       .type = "METHOD",
       .help = "how the range of a weight is chosen; not given: by `--effort`",
       .set = set_method<&Options::param_range>,
       .get = get_param_method},
      {.name = "percentile_calibration_value",
       .type = "P",
       .default_text = "99.99",
       .help = "percentile: at each end, 100 - P % of the values are outside; 90 to 100",
       .decides = {"percentile_act_range_shrink", "percentile_wt_range_shrink"},
       .set = set_percentile,
       .get = get_percentile},
      {.name = "percentile_act_range_shrink",
       .type = "S",
       .default_text = "0.01",
       .help = "TIDL's spelling for activations alone: P is 100 - S; 0 to 10",
       .decides = {"percentile_calibration_value"},
       .set = set_act_shrink,
       .get = get_shrink<&Options::act_range>},
      {.name = "percentile_wt_range_shrink",
       .type = "S",
       .default_text = "0.01",
       .help = "the same for weights alone",
       .decides = {"percentile_calibration_value"},
       .set = set_wt_shrink,
       .get = get_shrink<&Options::param_range>},
      {.name = "moving_average_constant",
       .type = "C",
       .default_text = "0.01",
       .help = "moving-average: how far each sample pulls the range",
       .set = set_moving_average,
       .get = get_moving_average},
      {.name = "mean_std_factor",
       .type = "K",
       .default_text = "3",
       .help = "mean-std: how many standard deviations the range reaches from the mean",
       .set = set_mean_std,
       .get = get_mean_std},
      {.name = "act_quantizer",
       .kind = OptionKind::kWord,
       .values = {"tf", "enhanced", "symmetric"},
       .type = "Q",
       .default_text = "not set",
       .help = "QNN's older switch for schema and calibration: tf (asymmetric, min-max), enhanced (asymmetric, sqnr), "
               "symmetric (min-max)",
       .decides = {"act_quantizer_schema", "act_quantizer_calibration"},
       .set = set_legacy<&Options::act_range, &Options::act_schema>,
       .get = get_nothing},
      {.name = "param_quantizer",
       .kind = OptionKind::kWord,
       .values = {"tf", "enhanced", "adjusted", "symmetric"},
       .type = "Q",
       .default_text = "not set",
       .help = "the same for weights; adjusted (asymmetric, adjusted)",
       .decides = {"param_quantizer_schema", "param_quantizer_calibration"},
       .set = set_legacy<&Options::param_range, &Options::param_schema>,
       .get = get_nothing},
      {.name = "act_per_channel",
       .kind = OptionKind::kWord,
       .values = {"none", "depthwise"},
       .type = "CHOICE",
       .help = "depthwise: activations that only depthwise convolutions read get a scale for each channel, which costs "
               "nothing there; not given: by `--effort`",
       .set = set_named<&Options::act_per_channel, kActPerChannel>,
       .get = get_act_per_channel},
      {.name = "act_per_channel_calibration",
       .kind = OptionKind::kWord,
       .values = {"same", kMinMax},
       .type = "METHOD",
       .help =
           "how the range of a channel of an activation is chosen: same, as `--act_quantizer_calibration` says, or "
           "min-max, which takes less time; not given: by `--effort` if that decides `--act_quantizer_calibration`, "
           "too, else same",
       .set = set_channel_calibration,
       .get = get_channel_calibration},
      {.name = "trim_flat",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "the grid of what only Swish, HardSwish, Sigmoid and their like read ends where these become flat; true "
               "by `--effort default` and best",
       .set = set_flag<&Options::trim_flat, kTrimFlat>,
       .get = get_flag<&Options::trim_flat>},
      {.name = "align_inputs",
       .kind = OptionKind::kBoolean,
       .default_text = "false",
       .help = "inputs of Add and Concat share a grid where that costs less error than putting them on another one",
       .set = set_flag<&Options::align_inputs, kAlignInputs>,
       .get = get_flag<&Options::align_inputs>},
      {.name = "restrict_quantization_steps",
       .type = "\"MIN MAX\"",
       .default_text = "`\"-0x7F 0x7F\"` at 8 bits",
       .help = "grid of symmetric weights, as one argument",
       .set = set_steps,
       .get = get_steps},
  }};
  return kRows;
}

}  // namespace halfstep::pipeline
