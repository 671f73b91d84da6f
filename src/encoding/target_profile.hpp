// target_profile.hpp: what a device can do, as a file of configs/targets says it (docs/targets.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoding/encoding.hpp"
#include "halfstep/arithmetic.hpp"
#include "halfstep/quantization_options.hpp"

namespace halfstep {

/// What one operator takes and gives. Widths are those of storage: 7-bit weights are stored in 8.
struct OperatorRule {
  std::vector<NumberKind> activations;  ///< Its data, in and out; the first one is preferred. Never empty.
  std::vector<NumberKind> weights;      ///< Its constant weights. Empty: it has none on this device.
  std::vector<NumberKind> biases;       ///< Likewise.
  bool one_width = false;               ///< All its data, in and out, has one width.
  bool keeps_precision = false;         ///< As one_width, and a width asked for on one side holds for the other, too.
  std::vector<Encoding> fixed_outputs;  ///< The grids that output 0 must have, one for each width.

  /// That of this storage width; nullptr: there is none.
  const Encoding* fixed_output(int bits) const {
    for (const Encoding& fixed : fixed_outputs) {
      if (storage_bits(fixed.grid()) == bits) return &fixed;
    }
    return nullptr;
  }
};

/// How long one multiply-accumulate takes on operands of these kinds, relative to others of the profile.
struct CostRule {
  NumberKind activations;
  NumberKind weights;
  double cost = 1.0;
};

/// Both ends included.
struct ShiftRange {
  int min = 0;
  int max = 0;
};

/// Limits of hardware that only shifts, in powers of two of scales; for pos = -log2(scale).
struct ShiftLimits {
  std::optional<ShiftRange> cut;    ///< pos(weight) + pos(input) - pos(output): how far accumulators move right.
  std::optional<ShiftRange> bias;   ///< pos(weight) + pos(input) - pos(bias); not below min(0, min + cut) either.
  std::optional<ShiftRange> read;   ///< Largest less smallest pos of the inputs of Add, Mul and their like.
  std::optional<ShiftRange> write;  ///< Smallest pos of their inputs less pos(output).
};

struct TargetProfile {
  std::string name;  ///< As it was asked for.
  std::string description;
  std::vector<std::string> known;    ///< Sentences: what the device's makers have published.
  std::vector<std::string> assumed;  ///< Sentences: what has not been, and holds here all the same.
  /// Names and values of quantize's options, for those that nobody gave.
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<ScaleKind> scales;
  std::vector<Schema> activation_schemas;
  std::vector<Schema> weight_schemas;
  WeightsPerChannel weights_per_channel = WeightsPerChannel::kNone;  ///< The finest it has.
  ActPerChannel activations_per_channel = ActPerChannel::kNone;      ///< The finest it has.
  std::vector<Arithmetic> arithmetics;  ///< Rules that give the device's bits, or are nearest to them.
  std::optional<int> accumulator_bits;  ///< Signed; sums of products must fit.
  std::optional<int> bias_code_bits;    ///< Signed; the integers of biases must fit.
  ShiftLimits shifts;
  /// Two products of 8-bit operands are added in 16 bits with saturation, before anything wider.
  bool saturating_pair_sums = false;
  std::vector<CostRule> costs;  ///< Empty: nobody knows.
  /// Real numbers of the processor beside the device: there runs what the device does not have. Empty: there is none.
  std::vector<NumberKind> host;
  /// Producer and activation, as {"Conv", "Relu"}, that the device computes as one. Empty: all that Halfstep fuses.
  std::optional<std::vector<std::pair<std::string, std::string>>> fused;
  std::map<std::string, OperatorRule, std::less<>> operators;
  std::optional<OperatorRule> others;  ///< Of operators that are not named; empty: the device lacks those.

  /// nullptr: the device lacks the operator.
  const OperatorRule* rule_of(std::string_view op_type) const {
    const auto own = operators.find(op_type);
    if (own != operators.end()) return &own->second;
    return others ? &*others : nullptr;
  }

  /// Of one multiply-accumulate on operands of these widths (32: float32): the cheapest rule that is as wide; without
  /// one the dearest of all. Requires: `costs` is not empty.
  double cost_of(int activation_bits, int weight_bits) const;
};

/// "int8", "float16": how profiles spell it.
inline std::string name_of(const NumberKind& kind) { return (kind.real ? "float" : "int") + std::to_string(kind.bits); }

}  // namespace halfstep
