// packed_codes.hpp: codes of 4 bits, two a byte.
#pragma once

#include <optional>
#include <string>

#include "core/tensor.hpp"

namespace halfstep {

/// The codes of each slice along `axis` (of the whole tensor without one), slice by slice, each in row-major order and
/// two codes a byte, the first in the low half, negative ones in two's complement. Each slice begins at a byte of its
/// own, so 27 codes take 14 bytes and leave the last half byte 0. Requires: int8 or uint8 codes that fit in 4 bits.
/// Source: QNN's quantizer option pack_4_bit_weights.
std::string pack_4_bits(const Tensor& codes, std::optional<int> axis);

}  // namespace halfstep
