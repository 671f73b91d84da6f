// masks.hpp: loads and stores of part of a vector of floats, and shuffles that leave their order for later.
#pragma once

#include "kernels/isa/float16.hpp"
#include "kernels/isa/lanes.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

#if defined(__AVX2__)
namespace {

#if defined(__AVX512F__)
typedef __mmask16 Mask;
constexpr Mask kAll = 0xFFFFU, kNone = 0;
/// Whether loads without a mask are worth code of their own.
constexpr bool kLoadsPlain = false;

/// Which of the kLanes columns from `column` on, which may be negative, lie in [0, width).
[[gnu::always_inline]] inline Mask mask_from(std::int64_t column, std::int64_t width) {
  const std::int64_t first = column < 0 ? -column : 0;
  const std::int64_t last = width - column < 16 ? width - column : 16;
  if (first >= last) return 0;
  return static_cast<Mask>((0xFFFFU << first) & (0xFFFFU >> (16 - last)));
}

/// What the mask has, and 0, or `others`, elsewhere. Nothing else is read.
[[gnu::always_inline]] inline Floats load_masked(const float* from, Mask mask) {
  return _mm512_maskz_loadu_ps(mask, from);
}
[[gnu::always_inline]] inline Floats load_masked(const float* from, Mask mask, Floats others) {
  return _mm512_mask_loadu_ps(others, mask, from);
}

/// The elements whose index is even, or odd, of a and b; in_order() sorts what is computed of them.
[[gnu::always_inline]] inline Floats pick_even(Floats a, Floats b) { return even_of(a, b); }
[[gnu::always_inline]] inline Floats pick_odd(Floats a, Floats b) { return odd_of(a, b); }
[[gnu::always_inline]] inline Floats in_order(Floats v) { return v; }

/// The first `count` elements, 0 < count <= kLanes.
[[gnu::always_inline]] inline void store_some(Floats v, float* to, std::int64_t count) {
  _mm512_mask_storeu_ps(to, mask_from(0, count), v);
}
#else
// The same with AVX2. A mask is a register of its own there, and masked stores are slow.
typedef Ints Mask;
constexpr Mask kAll = {-1, -1, -1, -1, -1, -1, -1, -1}, kNone = {};
constexpr bool kLoadsPlain = true;

[[gnu::always_inline]] inline Mask mask_from(std::int64_t column, std::int64_t width) {
  Mask mask;
  for (int i = 0; i < kLanes; ++i) mask[i] = column + i >= 0 && column + i < width ? -1 : 0;
  return mask;
}

[[gnu::always_inline]] inline Floats load_masked(const float* from, Mask mask) {
  return _mm256_maskload_ps(from, reinterpret_cast<__m256i>(mask));
}
[[gnu::always_inline]] inline Floats load_masked(const float* from, Mask mask, Floats others) {
  return _mm256_blendv_ps(others, load_masked(from, mask), reinterpret_cast<__m256>(mask));
}

// Within halves, for one instruction each.
[[gnu::always_inline]] inline Floats pick_even(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14);
}
[[gnu::always_inline]] inline Floats pick_odd(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}
[[gnu::always_inline]] inline Floats in_order(Floats v) {
  return __builtin_shufflevector(v, v, 0, 1, 4, 5, 2, 3, 6, 7);
}

[[gnu::always_inline]] inline void store_some(Floats v, float* to, std::int64_t count) {
  float lanes[kLanes];
  store_lanes(v, lanes);
  copy_16(lanes, to, count);
}
#endif

}  // namespace
#endif  // __AVX2__

}  // namespace halfstep::kernels::HALFSTEP_ISA
