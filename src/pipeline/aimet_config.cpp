// aimet_config.cpp: defaults and params of the file, key by key.
#include "pipeline/aimet_config.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/errors.hpp"
#include "pipeline/load_model.hpp"
#include "pipeline/option_values.hpp"

namespace halfstep::pipeline {
namespace {

using io::QuantsimConfig;
using io::QuantsimKernel;

std::string kind_in_words(const NumberKind& kind) { return (kind.real ? "float" : "int") + std::to_string(kind.bits); }

const char* schema_word(bool symmetric, bool unsigned_symmetric) {
  if (!symmetric) return "asymmetric";
  return unsigned_symmetric ? "unsignedsymmetric" : "symmetric";
}

/// 0: the user did not say.
int given_bits(const GivenOptions& given, std::string_view name) {
  const auto at = std::ranges::find(given, name, &GivenOptions::value_type::first);
  return at == given.end() ? 0 : number_of<int>(at->second).value_or(0);
}

Result<void> choose_widths(const QuantsimConfig& config, const GivenOptions& given, GivenOptions& options) {
  const std::vector<QuantsimKernel>& kernels = config.defaults.supported_kernels;
  if (kernels.empty()) return {};
  const int act_bits = given_bits(given, "act_bitwidth");
  const int weight_bits = given_bits(given, "weights_bitwidth");
  const QuantsimKernel* kernel = first_integer_kernel(kernels, act_bits, weight_bits);
  if (kernel == nullptr) {
    std::string asked;
    if (act_bits != 0) asked += "--act_bitwidth " + std::to_string(act_bits) + " ";
    if (weight_bits != 0) asked += "--weights_bitwidth " + std::to_string(weight_bits) + " ";
    return usage(config.defaults.place + ": supported_kernels has " + in_words(kernels) + ", " +
                 (asked.empty() ? "none of integers of 8 or 16 bits with parameters of 4, 8 or 16"
                                : "none for " + asked + "of the options: change these or the file"));
  }
  if (act_bits == 0) options.emplace_back("act_bitwidth", std::to_string(kernel->activation.bits));
  if (weight_bits == 0 && kernel->param) options.emplace_back("weights_bitwidth", std::to_string(kernel->param->bits));
  return {};
}

}  // namespace

Result<QuantsimConfig> read_aimet_config(const std::filesystem::path& file) {
  const Result<std::string> text = read_text(file);
  if (!text.ok()) return text.error();
  return io::read_quantsim_config(*text, file.string());
}

Result<GivenOptions> options_of(const QuantsimConfig& config, const GivenOptions& given) {
  const bool is_unsigned = config.unsigned_symmetric.value_or(false);
  bool symmetric_weights = config.default_params.is_symmetric.value_or(false);
  const auto weight = config.params.find("weight");
  if (weight != config.params.end()) symmetric_weights = weight->second.is_symmetric.value_or(symmetric_weights);
  GivenOptions options{
      {"act_quantizer_schema", schema_word(config.defaults.is_symmetric.value_or(false), is_unsigned)},
      {"param_quantizer_schema", schema_word(symmetric_weights, is_unsigned)},
      {"strict_symmetric", config.strict_symmetric.value_or(false) ? "all" : "none"},
      {"use_per_channel_quantization", config.defaults.per_channel_quantization.value_or(false) ? "true" : "false"}};
  if (auto chosen = choose_widths(config, given, options); !chosen.ok()) return chosen.error();
  return options;
}

std::string in_words(const QuantsimKernel& kernel) {
  return kind_in_words(kernel.activation) + " activations" +
         (kernel.param ? " with " + kind_in_words(*kernel.param) + " parameters" : "");
}

std::string in_words(const std::vector<QuantsimKernel>& kernels) {
  std::string text;
  for (const QuantsimKernel& kernel : kernels) text += (text.empty() ? "" : ", ") + in_words(kernel);
  return text;
}

bool has_kernel(const std::vector<QuantsimKernel>& kernels, const QuantsimKernel& wanted) {
  return std::ranges::any_of(kernels, [&](const QuantsimKernel& kernel) {
    return kernel.activation == wanted.activation && (!kernel.param || !wanted.param || kernel.param == wanted.param);
  });
}

const QuantsimKernel* first_integer_kernel(const std::vector<QuantsimKernel>& kernels, int act_bits, int weight_bits) {
  const auto suits = [](const NumberKind& kind, int wanted, std::initializer_list<int> legal) {
    if (kind.real || std::ranges::find(legal, kind.bits) == legal.end()) return false;
    return wanted == 0 || kind.bits == wanted;
  };
  const auto at = std::ranges::find_if(kernels, [&](const QuantsimKernel& kernel) {
    return suits(kernel.activation, act_bits, {8, 16}) &&
           (!kernel.param || suits(*kernel.param, weight_bits, {4, 8, 16}));
  });
  return at == kernels.end() ? nullptr : &*at;
}

}  // namespace halfstep::pipeline
