// element_rows.cpp: strides of broadcast operands, with axes merged where all operands allow it.
#include "ops/shared/element_rows.hpp"

namespace halfstep::ops {
namespace {

/// Elements from one position to the next along `axis` of a result of rank `rank`; 0 where `shape` is repeated.
std::int64_t broadcast_stride(const Shape& shape, int rank, int axis) {
  const int own = axis - (rank - shape.rank());
  if (own < 0 || shape[own] == 1) return 0;
  return shape.num_elements(own + 1, shape.rank());
}

}  // namespace

ElementRows plan_rows(const Shape& result, std::span<const Shape> operands, std::optional<int> channel_axis) {
  ElementRows rows;
  rows.operands = operands.size();
  // Beside an extent of 0 the others may be too large to multiply.
  for (const std::int64_t extent : result) {
    if (extent == 0) {
      rows.inner_strides.assign(operands.size(), 0);
      return rows;
    }
  }
  rows.count = result.num_elements();
  const std::size_t width = operands.size() + 1;
  std::vector<std::int64_t> row(width);
  for (int axis = 0; axis < result.rank(); ++axis) {
    if (result[axis] == 1) continue;
    for (std::size_t k = 0; k < operands.size(); ++k) row[k] = broadcast_stride(operands[k], result.rank(), axis);
    row.back() = channel_axis == axis ? 1 : 0;
    // This axis joins the one outside it if every operand goes on there where this one ends.
    bool joins = !rows.extents.empty();
    for (std::size_t k = 0; joins && k < width; ++k) {
      joins = rows.strides[rows.strides.size() - width + k] == row[k] * result[axis];
    }
    if (joins) {
      rows.extents.back() *= result[axis];
      rows.strides.resize(rows.strides.size() - width);
    } else {
      rows.extents.push_back(result[axis]);
    }
    rows.strides.insert(rows.strides.end(), row.begin(), row.end());
  }
  // A row has one channel: if the innermost axis counts channels, rows have one element.
  rows.inner_strides.assign(operands.size(), 0);
  if (!rows.extents.empty() && rows.strides.back() == 0) {
    rows.inner = rows.extents.back();
    rows.extents.pop_back();
    rows.inner_strides.assign(rows.strides.end() - static_cast<std::ptrdiff_t>(width), rows.strides.end() - 1);
    rows.strides.resize(rows.strides.size() - width);
  }
  return rows;
}

}  // namespace halfstep::ops
