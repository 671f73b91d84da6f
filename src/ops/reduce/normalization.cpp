// normalization.cpp: the table of normalization operators.
#include <array>

#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/reduce/normalization_ops.hpp"
#include "ops/shared/weighted_sum_fixed.hpp"

namespace halfstep::ops {

std::span<const OpDef> normalization_ops() {
  static const std::array kOps = {
      OpDef{.type = "BatchNormalization",
            .since_opset = 14,
            .operand_count = {5, 5},
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .operands = kNormalizationRoles,
            .in_place = true,
            .keeps_channels_apart = true,
            .infer = &infer_batch_normalization,
            .lower_float = &lower_batch_normalization,
            .lower_fixed = &lower_batch_normalization_fixed},
      OpDef{.type = "InstanceNormalization",
            .since_opset = 6,
            .operand_count = {3, 3},
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .operands = kNormalizationRoles,
            .in_place = true,
            .keeps_channels_apart = true,
            .infer = &infer_instance_normalization,
            .lower_float = &lower_instance_normalization,
            .lower_fixed = &lower_instance_normalization_fixed},
      OpDef{.type = "GroupNormalization",
            .since_opset = 21,
            .operand_count = {3, 3},
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .operands = kNormalizationRoles,
            .in_place = true,
            .infer = &infer_group_normalization,
            .lower_float = &lower_group_normalization,
            .lower_fixed = &lower_group_normalization_fixed},
      OpDef{.type = "LayerNormalization",
            .since_opset = 17,
            .operand_count = {2, 3},
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .operands = kNormalizationRoles,
            .in_place = true,
            .infer = &infer_layer_normalization,
            .lower_float = &lower_layer_normalization,
            .lower_fixed = &lower_layer_normalization_fixed},
      OpDef{.type = "RMSNormalization",
            .since_opset = 23,
            .operand_count = {2, 2},
            .output_rule = OutputRule::kObserved,
            .has_integer_form = true,
            .operands = kNormalizationRoles,
            .in_place = true,
            .infer = &infer_rms_normalization,
            .lower_float = &lower_rms_normalization,
            .lower_fixed = &lower_rms_normalization_fixed},
      OpDef{.type = "LRN",
            .output_rule = OutputRule::kObserved,
            .multiplies_work = true,
            .infer = &infer_lrn,
            .lower_float = &lower_lrn},
      OpDef{.type = "LpNormalization",
            .output_rule = OutputRule::kObserved,
            .in_place = true,
            .infer = &infer_lp_normalization,
            .lower_float = &lower_lp_normalization},
      OpDef{.type = "MeanVarianceNormalization",
            .since_opset = 9,
            .output_rule = OutputRule::kObserved,
            .in_place = true,
            .infer = &infer_mean_variance_normalization,
            .lower_float = &lower_mean_variance_normalization},
  };
  return kOps;
}

}  // namespace halfstep::ops
