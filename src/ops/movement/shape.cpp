// shape.cpp: the operators about shapes rather than values, as a table.
#include <array>

#include "ops/families.hpp"
#include "ops/movement/shape_ops.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

std::span<const OpDef> shape_ops() {
  static const std::array kOps = {
      bit_cast_op(), constant_of_shape_op(), dropout_op(), eye_like_op(), flatten_op(), identity_op(),
      range_op(),    reshape_op(),           shape_op(),   size_op(),     squeeze_op(), unsqueeze_op()};
  return kOps;
}

}  // namespace halfstep::ops
