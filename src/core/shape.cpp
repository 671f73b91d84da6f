// shape.cpp: extents, strides, broadcasting.
#include "core/shape.hpp"

#include <algorithm>

namespace halfstep {

std::int64_t Shape::num_elements(int first, int last) const {
  std::int64_t count = 1;
  for (int axis = first; axis < last; ++axis) count *= (*this)[axis];
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

Result<void> check_shape(const Shape& shape, DType dtype) {
  const auto limit = kMaxTensorBytes / static_cast<std::int64_t>(size_in_bytes(dtype));
  // Extents of 0 are passed over, so that strides and products of any axes are bounded as well.
  std::int64_t count = 1;
  for (std::int64_t dim : shape) {
    if (dim < 0) {
      return Error{ErrorCode::kInvalidInput, "shape " + to_string(shape) + " has a negative extent"};
    }
    if (dim == 0) continue;
    if (dim > limit / count) {
      return Error{ErrorCode::kInvalidInput, "shape " + to_string(shape) + " of " + std::string(name_of(dtype)) +
                                                 " is larger than the limit of 8 GiB for one tensor"};
    }
    count *= dim;
  }
  return {};
}

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(static_cast<std::size_t>(shape.rank()), 1);
  for (int axis = shape.rank() - 2; axis >= 0; --axis) {
    const auto i = static_cast<std::size_t>(axis);
    strides[i] = strides[i + 1] * shape[axis + 1];
  }
  return strides;
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> dims(static_cast<std::size_t>(rank), 1);
  for (int i = 0; i < rank; ++i) {
    const std::int64_t da = i < a.rank() ? a[a.rank() - 1 - i] : 1;
    const std::int64_t db = i < b.rank() ? b[b.rank() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) {
      return Error{ErrorCode::kInvalidInput, "shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast"};
    }
    dims[static_cast<std::size_t>(rank - 1 - i)] = da == 1 ? db : da;
  }
  return Shape(std::move(dims));
}

Result<int> normalize_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return Error{ErrorCode::kInvalidInput,
                 "axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank)};
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace halfstep
