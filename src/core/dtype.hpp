// dtype.hpp: the element types tensors may have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace halfstep {

/// Element type of a Tensor. float16, bfloat16 and double are converted to
/// float32 when a model is read; 4-bit integers are widened to 8 bits.
enum class DType : std::uint8_t {
  kFloat32,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kBool,  ///< One byte, 0 or 1.
};

/// Bytes of one element.
constexpr std::size_t size_in_bytes(DType dtype) noexcept {
  switch (dtype) {
    case DType::kInt8:
    case DType::kUint8:
    case DType::kBool:
      return 1;
    case DType::kInt16:
    case DType::kUint16:
      return 2;
    case DType::kFloat32:
    case DType::kInt32:
    case DType::kUint32:
      return 4;
    case DType::kInt64:
    case DType::kUint64:
      return 8;
  }
  return 0;
}

/// "float32", "int64", ...: how messages and reports spell it.
std::string_view name_of(DType dtype) noexcept;

/// The DType that stores a C++ type. T is one of the ten storage types.
template <class T>
constexpr DType dtype_of() noexcept {
  if constexpr (std::is_same_v<T, float>) {
    return DType::kFloat32;
  } else if constexpr (std::is_same_v<T, std::int8_t>) {
    return DType::kInt8;
  } else if constexpr (std::is_same_v<T, std::int16_t>) {
    return DType::kInt16;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return DType::kInt32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return DType::kInt64;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return DType::kUint8;
  } else if constexpr (std::is_same_v<T, std::uint16_t>) {
    return DType::kUint16;
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    return DType::kUint32;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return DType::kUint64;
  } else {
    static_assert(std::is_same_v<T, bool>, "not an element type");
    return DType::kBool;
  }
}

/// Calls f.template operator()<T>() with the C++ type that stores `dtype`.
///   visit_dtype(x.dtype(), [&]<class T>() { ... x.data<T>() ... });
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt8:
      return f.template operator()<std::int8_t>();
    case DType::kInt16:
      return f.template operator()<std::int16_t>();
    case DType::kInt32:
      return f.template operator()<std::int32_t>();
    case DType::kInt64:
      return f.template operator()<std::int64_t>();
    case DType::kUint8:
      return f.template operator()<std::uint8_t>();
    case DType::kUint16:
      return f.template operator()<std::uint16_t>();
    case DType::kUint32:
      return f.template operator()<std::uint32_t>();
    case DType::kUint64:
      return f.template operator()<std::uint64_t>();
    case DType::kBool:
      return f.template operator()<bool>();
    case DType::kFloat32:
      break;
  }
  return f.template operator()<float>();
}

}  // namespace halfstep
