// shape_ops.hpp: the definitions that shape.cpp lists, by the file that holds them.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

// shape_view.cpp
OpDef reshape_op();
OpDef flatten_op();
OpDef squeeze_op();
OpDef unsqueeze_op();

// shape_identity.cpp
OpDef identity_op();
OpDef dropout_op();
OpDef bit_cast_op();

// shape_make.cpp
OpDef shape_op();
OpDef size_op();
OpDef constant_of_shape_op();
OpDef eye_like_op();

// shape_range.cpp
OpDef range_op();

}  // namespace halfstep::ops
