// byte_sum.cpp: sums of two operands of bytes times integers, rounded once.
//
// Cost: for eight results two widenings of bytes to 64 bits, two products, two additions, what rounds, a shift, and the
// way back to bytes: some 10 instructions a vector of 32-bit lanes, whose even and odd products are formed apart.
#include "kernels/isa/requantize_vectors.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Of a block that stays in registers and the first-level cache: the output may be one of the operands' storage.
constexpr std::int64_t kSumBlock = 256;

// v / 2^shift rounded.
template <Rounding kRounding>
inline std::uint64_t shifted(std::uint64_t v, int shift, std::uint64_t half) {
  if constexpr (kRounding == Rounding::kHalfUp) {
    return (v + half) >> shift;
  } else if constexpr (kRounding == Rounding::kHalfEven) {
    return (v + (half - 1) + (v >> shift & 1)) >> shift;
  } else {
    return (v + (half - 1) + (v >> 62)) >> shift;
  }
}

#if defined(__AVX2__)

typedef std::uint32_t Words __attribute__((vector_size(kLanes * sizeof(std::uint32_t))));

// The same number in every lane.
struct SumConstants {
  Ints multiplier_a, multiplier_b;
  Ints flip_a, flip_b;
  Wides base;
  Wides half;  // What is added before the shift.
  int shift;
  Ints offset, q_min, q_max;
};

inline SumConstants sum_constants(const ByteSum& s, Rounding rounding) {
  const auto all = [](std::int64_t x) { return static_cast<std::int32_t>(x) - Ints{}; };
  const std::uint64_t half = (std::uint64_t{1} << (s.fraction_bits - 1)) - (rounding == Rounding::kHalfUp ? 0 : 1);
  return {all(s.operands[0].multiplier),
          all(s.operands[1].multiplier),
          all(s.operands[0].flip),
          all(s.operands[1].flip),
          s.base - Wides{},
          half - Wides{},
          s.fraction_bits,
          all(s.offset),
          all(s.q_min),
          all(s.q_max)};
}

inline Ints widen(const std::uint8_t* x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(
      _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
#else
  return reinterpret_cast<Ints>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
#endif
}

template <Rounding kRounding>
inline Wides shifted_lanes(Wides v, const SumConstants& k) {
  if constexpr (kRounding == Rounding::kHalfUp) return (v + k.half) >> k.shift;
  if constexpr (kRounding == Rounding::kHalfEven) return (v + k.half + ((v >> k.shift) & 1U)) >> k.shift;
  return (v + k.half + (v >> 62)) >> k.shift;
}

// As many results as there are lanes.
template <Rounding kRounding>
inline void sum_vector(const std::uint8_t* a, const std::uint8_t* b, const SumConstants& k, std::uint8_t* y) {
  const Ints u_a = widen(a) ^ k.flip_a;
  const Ints u_b = widen(b) ^ k.flip_b;
  const Wides first = k.base + products_of_half(u_a, k.multiplier_a) + products_of_half(u_b, k.multiplier_b);
  const Wides second =
      k.base + products_of_half(other_half(u_a), k.multiplier_a) + products_of_half(other_half(u_b), k.multiplier_b);
  const Ints steps = merge_low(shifted_lanes<kRounding>(first, k), shifted_lanes<kRounding>(second, k));
  // Modulo 2^32: the bias in v and the offset that takes it away leave int32 on their own.
  const Words steps_less_bias = reinterpret_cast<Words>(steps) + reinterpret_cast<Words>(k.offset);
  const Ints q = limit(reinterpret_cast<Ints>(steps_less_bias), k.q_min, k.q_max);
#if defined(__AVX512BW__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(y), _mm512_maskz_cvtepi32_epi8(0xFFFF, reinterpret_cast<__m512i>(q)));
#else
  // The low bytes of all lanes, in their order.
  const __m256i bytes = _mm256_shuffle_epi8(
      reinterpret_cast<__m256i>(q),
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)));
  const __m128i joined = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(y), joined);
#endif
}

#endif

template <Rounding kRounding>
void sum_block(const ByteSum& s, std::int64_t first, std::int64_t n, std::uint8_t* block) {
  const std::uint8_t flip_a = s.operands[0].flip;
  const std::uint8_t flip_b = s.operands[1].flip;
  const std::uint64_t m_a = s.operands[0].multiplier;
  const std::uint64_t m_b = s.operands[1].multiplier;
  const std::uint64_t base = s.base;
  const auto offset = static_cast<std::uint32_t>(static_cast<std::uint64_t>(s.offset));
  const std::int32_t q_min = s.q_min;
  const std::int32_t q_max = s.q_max;
  const int shift = s.fraction_bits;
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  const std::uint8_t* a = s.operands[0].x + first;
  const std::uint8_t* b = s.operands[1].x + first;
  std::int64_t i = 0;
#if defined(__AVX2__)
  const SumConstants k = sum_constants(s, kRounding);
  for (; i + kLanes <= n; i += kLanes) sum_vector<kRounding>(a + i, b + i, k, block + i);
#endif
  for (; i < n; ++i) {
    const std::uint32_t u_a = static_cast<std::uint8_t>(a[i] ^ flip_a);
    const std::uint32_t u_b = static_cast<std::uint8_t>(b[i] ^ flip_b);
    const std::uint64_t v = base + m_a * u_a + m_b * u_b;
    const auto q = static_cast<std::int32_t>(static_cast<std::uint32_t>(shifted<kRounding>(v, shift, half)) + offset);
    const std::int32_t low = q < q_min ? q_min : q;
    block[i] = static_cast<std::uint8_t>(q_max < low ? q_max : low);
  }
}

template <Rounding kRounding>
void sum_bytes(const ByteSum& s) {
  std::uint8_t block[kSumBlock];
  for (std::int64_t first = 0; first < s.count; first += kSumBlock) {
    const std::int64_t n = s.count - first < kSumBlock ? s.count - first : kSumBlock;
    sum_block<kRounding>(s, first, n, block);
    std::int64_t i = 0;
    for (; i + 32 <= n; i += 32) __builtin_memcpy(s.y + first + i, block + i, 32);
    for (; i < n; ++i) s.y[first + i] = block[i];
  }
}

}  // namespace

void byte_sum(const ByteSum& s) {
  switch (s.rounding) {
    case Rounding::kHalfUp:
      return sum_bytes<Rounding::kHalfUp>(s);
    case Rounding::kHalfEven:
      return sum_bytes<Rounding::kHalfEven>(s);
    default:
      return sum_bytes<Rounding::kHalfAway>(s);
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
