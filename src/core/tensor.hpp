// tensor.hpp: owned, shared and borrowed multi-dimensional arrays.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <span>

#include "core/dtype.hpp"
#include "core/shape.hpp"

namespace halfstep {

/// Element type and extents, without data.
struct TensorType {
  DType dtype = DType::kFloat32;
  Shape shape;

  std::int64_t num_bytes() const { return shape.num_elements() * static_cast<std::int64_t>(size_in_bytes(dtype)); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// "float32[1, 3, 224, 224]".
std::string to_string(const TensorType& type);

/// Read-only look at row-major data that somebody else owns.
struct ConstView {
  const TensorType* type = nullptr;  ///< nullptr: an absent optional operand.
  const std::byte* bytes = nullptr;

  bool present() const { return type != nullptr; }
  DType dtype() const { return type->dtype; }
  const Shape& shape() const { return type->shape; }
  std::int64_t num_elements() const { return type->shape.num_elements(); }
  template <class T>
  const T* data() const {
    assert(type->dtype == dtype_of<T>());
    return reinterpret_cast<const T*>(bytes);
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<std::size_t>(num_elements())};
  }
};

/// Writable look at row-major data that somebody else owns.
struct MutableView {
  const TensorType* type = nullptr;  ///< nullptr: an output nobody asked for.
  std::byte* bytes = nullptr;

  bool present() const { return type != nullptr; }
  DType dtype() const { return type->dtype; }
  const Shape& shape() const { return type->shape; }
  std::int64_t num_elements() const { return type->shape.num_elements(); }
  template <class T>
  T* data() const {
    assert(type->dtype == dtype_of<T>());
    return reinterpret_cast<T*>(bytes);
  }
  template <class T>
  std::span<T> values() const {
    return {data<T>(), static_cast<std::size_t>(num_elements())};
  }
  ConstView as_const() const { return {type, bytes}; }
};

/// A row-major array. Copying shares the storage, which is 64-byte aligned
/// where we allocated it. Treat a Tensor as immutable once it is shared.
class Tensor {
 public:
  /// An empty float32 tensor of shape [0].
  Tensor();

  /// Zero-filled storage. Requires check_shape(type.shape, type.dtype).ok().
  explicit Tensor(TensorType type);

  /// Shares `bytes`, which must hold type.num_bytes() bytes aligned for the
  /// dtype; `owner` keeps them alive (a mapped file, another buffer).
  Tensor(TensorType type, const std::byte* bytes, std::shared_ptr<const void> owner);

  /// A copy of `view`.
  static Tensor copy_of(ConstView view);

  /// A copy of `values`, whose count equals shape.num_elements().
  template <class T>
  static Tensor of(Shape shape, std::span<const T> values) {
    Tensor tensor(TensorType{dtype_of<T>(), std::move(shape)});
    assert(static_cast<std::size_t>(tensor.num_elements()) == values.size());
    std::copy(values.begin(), values.end(), tensor.mutable_data<T>());
    return tensor;
  }
  template <class T>
  static Tensor of(Shape shape, std::initializer_list<T> values) {
    return of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }

  const TensorType& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  std::int64_t num_elements() const { return type_.shape.num_elements(); }
  std::int64_t num_bytes() const { return type_.num_bytes(); }
  const std::byte* bytes() const { return bytes_; }

  /// Requires: this Tensor allocated its own storage (first or second constructor).
  std::byte* mutable_bytes() {
    assert(mutable_bytes_ != nullptr);
    return mutable_bytes_;
  }

  template <class T>
  const T* data() const {
    assert(type_.dtype == dtype_of<T>());
    return reinterpret_cast<const T*>(bytes_);
  }
  template <class T>
  T* mutable_data() {
    assert(type_.dtype == dtype_of<T>());
    return reinterpret_cast<T*>(mutable_bytes());
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<std::size_t>(num_elements())};
  }

  /// The same storage under another shape. Requires equal element counts.
  Tensor reshaped(Shape shape) const;

  ConstView view() const { return {&type_, bytes_}; }
  MutableView mutable_view() { return {&type_, mutable_bytes()}; }

 private:
  TensorType type_;
  std::shared_ptr<const void> owner_;
  const std::byte* bytes_ = nullptr;
  std::byte* mutable_bytes_ = nullptr;
};

/// Same type and the same bytes.
bool identical(const Tensor& a, const Tensor& b);

/// Every element converted to int64. Requires an integer or bool tensor.
std::vector<std::int64_t> to_int64s(const Tensor& tensor);

/// Every element converted to float32. Any dtype.
std::vector<float> to_floats(ConstView view);

}  // namespace halfstep
