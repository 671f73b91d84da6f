// index.cpp: the operators that select values by index or by what they are, as a table.
#include <array>

#include "ops/families.hpp"
#include "ops/movement/index_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

std::span<const OpDef> index_ops() {
  static const std::array kOps = {compress_op(),       gather_op(),  gather_elements_op(),  gather_nd_op(),
                                  non_zero_op(),       one_hot_op(), scatter_elements_op(), scatter_nd_op(),
                                  tensor_scatter_op(), unique_op()};
  return kOps;
}

}  // namespace halfstep::ops
