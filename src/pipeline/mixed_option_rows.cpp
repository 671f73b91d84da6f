// mixed_option_rows.cpp: the rows of MixedPrecision.
#include <array>
#include <string_view>

#include "pipeline/option_parts.hpp"
#include "pipeline/option_values.hpp"

namespace halfstep::pipeline {
namespace {

using Options = QuantizationOptions;
using Names = std::vector<std::string>;

template <auto Member>
Result<void> add_names(Options& options, const std::string& text) {
  Names& names = options.mixed.*Member;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    if (comma > from) names.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return {};
}
template <auto Member>
std::optional<std::string> get_names(const Options& options) {
  std::string all;
  for (const std::string& name : options.mixed.*Member) all += (all.empty() ? "" : ",") + name;
  if (all.empty()) return std::nullopt;
  return all;
}

Result<void> set_float_bits(Options& options, const std::string& text) {
  if (text != "16" && text != "32") return illegal("float_bitwidth", text, "16 or 32");
  options.mixed.float_bits = text == "16" ? 16 : 32;
  return {};
}
Result<void> set_float_bias_bits(Options& options, const std::string& text) {
  options.mixed.float_bias_bits = text == "16" ? 16 : 32;
  return {};
}
std::optional<std::string> get_float_bits(const Options& options) {
  if (!options.mixed.float_bits) return std::nullopt;
  return std::to_string(*options.mixed.float_bits);
}
std::optional<std::string> get_float_bias_bits(const Options& options) {
  if (options.mixed.float_bias_bits == 32) return std::nullopt;
  return std::to_string(options.mixed.float_bias_bits);
}

std::optional<NumberKind> number_kind(std::string_view text) {
  if (text == "float16") return NumberKind{16, true};
  if (text == "float32") return NumberKind{32, true};
  for (const int bits : {4, 8, 16}) {
    if (text == std::to_string(bits)) return NumberKind{bits, false};
  }
  return std::nullopt;
}

Result<void> add_op_type(Options& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto kind = number_kind(std::string_view(text).substr(std::min(equals, text.size() - 1) + 1));
  if (equals == 0 || equals == std::string::npos || !kind) {
    return illegal("op_type_bitwidth", text, "TYPE=4, 8, 16, float16 or float32, as Softmax=16");
  }
  options.mixed.op_types.emplace_back(text.substr(0, equals), *kind);
  return {};
}
std::optional<std::string> get_op_types(const Options& options) {
  std::string all;
  for (const auto& [type, kind] : options.mixed.op_types) {
    all += (all.empty() ? "" : " ") + type + "=" + (kind.real ? "float" : "") + std::to_string(kind.bits);
  }
  if (all.empty()) return std::nullopt;
  return all;
}

template <auto Member>
Result<void> set_mixed_flag(Options& options, const std::string& text) {
  options.mixed.*Member = text == "true";
  return {};
}
template <auto Member>
std::optional<std::string> get_mixed_flag(const Options& options) {
  if (!(options.mixed.*Member)) return std::nullopt;
  return "true";
}

}  // namespace

std::span<const OptionRow<QuantizationOptions>> mixed_precision_rows() {
  static const std::array<OptionRow<Options>, 9> kRows{{
      {.name = "op_type_bitwidth",
       .kind = OptionKind::kList,
       .type = "TYPE=N...",
       .default_text = "none",
       .help = "bits of the outputs of an operator: 4, 8, 16, float16 or float32, as Softmax=16 (docs/overrides.md)",
       .set = add_op_type,
       .get = get_op_types},
      {.name = "output_feature_16bit_names_list",
       .type = "NAME,...",
       .default_text = "none",
       .help = "TIDL's: outputs of these nodes have 16 bits; `*` stands for any characters",
       .set = add_names<&MixedPrecision::output_16bit_names>,
       .get = get_names<&MixedPrecision::output_16bit_names>},
      {.name = "params_16bit_names_list",
       .type = "NAME,...",
       .default_text = "none",
       .help = "TIDL's: weights of these nodes have 16 bits",
       .set = add_names<&MixedPrecision::params_16bit_names>,
       .get = get_names<&MixedPrecision::params_16bit_names>},
      {.name = "depthwise_params_16bit",
       .kind = OptionKind::kWord,
       .values = {"false", "true"},
       .type = "true|false",
       .help = "weights of depthwise convolutions have 16 bits; TIDL's calibration option 16",
       .set = set_mixed_flag<&MixedPrecision::depthwise_params_16bit>,
       .get = get_mixed_flag<&MixedPrecision::depthwise_params_16bit>},
      {.name = "first_layer_params_16bit",
       .kind = OptionKind::kWord,
       .values = {"false", "true"},
       .type = "true|false",
       .help = "weights of the layers that read the model's inputs have 16 bits; TIDL's calibration option 32",
       .set = set_mixed_flag<&MixedPrecision::first_layer_params_16bit>,
       .get = get_mixed_flag<&MixedPrecision::first_layer_params_16bit>},
      {.name = "exclude_nodes",
       .kind = OptionKind::kList,
       .type = "NAME...",
       .default_text = "none",
       .help = "these nodes compute in float; `*` stands for any characters",
       .set = add_names<&MixedPrecision::exclude_nodes>,
       .get = get_names<&MixedPrecision::exclude_nodes>},
      {.name = "exclude_op_types",
       .kind = OptionKind::kList,
       .type = "TYPE...",
       .default_text = "none",
       .help = "nodes of these operators compute in float",
       .set = add_names<&MixedPrecision::exclude_op_types>,
       .get = get_names<&MixedPrecision::exclude_op_types>},
      {.name = "float_bitwidth",
       .type = "16|32",
       .default_text = "32",
       .help = "bits of tensors that stay float; alone, without input list and overrides, of the whole model",
       .set = set_float_bits,
       .get = get_float_bits},
      {.name = "float_bias_bitwidth",
       .kind = OptionKind::kWord,
       .values = {"32", "16"},
       .type = "N",
       .help = "bits of biases of nodes with weights that stay float",
       .set = set_float_bias_bits,
       .get = get_float_bias_bits},
  }};
  return kRows;
}

}  // namespace halfstep::pipeline
