// attention_extras.hpp: operators that stand around attention in transformers.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

/// LinearAttention: a recurrent state per head instead of a score matrix.
Result<Inferred> infer_linear_attention(const NodeArgs& args);
Result<Prepared> lower_linear_attention(const LowerArgs& args);

/// RotaryEmbedding: rotates pairs of features by an angle that depends on the position.
Result<Inferred> infer_rotary_embedding(const NodeArgs& args);
Result<Prepared> lower_rotary_embedding(const LowerArgs& args);

/// SwiGLU: swish(a) * b.
Result<Inferred> infer_swiglu(const NodeArgs& args);
Result<Prepared> lower_swiglu(const LowerArgs& args);

}  // namespace halfstep::ops
