// unary.cpp: functions of one tensor, element by element; collected from their files.
#include "ops/elementwise/unary.hpp"

#include <vector>

#include "ops/families.hpp"

namespace halfstep::ops {

std::span<const OpDef> unary_ops() {
  static const std::vector<OpDef> all = [] {
    std::vector<OpDef> ops;
    for (const auto part : {activation_ops(), math_ops()}) ops.insert(ops.end(), part.begin(), part.end());
    return ops;
  }();
  return all;
}

}  // namespace halfstep::ops
