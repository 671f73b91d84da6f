// resize.cpp: Resize.
#include <array>
#include <string>

#include "core/errors.hpp"
#include "ops/families.hpp"
#include "ops/op_def.hpp"
#include "ops/shared/node_check.hpp"
#include "ops/window/resize_fixed.hpp"
#include "ops/window/resize_kernels.hpp"
#include "ops/window/resize_spec.hpp"

namespace halfstep::ops {
namespace {

Result<Inferred> infer_resize(const NodeArgs& args) {
  const auto spec = resize_spec_of(args);
  if (!spec.ok()) return spec.error();
  if (!spec->has_value()) return Inferred::unknown();
  const ResizeRules& rules = (*spec)->rules;
  if (rules.interpolation != Interpolation::kNearest && args.type(0).dtype == DType::kBool) {
    return invalid("input is bool, which only nearest interpolation takes");
  }
  if (rules.interpolation == Interpolation::kNearest && rules.antialias) {
    return invalid("antialias needs linear or cubic interpolation");
  }
  return vision::one_output({args.type(0).dtype, (*spec)->output_shape()});
}

Result<Prepared> lower_resize(const LowerArgs& args) {
  const auto spec = resize_spec_of(args);
  if (!spec.ok()) return spec.error();
  if (!spec->has_value()) return invalid("scales, sizes or roi is not known");
  const DType dtype = args.type(0).dtype;
  return (*spec)->rules.interpolation == Interpolation::kNearest ? prepare_resize_nearest(**spec, dtype)
                                                                 : prepare_resize_weighted(**spec, dtype);
}

/// Nearest and linear results lie between the input's values. Cubic ones may overshoot, and where a crop reaches
/// beyond the input an attribute says the value. 0 is on every grid.
bool leaves_range(const graph::Node& node) {
  if (node.attributes.get_string("mode", "nearest") == "cubic") return true;
  return node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" &&
         node.attributes.get_float("extrapolation_value", 0.0F) != 0.0F;
}

}  // namespace

std::span<const OpDef> resize_ops() {
  static const std::array kOps = {
      // Cubic results have no integer form: lowering decides by the mode.
      OpDef{.type = "Resize",
            .since_opset = 13,
            .operand_count = {1, 4},
            .output_rule = OutputRule::kSameAsInput,
            .has_integer_form = true,
            .interpolates = true,
            .leaves_range = &leaves_range,
            .infer = &infer_resize,
            .lower_float = &lower_resize,
            .lower_fixed = &lower_resize_fixed},
  };
  return kOps;
}

}  // namespace halfstep::ops
