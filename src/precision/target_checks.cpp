// target_checks.cpp: grids, tensor by tensor, then what each node makes of them.
#include "precision/target_checks.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "numerics/factor.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"
#include "precision/depthwise.hpp"
#include "precision/pair_sums.hpp"

namespace halfstep::precision {
namespace {

using graph::ValueId;

/// n of scale 2^-n.
int position_of(const QuantParams& params) { return -std::ilogb(params.scale); }

int smallest_position(const Encoding& encoding) {
  int smallest = INT32_MAX;
  for (const QuantParams& params : encoding.params()) smallest = std::min(smallest, position_of(params));
  return smallest;
}

int largest_position(const Encoding& encoding) {
  int largest = INT32_MIN;
  for (const QuantParams& params : encoding.params()) largest = std::max(largest, position_of(params));
  return largest;
}

class GridJudge {
 public:
  GridJudge(const graph::Graph& graph, const ops::Facts& facts, const TargetProfile& target,
            const EncodingSet& encodings)
      : graph_(graph), facts_(facts), target_(target), encodings_(encodings) {}

  Result<void> judge(const graph::Node& node) const {
    const TensorEncoding* output = entry_of(node.outputs.empty() ? graph::kNoValue : node.outputs[0]);
    if (output == nullptr || !ops::is_integer_node(node, facts_)) return {};
    if (auto legal = judge_activation(node, node.outputs[0]); !legal.ok()) return legal;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (auto legal = judge_operand(node, i); !legal.ok()) return legal;
    }
    if (auto legal = judge_fixed(node, output->encoding); !legal.ok()) return legal;
    if (auto legal = judge_pair_sums(node); !legal.ok()) return legal;
    return judge_shifts(node, output->encoding);
  }

 private:
  const TensorEncoding* entry_of(ValueId id) const {
    return id == graph::kNoValue ? nullptr : find_encoding(encodings_, graph_.value(id).name);
  }

  Error error(const graph::Node& node, ValueId id, const std::string& fact, const std::string& rule,
              const std::string& remedy) const {
    const TensorEncoding* entry = entry_of(id);
    const bool imported = entry != nullptr && entry->provenance.origin == Origin::kImported;
    return usage(graph::describe(graph_, node) + ": " + quoted(graph_.value(id).name) + " " + fact + ", and target " +
                 target_.name + " " + rule + "; " +
                 (imported ? "it came with the model: calibrate anew with --ignore_encodings" : remedy));
  }

  Result<void> judge_operand(const graph::Node& node, std::size_t i) const {
    const ValueId id = node.inputs[i];
    if (entry_of(id) == nullptr) return {};
    switch (ops::operand_role(graph_, node, i)) {
      case ops::OperandRole::kData:
        return judge_activation(node, id);
      case ops::OperandRole::kWeight:
        return judge_weight(node, id);
      case ops::OperandRole::kBias:
        return judge_bias(node, id);
      default:
        return {};
    }
  }

  Result<void> judge_scale(const graph::Node& node, ValueId id) const {
    const bool any_scale = std::ranges::find(target_.scales, ScaleKind::kAffine) != target_.scales.end();
    const auto is_power = [](const QuantParams& p) { return numerics::is_power_of_two(p.scale); };
    if (any_scale || std::ranges::all_of(entry_of(id)->encoding.params(), is_power)) return {};
    return error(node, id, "has a scale that is no power of two", "only shifts", "give it a scale 2^n");
  }

  Result<void> judge_schema(const graph::Node& node, ValueId id, const std::vector<Schema>& schemas) const {
    const auto has = [&](Schema schema) { return std::ranges::find(schemas, schema) != schemas.end(); };
    if (has(Schema::kAsymmetric)) return {};
    const Encoding& encoding = entry_of(id)->encoding;
    if (encoding.has_zero_point()) return error(node, id, "has a zero point", "has none", "give it a symmetric grid");
    if (is_signed(encoding.grid()) || has(Schema::kUnsignedSymmetric)) return {};
    return error(node, id, "has an unsigned grid", "has signed ones only", "give it a symmetric grid");
  }

  Result<void> judge_activation(const graph::Node& node, ValueId id) const {
    if (auto legal = judge_scale(node, id); !legal.ok()) return legal;
    if (auto legal = judge_schema(node, id, target_.activation_schemas); !legal.ok()) return legal;
    const bool constant = graph::constant_of(graph_, id) != nullptr;
    if (constant || !entry_of(id)->encoding.axis() || target_.activations_per_channel != ActPerChannel::kNone)
      return {};
    return error(node, id, "has a scale for each channel", "has one for an activation", "use --act_per_channel none");
  }

  Result<void> judge_weight(const graph::Node& node, ValueId id) const {
    if (auto legal = judge_scale(node, id); !legal.ok()) return legal;
    if (auto legal = judge_schema(node, id, target_.weight_schemas); !legal.ok()) return legal;
    if (!entry_of(id)->encoding.axis() || target_.weights_per_channel == WeightsPerChannel::kAll) return {};
    const bool depthwise = target_.weights_per_channel == WeightsPerChannel::kDepthwise;
    if (depthwise && is_depthwise(graph_, facts_, node)) return {};
    return error(node, id, "has a scale for each channel",
                 depthwise ? "has that for depthwise weights only" : "has one for a weight", "give it one scale");
  }

