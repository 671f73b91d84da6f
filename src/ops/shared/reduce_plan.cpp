// reduce_plan.cpp: merges the axes of a reduction into few long ones.
#include "ops/shared/reduce_plan.hpp"

#include <algorithm>
#include <utility>

namespace halfstep::ops {
namespace {

/// Nothing to read: the outputs, if any, are one run of identities. Extents
/// beside a 0 are not bounded by the size of a tensor, so they are not multiplied.
ReducePlan plan_empty(const Shape& shape, const std::vector<bool>& is_reduced) {
  Shape kept;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!is_reduced[static_cast<std::size_t>(axis)]) kept.push_back(shape[axis]);
  }
  ReducePlan plan;
  plan.count = 0;
  plan.num_outputs = std::find(kept.begin(), kept.end(), 0) != kept.end() ? 0 : kept.num_elements();
  plan.run = plan.num_outputs;
  return plan;
}

}  // namespace

ReducePlan plan_reduction(const Shape& shape, const std::vector<bool>& is_reduced) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return plan_empty(shape, is_reduced);
  ReducePlan plan;
  std::vector<std::pair<std::int64_t, bool>> groups;  // (extent, reduced), outermost first
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = is_reduced[static_cast<std::size_t>(axis)];
    (reduced ? plan.count : plan.num_outputs) *= shape[axis];
    if (shape[axis] == 1) continue;
    if (!groups.empty() && groups.back().second == reduced) {
      groups.back().first *= shape[axis];
    } else {
      groups.emplace_back(shape[axis], reduced);
    }
  }
  if (groups.empty()) return plan;
  plan.run = groups.back().first;
  plan.run_is_reduced = groups.back().second;
  groups.pop_back();
  std::int64_t stride = plan.run;
  for (std::size_t i = groups.size(); i-- > 0;) {
    const auto [extent, reduced] = groups[i];
    std::vector<Odometer::Wheel>& wheels = reduced ? plan.reduced : plan.kept;
    wheels.insert(wheels.begin(), {extent, stride});
    stride *= extent;
  }
  return plan;
}

}  // namespace halfstep::ops
