// cast.hpp: conversion of single elements between types.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/dtype.hpp"

namespace halfstep::ops {

/// `value` without its fraction as a T. Total: values beyond T's range give its
/// nearest bound, NaN gives 0. T is an integer type other than bool.
template <class T>
T convert_saturated(double value) {
  using Limits = std::numeric_limits<T>;
  // For 64-bit T, max() rounds up to a power of two as a double: values at or
  // above it are out of range, values below it fit.
  if (value >= static_cast<double>(Limits::max())) return Limits::max();
  if (value <= static_cast<double>(Limits::lowest())) return Limits::lowest();
  return value == value ? static_cast<T>(value) : T{0};
}

/// The element type an ONNX TensorProto data type number stands for in a
/// Graph; float16, bfloat16 and double are float32 there. Empty: none.
std::optional<DType> element_type_of(std::int64_t data_type);

/// "float8e4m3fn", "string", ...: the ONNX name of a data type number.
std::string_view onnx_type_name(std::int64_t data_type);

}  // namespace halfstep::ops
