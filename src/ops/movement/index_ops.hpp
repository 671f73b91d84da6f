// index_ops.hpp: the definitions that index.cpp lists, by the file that holds them.
#pragma once

#include "ops/node_args.hpp"

namespace halfstep::ops {

// index_gather.cpp
OpDef gather_op();
OpDef gather_elements_op();
OpDef gather_nd_op();

// index_scatter.cpp
OpDef scatter_elements_op();
OpDef scatter_nd_op();

// index_tensor_scatter.cpp
OpDef tensor_scatter_op();

// index_select.cpp
OpDef compress_op();
OpDef non_zero_op();
OpDef one_hot_op();

// index_unique.cpp
OpDef unique_op();

}  // namespace halfstep::ops
