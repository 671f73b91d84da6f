// movement.cpp: the operators that move whole values about, as a table.
#include <array>

#include "ops/families.hpp"
#include "ops/movement/movement_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

std::span<const OpDef> movement_ops() {
  static const std::array kOps = {concat_op(), expand_op(),    pad_op(),  reverse_sequence_op(), slice_op(), split_op(),
                                  tile_op(),   transpose_op(), trilu_op()};
  return kOps;
}

}  // namespace halfstep::ops
