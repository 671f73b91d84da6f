// pair_sums.hpp: hardware that adds two products of bytes in 16 bits, with saturation, before anything wider.
//
// x86 without VNNI multiplies unsigned by signed bytes and adds neighbours with vpmaddubsw. Which weights are
// neighbours is up to how a library packs them; a row in which no two weights add to more than 128 in magnitude is safe
// for every packing: 255 * 128 = 32640.
#pragma once

#include <cstdint>
#include <optional>

#include "core/tensor.hpp"

namespace halfstep::precision {

/// Two weights of one row that meet in a sum beyond 16 bits.
struct UnsafePair {
  int first = 0;
  int second = 0;
  std::int64_t row = 0;  ///< Index along the axis of rows; 0 without one.
};

/// The first row of `codes` (int8) with two weights whose sum of products with 255 each is no int16; empty: none.
/// `axis`: each index along it is a row of its own, products of different rows never meet; empty: all weights are one
/// row. Requires: the axis exists.
std::optional<UnsafePair> unsafe_pair(const Tensor& codes, std::optional<int> axis);

}  // namespace halfstep::precision
