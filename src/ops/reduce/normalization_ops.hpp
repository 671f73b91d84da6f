// normalization_ops.hpp: the infer and lowering functions of the normalization operators.
#pragma once

#include "ops/fixed_form.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

Result<Inferred> infer_batch_normalization(const NodeArgs& args);
Result<Prepared> lower_batch_normalization(const LowerArgs& args);

/// InstanceNormalization; a group of GroupNormalization is one channel here.
Result<Inferred> infer_instance_normalization(const NodeArgs& args);
Result<Prepared> lower_instance_normalization(const LowerArgs& args);
Result<FixedForm> lower_instance_normalization_fixed(const FixedArgs& args);
Result<FixedForm> lower_group_normalization_fixed(const FixedArgs& args);
Result<FixedForm> lower_rms_normalization_fixed(const FixedArgs& args);
Result<Inferred> infer_group_normalization(const NodeArgs& args);
Result<Prepared> lower_group_normalization(const LowerArgs& args);

Result<Inferred> infer_layer_normalization(const NodeArgs& args);
Result<Prepared> lower_layer_normalization(const LowerArgs& args);
Result<FixedForm> lower_layer_normalization_fixed(const FixedArgs& args);
Result<Inferred> infer_rms_normalization(const NodeArgs& args);
Result<Prepared> lower_rms_normalization(const LowerArgs& args);

Result<Inferred> infer_lrn(const NodeArgs& args);
Result<Prepared> lower_lrn(const LowerArgs& args);
Result<Inferred> infer_lp_normalization(const NodeArgs& args);
Result<Prepared> lower_lp_normalization(const LowerArgs& args);
Result<Inferred> infer_mean_variance_normalization(const NodeArgs& args);
Result<Prepared> lower_mean_variance_normalization(const LowerArgs& args);

}  // namespace halfstep::ops
