// finish_row.hpp: a block of sums to codes by what RowFinish holds.
//
// Shared by the kernels that finish sums while they are in cache (packed_gemm.cpp, byte_depthwise.cpp).
#pragma once

#include "kernels/isa/requantize_vectors.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

inline void store(Ints v, std::int32_t* to) { __builtin_memcpy(to, &v, sizeof v); }

inline Ints spread(std::int32_t value) { return value - Ints{}; }

template <class Q>
inline void copy_codes(const Q* from, std::int64_t count, Q* to) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) __builtin_memcpy(to + i, from + i, 8 * sizeof(Q));
  for (; i < count; ++i) to[i] = from[i];
}

// The first n of up to kBlock sums, to codes.
template <Rounding kRounding, class Q>
void finish_row(const std::int32_t* acc, std::int64_t n, const RowFinish& f, Q* q) {
  Constants k;
  k.multiplier = spread(f.multiplier);
  k.offset = static_cast<std::uint64_t>(f.offset) - Wides{};
  k.rounded = static_cast<std::uint64_t>(f.rounded) - Wides{};
  k.shift = f.shift;
  const Grid grid = {f.low, f.high, f.zero_point};
  Ints steps[4];
  if (n == kBlock) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) steps[v] = SmallFactor<kRounding>::steps(load(acc + v * kLanes), k);
    store_codes(steps, grid, q);
    return;
  }
  for (int v = 0; v < 4; ++v) {
    steps[v] = v * kLanes < n ? SmallFactor<kRounding>::steps(load(acc + v * kLanes), k) : Ints{};
  }
  Q codes[kBlock];
  store_codes(steps, grid, codes);
  copy_codes(codes, n, q);
}

template <class Q, class F>
inline void with_rounding(Rounding rounding, F&& f) {
  switch (rounding) {
    case Rounding::kHalfUp:
      return f.template operator()<Rounding::kHalfUp, Q>();
    case Rounding::kHalfEven:
      return f.template operator()<Rounding::kHalfEven, Q>();
    default:
      return f.template operator()<Rounding::kHalfAway, Q>();
  }
}

// Calls f.template operator()<kRounding, Q>() for codes of type `dtype`.
template <class F>
inline void with_codes(Rounding rounding, DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt8:
      return with_rounding<std::int8_t>(rounding, f);
    case DType::kUint8:
      return with_rounding<std::uint8_t>(rounding, f);
    case DType::kInt16:
      return with_rounding<std::int16_t>(rounding, f);
    default:
      return with_rounding<std::uint16_t>(rounding, f);
  }
}

}  // namespace
}  // namespace halfstep::kernels::HALFSTEP_ISA
