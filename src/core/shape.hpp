// shape.hpp: the extents of a tensor, all known.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "halfstep/result.hpp"

namespace halfstep {

/// No single tensor may need more bytes than this: bounds what a malformed
/// model can make us allocate.
inline constexpr std::int64_t kMaxTensorBytes = std::int64_t{1} << 33;

/// Extents, outermost first. Every extent is >= 0; rank 0 is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<std::int64_t> dims) : dims_(std::move(dims)) {}
  explicit Shape(std::span<const std::int64_t> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t& operator[](int axis) { return dims_[static_cast<std::size_t>(axis)]; }
  std::span<const std::int64_t> dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  void push_back(std::int64_t dim) { dims_.push_back(dim); }

  /// Product of all extents; 1 for a scalar. Exact for shapes that passed check_shape().
  std::int64_t num_elements() const { return num_elements(0, rank()); }

  /// Product of the extents of axes [first, last).
  std::int64_t num_elements(int first, int last) const;

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<std::int64_t> dims_;
};

/// "[1, 3, 224, 224]".
std::string to_string(const Shape& shape);

/// Errors: kInvalidInput if an extent is negative or the tensor, extents of 0
/// taken as 1, would need more than kMaxTensorBytes. Never overflows.
Result<void> check_shape(const Shape& shape, DType dtype);

/// Row-major strides in elements, same rank as `shape`.
std::vector<std::int64_t> strides_of(const Shape& shape);

/// The common shape of `a` and `b` under NumPy broadcasting.
/// Errors: kInvalidInput if they do not broadcast.
Result<Shape> broadcast(const Shape& a, const Shape& b);

/// Maps an ONNX axis in [-rank, rank) to [0, rank).
/// Errors: kInvalidInput if it is out of range.
Result<int> normalize_axis(std::int64_t axis, int rank);

}  // namespace halfstep
