// target.cpp: option by option.
#include "precision/target.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "encoding/range_to_encoding.hpp"

namespace halfstep::precision {
namespace {

using Kinds = std::vector<NumberKind>;

bool has(const Kinds& kinds, const NumberKind& kind) { return std::ranges::find(kinds, kind) != kinds.end(); }

/// What any operator has.
Kinds all_of(const TargetProfile& target, Kinds OperatorRule::*member) {
  Kinds all;
  const auto add = [&](const OperatorRule& rule) {
    for (const NumberKind& kind : rule.*member) {
      if (!has(all, kind)) all.push_back(kind);
    }
  };
  if (target.others) add(*target.others);
  for (const auto& [type, rule] : target.operators) add(rule);
  return all;
}

std::string_view word_of(WeightsPerChannel choice) {
  if (choice == WeightsPerChannel::kNone) return "false";
  return choice == WeightsPerChannel::kAll ? "true" : "depthwise";
}

template <class T>
std::string names_of(const std::vector<T>& values) {
  std::string text;
  for (const T value : values) text += (text.empty() ? "" : " or ") + std::string(name_of(value));
  return text;
}

class OptionJudge {
 public:
  OptionJudge(const TargetProfile& target, const Options& options, const FixedPointRequest& fixed)
      : target_(target), options_(options), fixed_(fixed) {}

  std::optional<Refusal> judge() {
    check_widths();
    check_grids();
    check_mixed();
    check_arithmetic();
    return refusal_;
  }

 private:
  /// The first one counts.
  void refuse(std::string option, std::string value, std::string rule, std::string remedy) {
    if (!refusal_) refusal_ = {std::move(option), std::move(value), std::move(rule), std::move(remedy)};
  }

  void check_width(const char* option, int bits, Kinds OperatorRule::*member, const std::string& what) {
    const Kinds kinds = all_of(target_, member);
    const std::optional<int> best = legal_bits(kinds, bits);
    // Activations of 32 bits are those of weights alone on integers.
    if (member == &OperatorRule::activations && bits == 32 && has(kinds, {32, true})) return;
    if (!best || *best == bits || has(kinds, {bits, false})) return;
    refuse(option, std::to_string(bits), "has " + what + " of " + text_of(kinds) + " only",
           "use " + std::to_string(*best));
  }

  void check_widths() {
    check_width("act_bitwidth", options_.act_bits, &OperatorRule::activations, "activations");
    check_width("weights_bitwidth", options_.weight_bits, &OperatorRule::weights, "weights");
    check_width("bias_bitwidth", options_.bias_bits, &OperatorRule::biases, "biases");
  }

  template <class T>
  void check_word(const char* option, T value, const std::vector<T>& legal, const std::string& what) {
    if (std::ranges::find(legal, value) != legal.end()) return;
    refuse(option, std::string(name_of(value)), "has " + what + " " + names_of(legal) + " only",
           "use " + std::string(name_of(legal.front())));
  }

  void check_grids() {
    check_word("scale", options_.scale, target_.scales, "scales of kind");
    check_word("act_quantizer_schema", options_.act_schema, target_.activation_schemas, "activations that are");
    check_word("param_quantizer_schema", options_.param_schema, target_.weight_schemas, "weights that are");
    if (options_.per_channel > target_.weights_per_channel) {
      const bool none = target_.weights_per_channel == WeightsPerChannel::kNone;
      refuse("use_per_channel_quantization", std::string(word_of(options_.per_channel)),
             none ? "has one scale for a weight" : "has scales by channel for depthwise weights only",
             "use " + std::string(word_of(target_.weights_per_channel)));
    }
    if (options_.act_per_channel > target_.activations_per_channel) {
      refuse("act_per_channel", std::string(name_of(options_.act_per_channel)), "has one scale for an activation",
             "use none");
    }
  }

  bool has_real(int bits) const {
    return has(target_.host, {bits, true}) || has(all_of(target_, &OperatorRule::activations), {bits, true});
  }

