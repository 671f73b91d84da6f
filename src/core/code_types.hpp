// code_types.hpp: the element types that codes have, for loops that are written once for all of them.
#pragma once

#include <cstdint>
#include <utility>

#include "core/dtype.hpp"

namespace halfstep {

/// Calls f.template operator()<T>() with the C++ type of 8- or 16-bit codes.
/// Requires: `dtype` is int8, uint8, int16 or uint16.
template <class F>
decltype(auto) visit_code_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt8:
      return f.template operator()<std::int8_t>();
    case DType::kInt16:
      return f.template operator()<std::int16_t>();
    case DType::kUint16:
      return f.template operator()<std::uint16_t>();
    default:
      return f.template operator()<std::uint8_t>();
  }
}

}  // namespace halfstep
