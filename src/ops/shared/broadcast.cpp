// broadcast.cpp: plans for walking operands over a common shape; checks of operands.
#include "ops/shared/broadcast.hpp"

#include <string>

namespace halfstep::ops {

Result<void> check_dtype(const NodeArgs& args, std::size_t i, const DTypeSet& types) {
  const DType dtype = args.type(i).dtype;
  if (types.contains(dtype)) return {};
  return Error{ErrorCode::kInvalidInput, "operand " + std::to_string(i) + " is " + std::string(name_of(dtype)) +
                                             ", a type this operator does not take"};
}

Result<void> check_same_dtype(const NodeArgs& args, std::size_t i, std::size_t j) {
  if (args.type(i).dtype == args.type(j).dtype) return {};
  return Error{ErrorCode::kInvalidInput, "operand " + std::to_string(i) + " is " +
                                             std::string(name_of(args.type(i).dtype)) + " but operand " +
                                             std::to_string(j) + " is " + std::string(name_of(args.type(j).dtype))};
}

Result<Shape> broadcast_operands(const NodeArgs& args, DType result) {
  Shape shape;
  for (std::size_t i = 0; i < args.num_inputs(); ++i) {
    Result<Shape> common = broadcast(shape, args.shape(i));
    if (!common.ok()) return common.error();
    shape = std::move(common).value();
  }
  if (const Result<void> fits = check_shape(shape, result); !fits.ok()) return fits.error();
  return shape;
}

BroadcastPlan plan_broadcast(const Shape& result, std::span<const Shape* const> operands) {
  using Row = std::array<std::int64_t, BroadcastPlan::kMaxOperands>;
  assert(operands.size() <= BroadcastPlan::kMaxOperands);
  BroadcastPlan plan;
  // Beside an extent of 0 the others may be too large to multiply.
  for (const std::int64_t extent : result) {
    if (extent == 0) return plan;
  }
  std::vector<std::int64_t> extents;
  std::vector<Row> strides;
  Row size_so_far;
  size_so_far.fill(1);
  // From the innermost axis outwards; an axis joins the one before it when
  // every operand continues exactly where that one ends.
  for (int back = 0; back < result.rank(); ++back) {
    const std::int64_t extent = result[result.rank() - 1 - back];
    if (extent == 1) continue;
    Row row = {};
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Shape& shape = *operands[k];
      const std::int64_t own = back < shape.rank() ? shape[shape.rank() - 1 - back] : 1;
      row[k] = own == 1 ? 0 : size_so_far[k];
      size_so_far[k] *= own;
    }
    bool joins = !extents.empty();
    for (std::size_t k = 0; joins && k < operands.size(); ++k) {
      joins = row[k] == strides.back()[k] * extents.back();
    }
    if (joins) {
      extents.back() *= extent;
    } else {
      extents.push_back(extent);
      strides.push_back(row);
    }
  }
  plan.count = result.num_elements();
  // The innermost axis walks contiguous elements only if every stride is 0 or
  // 1, which holds: no operand has elements inside it.
  if (!extents.empty()) {
    plan.inner = extents.front();
    plan.inner_strides = strides.front();
    plan.extents.assign(extents.rbegin(), extents.rend() - 1);
    plan.strides.assign(strides.rbegin(), strides.rend() - 1);
  }
  return plan;
}

BroadcastPlan plan_broadcast(const Shape& result, const Shape& a, const Shape& b) {
  const std::array<const Shape*, 2> operands = {&a, &b};
  return plan_broadcast(result, operands);
}

}  // namespace halfstep::ops
