// fixed_codes.hpp: what integer forms demand of the codes they read and write.
#pragma once

#include <string>
#include <string_view>

#include "core/code_types.hpp"
#include "encoding/encoding.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// Errors: kUnsupported if codes of `encoding` need more than 16 bits.
inline Result<void> require_short_codes(const Encoding& encoding, std::string_view what) {
  if (storage_bits(encoding.grid()) <= 16) return {};
  return Error{ErrorCode::kUnsupported, std::string(what) + " has codes of more than 16 bits"};
}

}  // namespace halfstep::ops
