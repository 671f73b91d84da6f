// requantize_vectors.hpp: whole vectors of accumulators to steps of the output grid, and steps to codes.
//
// Shared by requantize.cpp (rows of accumulators) and finish_row.hpp (what kernels finish while it is in cache).
//
// A vector's products have twice its bits, so they come as two vectors: on x86, whose instruction multiplies every
// other lane, the first has the even lanes; on Arm, which multiplies neighbours, it has the lower half. Lanes of 64
// bits are taken for pairs of 32 bits, the low ones first: little-endian.
#pragma once

#include "kernels/isa/lanes.hpp"
#include "kernels/isa/requantize_each.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using numerics::Rounding;

typedef std::int16_t Shorts __attribute__((vector_size(kLanes * 4)));
typedef std::int16_t HalfShorts __attribute__((vector_size(kLanes * 2)));
typedef std::uint64_t Wides __attribute__((vector_size(kLanes * 4)));  // Modulo 2^64.
constexpr int kBlock = 4 * kLanes;

inline Ints load(const std::int32_t* from) {
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
inline V limit(V v, V low, V high) {
  v = v < low ? low : v;
  return high < v ? high : v;
}

// Products of the first half of the lanes with `multiplier`, which stands in all lanes.
inline Wides products_of_half(Ints v, Ints multiplier) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Wides>(
      _mm512_maskz_mul_epi32(0xFF, reinterpret_cast<__m512i>(v), reinterpret_cast<__m512i>(multiplier)));
#elif defined(__AVX2__)
  return reinterpret_cast<Wides>(_mm256_mul_epi32(reinterpret_cast<__m256i>(v), reinterpret_cast<__m256i>(multiplier)));
#elif defined(__SSE2__)
  // Unsigned only: (v + 2^31) * multiplier - 2^31 * multiplier.
  const Ints raised = v ^ kLowestInt32;
  const __m128i m = reinterpret_cast<__m128i>(multiplier);
  return reinterpret_cast<Wides>(_mm_mul_epu32(reinterpret_cast<__m128i>(raised), m)) -
         ((reinterpret_cast<Wides>(multiplier) & 0xFFFFFFFFU) << 31);
#elif defined(__aarch64__)
  return reinterpret_cast<Wides>(
      vmull_s32(vget_low_s32(reinterpret_cast<int32x4_t>(v)), vget_low_s32(reinterpret_cast<int32x4_t>(multiplier))));
#else
  typedef std::int64_t Longs __attribute__((vector_size(kLanes * 4)));
  const Longs even = reinterpret_cast<Longs>(v) << 32 >> 32;
  return reinterpret_cast<Wides>(even * (reinterpret_cast<Longs>(multiplier) << 32 >> 32));
#endif
}

// The second half where products_of_half() takes it.
inline Ints other_half(Ints v) {
#if defined(__AVX512BW__)
  return __builtin_shufflevector(v, v, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
#elif defined(__AVX2__)
  return __builtin_shufflevector(v, v, 1, 1, 3, 3, 5, 5, 7, 7);
#elif defined(__aarch64__)
  return __builtin_shufflevector(v, v, 2, 3, 2, 3);
#else
  return __builtin_shufflevector(v, v, 1, 1, 3, 3);
#endif
}

// The low 32 bits of all products, in the order of the lanes they came from.
inline Ints merge_low(Wides first, Wides second) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_mask_shuffle_epi32(reinterpret_cast<__m512i>(first), 0xAAAA,
                                                          reinterpret_cast<__m512i>(second), _MM_PERM_CCAA));
#else
  const Ints a = reinterpret_cast<Ints>(first);
  const Ints b = reinterpret_cast<Ints>(second);
#if defined(__AVX2__)
  return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
#elif defined(__aarch64__)
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
  return __builtin_shufflevector(a, b, 0, 4, 2, 6);
#endif
#endif
}

// The high 32 bits, likewise.
inline Ints merge_high(Wides first, Wides second) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_mask_shuffle_epi32(reinterpret_cast<__m512i>(second), 0x5555,
                                                          reinterpret_cast<__m512i>(first), _MM_PERM_DDBB));
#else
  const Ints a = reinterpret_cast<Ints>(first);
  const Ints b = reinterpret_cast<Ints>(second);
#if defined(__AVX2__)
  return __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
#elif defined(__aarch64__)
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#else
  return __builtin_shufflevector(a, b, 1, 5, 3, 7);
#endif
#endif
}

// The same number in every lane of each vector.
struct Constants {
  Ints multiplier;
  Wides offset;   // Added to every product.
  Wides rounded;  // offset plus what rounds.
  int shift;
  Ints bias;
  Ints low;
  Ints high;
  int left;
  int right;
  Ints right_mask;
};

// product + constants, such that the floor of its quotient by 2^shift is the rounded quotient.
template <Rounding kRounding>
inline Wides rounded_product(Wides product, const Constants& k) {
  if constexpr (kRounding == Rounding::kHalfEven) {
    // Less than half is added to an even floor, half to an odd one.
    return (product + k.rounded) + (((product + k.offset) >> k.shift) & 1U);
  } else if constexpr (kRounding == Rounding::kHalfAway) {
    return (product + k.rounded) - ((product + k.offset) >> 63);
  } else {
    return product + k.rounded;
  }
}

