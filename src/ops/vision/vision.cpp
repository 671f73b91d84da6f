// vision.cpp: the table of vision operators.
#include <array>

#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/vision/vision_ops.hpp"

namespace halfstep::ops {

std::span<const OpDef> vision_ops() {
  static const std::array kOps = {
      OpDef{.type = "DepthToSpace",
            .since_opset = 11,
            .output_rule = OutputRule::kSameAsInput,
            .has_integer_form = true,
            .infer = &infer_depth_to_space,
            .lower_float = &lower_depth_to_space},
      OpDef{.type = "SpaceToDepth",
            .output_rule = OutputRule::kSameAsInput,
            .has_integer_form = true,
            .infer = &infer_space_to_depth,
            .lower_float = &lower_space_to_depth},
      OpDef{.type = "GridSample",
            .since_opset = 20,
            .operand_count = {2, 2},
            .output_rule = OutputRule::kObserved,
            .infer = &infer_grid_sample,
            .lower_float = &lower_grid_sample},
      // Coordinates, which a coarse grid would spoil.
      OpDef{.type = "AffineGrid",
            .since_opset = 20,
            .operand_count = {2, 2},
            .output_rule = OutputRule::kNone,
            .infer = &infer_affine_grid,
            .lower_float = &lower_affine_grid},
      OpDef{.type = "RoiAlign",
            .since_opset = 16,
            .operand_count = {3, 3},
            .output_rule = OutputRule::kObserved,
            .infer = &infer_roi_align,
            .lower_float = &lower_roi_align},
      OpDef{.type = "NonMaxSuppression",
            .since_opset = 10,
            .operand_count = {2, 5},
            .output_rule = OutputRule::kNone,
            .infer = &infer_non_max_suppression,
            .lower_float = &lower_non_max_suppression},
      OpDef{.type = "CenterCropPad",
            .since_opset = 18,
            .operand_count = {2, 2},
            .output_rule = OutputRule::kSameAsInput,
            .infer = &infer_center_crop_pad,
            .lower_float = &lower_center_crop_pad},
      OpDef{.type = "Col2Im",
            .since_opset = 18,
            .operand_count = {3, 3},
            .output_rule = OutputRule::kObserved,
            .infer = &infer_col2im,
            .lower_float = &lower_col2im},
  };
  return kOps;
}

}  // namespace halfstep::ops