  void check_mixed() {
    const MixedPrecision& mixed = options_.mixed;
    const int float_bits = mixed.float_bits.value_or(32);
    const bool asks_real = mixed.float_bits || !mixed.exclude_nodes.empty() || !mixed.exclude_op_types.empty();
    if (asks_real && !has_real(float_bits)) {
      const std::string option = !mixed.exclude_nodes.empty()      ? "exclude_nodes"
                                 : !mixed.exclude_op_types.empty() ? "exclude_op_types"
                                                                   : "float_bitwidth";
      const std::string value = !mixed.exclude_nodes.empty()      ? mixed.exclude_nodes.front()
                                : !mixed.exclude_op_types.empty() ? mixed.exclude_op_types.front()
                                                                  : std::to_string(float_bits);
      refuse(option, value, "has no float" + std::to_string(float_bits), "let these nodes compute on integers");
    }
    for (const auto& [type, kind] : mixed.op_types) check_op_type(type, kind);
    const bool wide_weights =
        mixed.depthwise_params_16bit || mixed.first_layer_params_16bit || !mixed.params_16bit_names.empty();
    if (wide_weights && !has(all_of(target_, &OperatorRule::weights), {16, false})) {
      refuse(mixed.depthwise_params_16bit     ? "depthwise_params_16bit"
             : mixed.first_layer_params_16bit ? "first_layer_params_16bit"
                                              : "params_16bit_names_list",
             mixed.params_16bit_names.empty() ? "true" : mixed.params_16bit_names.front(), "has no 16-bit weights",
             "use 8-bit ones");
    }
    if (!mixed.output_16bit_names.empty() && !has(all_of(target_, &OperatorRule::activations), {16, false})) {
      refuse("output_feature_16bit_names_list", mixed.output_16bit_names.front(), "has no 16-bit activations",
             "use 8-bit ones");
    }
  }

  void check_op_type(const std::string& type, const NumberKind& kind) {
    const OperatorRule* rule = target_.rule_of(type);
    const Kinds kinds = rule != nullptr ? rule->activations : target_.host;
    if (has(kinds, kind) || (kind.real && has(target_.host, kind))) return;
    refuse("op_type_bitwidth", type + "=" + (kind.real ? "float" : "") + std::to_string(kind.bits),
           rule == nullptr ? "has no " + type : "has " + type + " with " + text_of(kinds) + " only",
           "use one of these");
  }

  void check_arithmetic() {
    if (fixed_.arithmetic) check_word("arithmetic", *fixed_.arithmetic, target_.arithmetics, "arithmetic");
    if (target_.accumulator_bits && *target_.accumulator_bits <= 32 && fixed_.accumulator_bits > 32) {
      refuse("accumulator_bits", std::to_string(fixed_.accumulator_bits),
             "has accumulators of " + std::to_string(*target_.accumulator_bits) + " bits", "use 32");
    }
  }

  const TargetProfile& target_;
  const Options& options_;
  const FixedPointRequest& fixed_;
  std::optional<Refusal> refusal_;
};

}  // namespace

std::optional<Refusal> refuse(const TargetProfile& target, const Options& options, const FixedPointRequest& fixed) {
  return OptionJudge(target, options, fixed).judge();
}

std::optional<int> legal_bits(const std::vector<NumberKind>& kinds, int bits) {
  std::optional<int> best;
  for (const NumberKind& kind : kinds) {
    if (kind.real) continue;
    const bool nearer = best && (*best < bits ? kind.bits > *best : kind.bits >= bits && kind.bits < *best);
    if (!best || nearer) best = kind.bits;
  }
  return best;
}

std::string text_of(const std::vector<NumberKind>& kinds) {
  std::string integers;
  std::string reals;
  for (const NumberKind& kind : kinds) {
    std::string& text = kind.real ? reals : integers;
    text += (text.empty() ? "" : " or ") + (kind.real ? name_of(kind) : std::to_string(kind.bits));
  }
  if (!integers.empty()) integers += " bits";
  return integers + (integers.empty() || reals.empty() ? "" : " or ") + reals;
}

}  // namespace halfstep::precision
