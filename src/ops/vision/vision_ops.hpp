// vision_ops.hpp: the infer and lower_float functions of the vision operators, one pair an operator.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

Result<Inferred> infer_depth_to_space(const NodeArgs& args);
Result<Prepared> lower_depth_to_space(const LowerArgs& args);
Result<Inferred> infer_space_to_depth(const NodeArgs& args);
Result<Prepared> lower_space_to_depth(const LowerArgs& args);

Result<Inferred> infer_grid_sample(const NodeArgs& args);
Result<Prepared> lower_grid_sample(const LowerArgs& args);
Result<Inferred> infer_affine_grid(const NodeArgs& args);
Result<Prepared> lower_affine_grid(const LowerArgs& args);

/// Running fails on a batch index outside the input or a region that is not finite or absurdly large.
Result<Inferred> infer_roi_align(const NodeArgs& args);
Result<Prepared> lower_roi_align(const LowerArgs& args);

/// Data dependent until every operand is known.
Result<Inferred> infer_non_max_suppression(const NodeArgs& args);
Result<Prepared> lower_non_max_suppression(const LowerArgs& args);

Result<Inferred> infer_center_crop_pad(const NodeArgs& args);
Result<Prepared> lower_center_crop_pad(const LowerArgs& args);
Result<Inferred> infer_col2im(const NodeArgs& args);
Result<Prepared> lower_col2im(const LowerArgs& args);

}  // namespace halfstep::ops
