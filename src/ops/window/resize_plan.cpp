// resize_plan.cpp: tables, order and outside parts of a resize.
#include "ops/window/resize_plan.hpp"

namespace halfstep::ops {

std::vector<OutsideSlices> outside_of(const Shape& out, const std::vector<ResizeTable>& tables) {
  std::vector<OutsideSlices> all;
  for (int axis = 0; axis < out.rank(); ++axis) {
    const auto& positions = tables[static_cast<std::size_t>(axis)].outside;
    if (positions.empty()) continue;
    all.push_back({out.num_elements(0, axis), out[axis], out.num_elements(axis + 1, out.rank()), positions});
  }
  return all;
}

std::vector<ResizeTable> tables_of(const ResizeSpec& spec) {
  std::vector<ResizeTable> tables;
  for (const ResizeAxis& axis : spec.axes) {
    tables.push_back(axis.resized ? resize_table(axis, spec.rules) : ResizeTable{});
  }
  return tables;
}

Shape input_shape_of(const ResizeSpec& spec) {
  Shape shape;
  for (const ResizeAxis& axis : spec.axes) shape.push_back(axis.in);
  return shape;
}

std::vector<int> pass_order(const ResizeSpec& spec) {
  std::vector<int> order;
  for (int axis = static_cast<int>(spec.axes.size()) - 1; axis >= 0; --axis) {
    if (spec.axes[static_cast<std::size_t>(axis)].resized) order.push_back(axis);
  }
  const auto growth = [&](int axis) {
    const ResizeAxis& a = spec.axes[static_cast<std::size_t>(axis)];
    return static_cast<double>(a.out) / static_cast<double>(std::max<std::int64_t>(a.in, 1));
  };
  std::ranges::stable_sort(order, {}, growth);
  return order;
}

}  // namespace halfstep::ops