// Rounded accumulators for shifts of 32 and more: the quotients lie in the high halves of the products,
// whose offset holds the bias.
template <Rounding kRounding>
struct SmallFactor {
  static Ints steps(Ints acc, const Constants& k) {
    const Wides first = rounded_product<kRounding>(products_of_half(acc, k.multiplier), k);
    const Wides second = rounded_product<kRounding>(products_of_half(other_half(acc), k.multiplier), k);
    return merge_high(first, second) >> (k.shift - 32);
  }
};

// For shifts up to 31. Accumulators beyond [low, high] give steps beyond every grid, and so do these bounds.
template <Rounding kRounding>
struct LargeFactor {
  static Ints steps(Ints acc, const Constants& k) {
    const Ints limited = limit(acc + k.bias, k.low, k.high);
    const Wides first = rounded_product<kRounding>(products_of_half(limited, k.multiplier), k);
    const Wides second = rounded_product<kRounding>(products_of_half(other_half(limited), k.multiplier), k);
    return merge_low(first >> k.shift, second >> k.shift);
  }
};

struct Grid {
  std::int32_t low;  // q_min - zero_point
  std::int32_t high;
  std::int32_t zero_point;
};

// Steps of kBlock accumulators, limited to the grid, to codes.
inline void store_codes(const Ints* steps, const Grid& grid, std::int16_t* q) {
  for (int i = 0; i < 4; ++i) {
    const Ints codes = limit(steps[i], grid.low - Ints{}, grid.high - Ints{}) + grid.zero_point;
    const HalfShorts narrow = __builtin_convertvector(codes, HalfShorts);
    __builtin_memcpy(q + i * kLanes, &narrow, sizeof narrow);
  }
}

inline void store_codes(const Ints* steps, const Grid& grid, std::uint16_t* q) {
  store_codes(steps, grid, reinterpret_cast<std::int16_t*>(q));
}

// Saturates to 16 bits.
inline Shorts pack(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Shorts>(_mm512_packs_epi32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Shorts>(_mm256_packs_epi32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Shorts>(_mm_packs_epi32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#elif defined(__aarch64__)
  return reinterpret_cast<Shorts>(
      vqmovn_high_s32(vqmovn_s32(reinterpret_cast<int32x4_t>(a)), reinterpret_cast<int32x4_t>(b)));
#else
  const auto half = [](Ints v) {
    return __builtin_convertvector(limit(v, -32768 - Ints{}, 32767 - Ints{}), HalfShorts);
  };
  return __builtin_shufflevector(half(a), half(b), 0, 1, 2, 3, 4, 5, 6, 7);
#endif
}

template <class Q>
inline Ints pack_codes(Shorts a, Shorts b) {
  [[maybe_unused]] constexpr bool kSigned = static_cast<Q>(-1) < Q{0};
#if defined(__AVX512BW__)
  const __m512i x = reinterpret_cast<__m512i>(a);
  const __m512i y = reinterpret_cast<__m512i>(b);
  return reinterpret_cast<Ints>(kSigned ? _mm512_packs_epi16(x, y) : _mm512_packus_epi16(x, y));
#elif defined(__AVX2__)
  const __m256i x = reinterpret_cast<__m256i>(a);
  const __m256i y = reinterpret_cast<__m256i>(b);
  return reinterpret_cast<Ints>(kSigned ? _mm256_packs_epi16(x, y) : _mm256_packus_epi16(x, y));
#elif defined(__SSE2__)
  const __m128i x = reinterpret_cast<__m128i>(a);
  const __m128i y = reinterpret_cast<__m128i>(b);
  return reinterpret_cast<Ints>(kSigned ? _mm_packs_epi16(x, y) : _mm_packus_epi16(x, y));
#else
  // They are codes already, of either sign.
  typedef std::uint8_t Bytes __attribute__((vector_size(8)));
  return reinterpret_cast<Ints>(__builtin_shufflevector(__builtin_convertvector(a, Bytes),
                                                        __builtin_convertvector(b, Bytes), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                                        10, 11, 12, 13, 14, 15));
#endif
}

// Packing works within 128 bits: undoes the order that leaves.
inline Ints in_order(Ints v) {
#if defined(__AVX512BW__)
  return __builtin_shufflevector(v, v, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#elif defined(__AVX2__)
  return __builtin_shufflevector(v, v, 0, 4, 1, 5, 2, 6, 3, 7);
#else
  return v;
#endif
}

// The grid's bounds less its zero point fit 16 bits.
template <class Q>
inline void store_codes(const Ints* steps, const Grid& grid, Q* q) {
  static_assert(sizeof(Q) == 1);
  const Shorts low = static_cast<std::int16_t>(grid.low) - Shorts{};
  const Shorts high = static_cast<std::int16_t>(grid.high) - Shorts{};
  const Shorts zero_point = static_cast<std::int16_t>(grid.zero_point) - Shorts{};
  const Shorts first = limit(pack(steps[0], steps[1]), low, high) + zero_point;
  const Shorts second = limit(pack(steps[2], steps[3]), low, high) + zero_point;
  const Ints codes = in_order(pack_codes<Q>(first, second));
  __builtin_memcpy(q, &codes, sizeof codes);
}

}  // namespace
}  // namespace halfstep::kernels::HALFSTEP_ISA
