// movement_ops.hpp: the definitions that movement.cpp lists, by the file that holds them.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

// movement_join.cpp
OpDef concat_op();
OpDef split_op();

// movement_slice.cpp
OpDef slice_op();

// movement_repeat.cpp
OpDef transpose_op();
OpDef expand_op();
OpDef tile_op();

// movement_pad.cpp
OpDef pad_op();

// movement_order.cpp
OpDef trilu_op();
OpDef reverse_sequence_op();

}  // namespace halfstep::ops
