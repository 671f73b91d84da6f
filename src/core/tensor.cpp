// tensor.cpp: storage of owned and shared arrays.
#include "core/tensor.hpp"

#include <cstring>
#include <new>

namespace halfstep {
namespace {

constexpr std::size_t kAlignmentBytes = 64;

std::shared_ptr<std::byte> allocate_zeroed(std::int64_t num_bytes) {
  const auto size = static_cast<std::size_t>(num_bytes > 0 ? num_bytes : 1);
  auto* bytes = static_cast<std::byte*>(::operator new (size, std::align_val_t{kAlignmentBytes}));
  std::memset(bytes, 0, size);
  return {bytes, [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignmentBytes}); }};
}

}  // namespace

std::string to_string(const TensorType& type) { return std::string(name_of(type.dtype)) + to_string(type.shape); }

Tensor::Tensor() : Tensor(TensorType{DType::kFloat32, Shape{0}}) {}

Tensor::Tensor(TensorType type) : type_(std::move(type)) {
  auto storage = allocate_zeroed(type_.num_bytes());
  mutable_bytes_ = storage.get();
  bytes_ = mutable_bytes_;
  owner_ = std::move(storage);
}

Tensor::Tensor(TensorType type, const std::byte* bytes, std::shared_ptr<const void> owner)
    : type_(std::move(type)), owner_(std::move(owner)), bytes_(bytes) {}

Tensor Tensor::copy_of(ConstView view) {
  Tensor tensor(*view.type);
  if (tensor.num_bytes() > 0) {
    std::memcpy(tensor.mutable_bytes(), view.bytes, static_cast<std::size_t>(tensor.num_bytes()));
  }
  return tensor;
}

Tensor Tensor::reshaped(Shape shape) const {
  assert(shape.num_elements() == num_elements());
  Tensor result = *this;
  result.type_.shape = std::move(shape);
  return result;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return false;
  return a.bytes() == b.bytes() || a.num_bytes() == 0 ||
         std::memcmp(a.bytes(), b.bytes(), static_cast<std::size_t>(a.num_bytes())) == 0;
}

std::vector<std::int64_t> to_int64s(const Tensor& tensor) {
  assert(tensor.dtype() != DType::kFloat32);
  std::vector<std::int64_t> result(static_cast<std::size_t>(tensor.num_elements()));
  visit_dtype(tensor.dtype(), [&]<class T>() {
    const T* from = tensor.data<T>();
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<std::int64_t>(from[i]);
  });
  return result;
}

std::vector<float> to_floats(ConstView view) {
  std::vector<float> result(static_cast<std::size_t>(view.num_elements()));
  visit_dtype(view.dtype(), [&]<class T>() {
    const T* from = view.data<T>();
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<float>(from[i]);
  });
  return result;
}

}  // namespace halfstep