  Result<void> judge_bias(const graph::Node& node, ValueId id) const {
    const TensorEncoding& entry = *entry_of(id);
    if (!target_.bias_code_bits || !entry.codes || *target_.bias_code_bits >= 32) return {};
    if (entry.codes->dtype() != DType::kInt32) return {};
    const std::int64_t limit = std::int64_t{1} << (*target_.bias_code_bits - 1);
    for (const std::int32_t code : entry.codes->values<std::int32_t>()) {
      if (code >= -limit && code < limit) continue;
      return error(node, id, "has the integer " + std::to_string(code),
                   "has " + std::to_string(*target_.bias_code_bits) + " bits for biases",
                   "give the weight or the input a larger scale");
    }
    return {};
  }

  Result<void> judge_fixed(const graph::Node& node, const Encoding& output) const {
    const OperatorRule* rule = target_.rule_of(node.op_type);
    const Encoding* fixed = rule == nullptr ? nullptr : rule->fixed_output(storage_bits(output.grid()));
    if (fixed == nullptr || *fixed == output) return {};
    return error(node, node.outputs[0], "has a grid of its own", "fixes that of " + node.op_type,
                 "leave out what overrides it");
  }

  Result<void> judge_pair_sums(const graph::Node& node) const {
    const ValueId weight = ops::weight_of(graph_, node);
    const TensorEncoding* entry = entry_of(weight);
    const TensorEncoding* input = entry_of(node.inputs.empty() ? graph::kNoValue : node.inputs[0]);
    if (!target_.saturating_pair_sums || entry == nullptr || input == nullptr || !entry->codes) return {};
    if (entry->codes->dtype() != DType::kInt8 || storage_bits(input->encoding.grid()) > 8) return {};
    const std::optional<UnsafePair> pair = unsafe_pair(*entry->codes, ops::weight_axis(graph_, node));
    if (!pair) return {};
    return error(node, weight,
                 "has the integers " + std::to_string(pair->first) + " and " + std::to_string(pair->second) +
                     " in one row, whose products may add to more than 16 bits hold",
                 "adds two products in 16 bits", "use --restrict_quantization_steps \"-64 63\"");
  }

  Result<void> judge_range(const graph::Node& node, int value, const std::optional<ShiftRange>& range,
                           const std::string& what) const {
    if (!range || (value >= range->min && value <= range->max)) return {};
    return error(node, node.outputs[0], "needs a shift of " + std::to_string(value) + " bits " + what,
                 "shifts from " + std::to_string(range->min) + " to " + std::to_string(range->max) + " there",
                 "override the scale of the output or of an operand");
  }

  Result<void> judge_shifts(const graph::Node& node, const Encoding& output) const {
    const ShiftLimits& shifts = target_.shifts;
    const TensorEncoding* weight = entry_of(ops::weight_of(graph_, node));
    const TensorEncoding* input = entry_of(node.inputs.empty() ? graph::kNoValue : node.inputs[0]);
    if (weight != nullptr && input != nullptr) return judge_products(node, *weight, *input, output);
    if ((!shifts.read && !shifts.write) || ops::weight_of(graph_, node) != graph::kNoValue) return {};
    int smallest = INT32_MAX;
    int largest = INT32_MIN;
    int operands = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const TensorEncoding* entry = entry_of(node.inputs[i]);
      if (entry == nullptr || ops::operand_role(graph_, node, i) != ops::OperandRole::kData) continue;
      smallest = std::min(smallest, smallest_position(entry->encoding));
      largest = std::max(largest, largest_position(entry->encoding));
      ++operands;
    }
    if (operands < 2) return {};
    if (auto legal = judge_range(node, largest - smallest, shifts.read, "between its operands"); !legal.ok())
      return legal;
    return judge_range(node, smallest - smallest_position(output), shifts.write, "into its output");
  }

  Result<void> judge_products(const graph::Node& node, const TensorEncoding& weight, const TensorEncoding& input,
                              const Encoding& output) const {
    const ShiftLimits& shifts = target_.shifts;
    const int least = smallest_position(weight.encoding) + smallest_position(input.encoding);
    const int most = largest_position(weight.encoding) + largest_position(input.encoding);
    for (const int cut : {least - largest_position(output), most - smallest_position(output)}) {
      if (auto legal = judge_range(node, cut, shifts.cut, "behind its products"); !legal.ok()) return legal;
    }
    const TensorEncoding* bias = entry_of(ops::bias_of(graph_, node));
    if (bias == nullptr || !shifts.bias) return {};
    const int cut = least - largest_position(output);
    const ShiftRange range{std::max(shifts.bias->min, std::min(0, shifts.bias->min + cut)), shifts.bias->max};
    for (const int shift : {least - largest_position(bias->encoding), most - smallest_position(bias->encoding)}) {
      if (auto legal = judge_range(node, shift, range, "in front of its bias"); !legal.ok()) return legal;
    }
    return {};
  }

  const graph::Graph& graph_;
  const ops::Facts& facts_;
  const TargetProfile& target_;
  const EncodingSet& encodings_;
};

}  // namespace

Result<void> check_grids(const graph::Graph& graph, const ops::Facts& facts, const TargetProfile& target,
                         const EncodingSet& encodings) {
  const GridJudge judge(graph, facts, target, encodings);
  for (const graph::Node& node : graph.nodes) {
    if (Result<void> legal = judge.judge(node); !legal.ok()) return legal;
  }
  return {};
}

}  // namespace halfstep::precision
