// float16.hpp: vectors of sixteen floats, one register or several, and the shuffles that several kernels share.
//
// Without AVX-512 the compiler takes shuffles and selections of sixteen floats apart, float by float: kernels that need
// them work on as many lanes as a register has (lanes.hpp), and sixteen are only copied.
#pragma once

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "kernels/isa/lanes.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

// In an unnamed namespace: code of one instruction set must not leave symbols that another file may define, too.
namespace {

typedef float Sixteen __attribute__((vector_size(64)));

[[gnu::always_inline]] inline Sixteen load_16(const float* from) {
  Sixteen v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store_16(Sixteen v, float* to) { __builtin_memcpy(to, &v, sizeof v); }

/// Minus 0, not plus 0: that leaves every value as it is, so no arithmetic remains.
[[gnu::always_inline]] inline Sixteen spread_16(float value) { return value - Sixteen{}; }

typedef float Eight __attribute__((vector_size(32)));
typedef float Four __attribute__((vector_size(16)));

/// Elements 0, 2, 4, ... of a and b behind each other.
[[gnu::always_inline]] inline Sixteen even_of(Sixteen a, Sixteen b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
[[gnu::always_inline]] inline Eight even_of(Eight a, Eight b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
[[gnu::always_inline]] inline Four even_of(Four a, Four b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6); }

/// Elements 1, 3, 5, ... of a and b behind each other.
[[gnu::always_inline]] inline Sixteen odd_of(Sixteen a, Sixteen b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
[[gnu::always_inline]] inline Eight odd_of(Eight a, Eight b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
[[gnu::always_inline]] inline Four odd_of(Four a, Four b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7); }

/// a0 b0 a1 b1 ... of the first half of the elements.
[[gnu::always_inline]] inline Sixteen low_pairs_of(Sixteen a, Sixteen b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
[[gnu::always_inline]] inline Eight low_pairs_of(Eight a, Eight b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
[[gnu::always_inline]] inline Four low_pairs_of(Four a, Four b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }

/// The same of the last half.
[[gnu::always_inline]] inline Sixteen high_pairs_of(Sixteen a, Sixteen b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
[[gnu::always_inline]] inline Eight high_pairs_of(Eight a, Eight b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
[[gnu::always_inline]] inline Four high_pairs_of(Four a, Four b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

/// The larger of both, and the smaller, for any vector; `value` where it is NaN.
template <class V>
[[gnu::always_inline]] inline V at_least(V value, V low) {
  return value < low ? low : value;
}
template <class V>
[[gnu::always_inline]] inline V at_most(V value, V high) {
  return high < value ? high : value;
}
#if defined(__AVX512F__)
// One instruction, not a comparison and a blend. The forms with a mask leave nothing undefined that compilers warn of.
template <>
[[gnu::always_inline]] inline Sixteen at_least<Sixteen>(Sixteen value, Sixteen low) {
  return _mm512_maskz_max_ps(0xFFFF, low, value);
}
template <>
[[gnu::always_inline]] inline Sixteen at_most<Sixteen>(Sixteen value, Sixteen high) {
  return _mm512_maskz_min_ps(0xFFFF, high, value);
}
#elif defined(__AVX2__)
template <>
[[gnu::always_inline]] inline Eight at_least<Eight>(Eight value, Eight low) {
  return _mm256_max_ps(low, value);
}
template <>
[[gnu::always_inline]] inline Eight at_most<Eight>(Eight value, Eight high) {
  return _mm256_min_ps(high, value);
}
#endif

/// Copies `count` floats: where there are sixteen or more, whole vectors, of which the last overlaps the one before.
[[gnu::always_inline]] inline void copy_16(const float* __restrict from, float* __restrict to, std::int64_t count) {
  if (count >= 16) {
    for (std::int64_t x = 0; x + 16 < count; x += 16) store_16(load_16(from + x), to + x);
    store_16(load_16(from + count - 16), to + count - 16);
  } else if (count >= 4) {
    Four v;
    for (std::int64_t x = 0; x + 4 < count; x += 4) {
      __builtin_memcpy(&v, from + x, sizeof v);
      __builtin_memcpy(to + x, &v, sizeof v);
    }
    __builtin_memcpy(&v, from + count - 4, sizeof v);
    __builtin_memcpy(to + count - 4, &v, sizeof v);
  } else {
    for (std::int64_t x = 0; x < count; ++x) to[x] = from[x];
  }
}

/// to[j] = from[2 * j] for j in [0, count), count > N, in vectors of N floats. Reads nothing behind the last of them:
/// the last vector, which overlaps the one before, holds the odd elements from the one in front of its first.
template <class V, int N>
[[gnu::always_inline]] inline void copy_every_second(const float* __restrict from, float* __restrict to,
                                                     std::int64_t count) {
  V a, b;
  for (std::int64_t j = 0; j + N < count; j += N) {
    __builtin_memcpy(&a, from + 2 * j, sizeof a);
    __builtin_memcpy(&b, from + 2 * j + N, sizeof b);
    a = even_of(a, b);
    __builtin_memcpy(to + j, &a, sizeof a);
  }
  const float* last = from + 2 * (count - N) - 1;
  __builtin_memcpy(&a, last, sizeof a);
  __builtin_memcpy(&b, last + N, sizeof b);
  a = odd_of(a, b);
  __builtin_memcpy(to + count - N, &a, sizeof a);
}

/// to[j] = from[j * stride] for j in [0, count).
[[gnu::always_inline]] inline void copy_strided(const float* __restrict from, float* __restrict to, std::int64_t count,
                                                std::int64_t stride) {
  if (stride == 1) return copy_16(from, to, count);
  if (stride == 2 && count > kLanes) return copy_every_second<Floats, kLanes>(from, to, count);
  if (stride == 2 && count > 8) return copy_every_second<Eight, 8>(from, to, count);
  if (stride == 2 && count > 4) return copy_every_second<Four, 4>(from, to, count);
  for (std::int64_t j = 0; j < count; ++j) to[j] = from[j * stride];
}

}  // namespace
}  // namespace halfstep::kernels::HALFSTEP_ISA
