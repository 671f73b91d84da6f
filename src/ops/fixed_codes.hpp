// fixed_codes.hpp: the element types that codes have, for kernels that are written once for all of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "encoding/encoding.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

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

/// Errors: kUnsupported if codes of `encoding` need more than 16 bits.
inline Result<void> require_short_codes(const Encoding& encoding, std::string_view what) {
  if (storage_bits(encoding.grid()) <= 16) return {};
  return Error{ErrorCode::kUnsupported, std::string(what) + " has codes of more than 16 bits"};
}

}  // namespace halfstep::ops
