// groups.cpp: codes to groups of 32 bits, and groups to panels.
//
// Cost: interleaving widens four vectors of bytes to lanes, shifts three and joins them: 11 instructions and a store
// for as many groups as there are lanes. It is done once for each element of an input, not once for each tap: gathering
// a panel then copies groups, a load and a store a vector for each tap, beside the products of all rows with it.
#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

#if defined(__SSE2__)

// Sixteen groups.
inline void interleave_16(const std::uint8_t* const rows[4], std::int64_t i, std::uint32_t flips,
                          std::int32_t* groups) {
  const auto row = [&](int r) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + i)); };
  const __m128i flip = _mm_set1_epi32(static_cast<int>(flips));
  const __m128i a = row(0), b = row(1), c = row(2), d = row(3);
  const __m128i low_ab = _mm_unpacklo_epi8(a, b), high_ab = _mm_unpackhi_epi8(a, b);
  const __m128i low_cd = _mm_unpacklo_epi8(c, d), high_cd = _mm_unpackhi_epi8(c, d);
  const auto put = [&](int at, __m128i v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(groups + i + at), _mm_xor_si128(v, flip));
  };
  put(0, _mm_unpacklo_epi16(low_ab, low_cd));
  put(4, _mm_unpackhi_epi16(low_ab, low_cd));
  put(8, _mm_unpacklo_epi16(high_ab, high_cd));
  put(12, _mm_unpackhi_epi16(high_ab, high_cd));
}

#endif

// As many groups as a vector has bytes. Unpacking works within 128 bits: their order is put right afterwards.
#if defined(__AVX512BW__)
constexpr int kBytes = 64;
inline void interleave_vector(const std::uint8_t* const rows[4], std::int64_t i, std::uint32_t flips,
                              std::int32_t* groups) {
  const auto row = [&](int r) { return _mm512_loadu_si512(rows[r] + i); };
  const __m512i flip = _mm512_set1_epi32(static_cast<int>(flips));
  const __m512i a = row(0), b = row(1), c = row(2), d = row(3);
  const __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
  const __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
  // Each 128 bits hold groups 0 to 3, 4 to 7, 8 to 11, 12 to 15 of their sixteen.
  const __m512i q0 = _mm512_unpacklo_epi16(low_ab, low_cd), q1 = _mm512_unpackhi_epi16(low_ab, low_cd);
  const __m512i q2 = _mm512_unpacklo_epi16(high_ab, high_cd), q3 = _mm512_unpackhi_epi16(high_ab, high_cd);
  const __m512i even01 = _mm512_maskz_shuffle_i64x2(0xFF, q0, q1, 0x88),
                odd01 = _mm512_maskz_shuffle_i64x2(0xFF, q0, q1, 0xDD);
  const __m512i even23 = _mm512_maskz_shuffle_i64x2(0xFF, q2, q3, 0x88),
                odd23 = _mm512_maskz_shuffle_i64x2(0xFF, q2, q3, 0xDD);
  const auto put = [&](int at, __m512i v) { _mm512_storeu_si512(groups + i + at, _mm512_xor_si512(v, flip)); };
  put(0, _mm512_maskz_shuffle_i64x2(0xFF, even01, even23, 0x88));
  put(16, _mm512_maskz_shuffle_i64x2(0xFF, odd01, odd23, 0x88));
  put(32, _mm512_maskz_shuffle_i64x2(0xFF, even01, even23, 0xDD));
  put(48, _mm512_maskz_shuffle_i64x2(0xFF, odd01, odd23, 0xDD));
}
#elif defined(__AVX2__)
constexpr int kBytes = 32;
inline void interleave_vector(const std::uint8_t* const rows[4], std::int64_t i, std::uint32_t flips,
                              std::int32_t* groups) {
  const auto row = [&](int r) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[r] + i)); };
  const __m256i flip = _mm256_set1_epi32(static_cast<int>(flips));
  const __m256i a = row(0), b = row(1), c = row(2), d = row(3);
  const __m256i low_ab = _mm256_unpacklo_epi8(a, b), high_ab = _mm256_unpackhi_epi8(a, b);
  const __m256i low_cd = _mm256_unpacklo_epi8(c, d), high_cd = _mm256_unpackhi_epi8(c, d);
  const __m256i q0 = _mm256_unpacklo_epi16(low_ab, low_cd), q1 = _mm256_unpackhi_epi16(low_ab, low_cd);
  const __m256i q2 = _mm256_unpacklo_epi16(high_ab, high_cd), q3 = _mm256_unpackhi_epi16(high_ab, high_cd);
  const auto put = [&](int at, __m256i v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(groups + i + at), _mm256_xor_si256(v, flip));
  };
  put(0, _mm256_permute2x128_si256(q0, q1, 0x20));
  put(8, _mm256_permute2x128_si256(q2, q3, 0x20));
  put(16, _mm256_permute2x128_si256(q0, q1, 0x31));
  put(24, _mm256_permute2x128_si256(q2, q3, 0x31));
}
#elif defined(__SSE2__)
constexpr int kBytes = 16;
inline void interleave_vector(const std::uint8_t* const rows[4], std::int64_t i, std::uint32_t flips,
                              std::int32_t* groups) {
  interleave_16(rows, i, flips, groups);
}
#endif

inline void interleave_one(const std::uint8_t* const rows[4], std::int64_t i, std::uint32_t flips,
                           std::int32_t* groups) {
  std::uint32_t group = flips;
  for (int r = 0; r < 4; ++r) group ^= static_cast<std::uint32_t>(rows[r][i]) << (8 * r);
  groups[i] = static_cast<std::int32_t>(group);
}

template <int N, class Byte = std::uint8_t>
inline void copy_some(const std::uint8_t* from, std::uint8_t flip, std::uint8_t* to) {
  typedef Byte Bytes __attribute__((vector_size(N * sizeof(Byte))));
  Bytes bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  bytes ^= flip;
  __builtin_memcpy(to, &bytes, sizeof bytes);
}

// columns >= N: the last vector overlaps the one before. A call of memcpy would cost more than most rows.
template <int N>
void copy_rows_by(const std::uint8_t* from, std::int64_t rows, std::int64_t columns, std::int64_t from_stride,
                  std::uint8_t flip, std::uint8_t* to, std::int64_t to_stride) {
  for (; rows > 0; --rows, from += from_stride, to += to_stride) {
    for (std::int64_t i = 0; i + N < columns; i += N) copy_some<N>(from + i, flip, to + i);
    copy_some<N>(from + columns - N, flip, to + columns - N);
  }
}

}  // namespace

void copy_byte_rows(const std::uint8_t* from, std::int64_t rows, std::int64_t columns, std::int64_t from_stride,
                    std::uint8_t flip, std::uint8_t* to, std::int64_t to_stride) {
  if (columns >= 32) return copy_rows_by<32>(from, rows, columns, from_stride, flip, to, to_stride);
  if (columns >= 16) return copy_rows_by<16>(from, rows, columns, from_stride, flip, to, to_stride);
  if (columns >= 8) return copy_rows_by<8>(from, rows, columns, from_stride, flip, to, to_stride);
  if (columns >= 4) return copy_rows_by<4>(from, rows, columns, from_stride, flip, to, to_stride);
  for (; rows > 0; --rows, from += from_stride, to += to_stride) {
    for (std::int64_t i = 0; i < columns; ++i) to[i] = static_cast<std::uint8_t>(from[i] ^ flip);
  }
}

void interleave_bytes(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t flip, std::int32_t* groups) {
  const std::uint32_t flips = flip * 0x01010101U;
  std::int64_t i = 0;
#if defined(__SSE2__)
  for (; i + kBytes <= count; i += kBytes) interleave_vector(rows, i, flips, groups);
  for (; i + 16 <= count; i += 16) interleave_16(rows, i, flips, groups);
  if (i < count && count >= 16) {  // The last vector overlaps the one before.
    interleave_16(rows, count - 16, flips, groups);
    return;
  }
#endif
  for (; i < count; ++i) interleave_one(rows, i, flips, groups);
}

void split_groups(const std::int32_t* from, std::int64_t count, std::int64_t stride, std::int32_t* to,
                  std::int64_t to_stride) {
  std::int64_t i = 0;
  if (stride == 2) {
    for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
      Ints low;
      Ints high;
      __builtin_memcpy(&low, from + i, sizeof low);
      __builtin_memcpy(&high, from + i + kLanes, sizeof high);
#if defined(__AVX512BW__)
      const Ints even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      const Ints odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif defined(__AVX2__)
      const Ints even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
      const Ints odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
#else
      const Ints even = __builtin_shufflevector(low, high, 0, 2, 4, 6);
      const Ints odd = __builtin_shufflevector(low, high, 1, 3, 5, 7);
#endif
      __builtin_memcpy(to + i / 2, &even, sizeof even);
      __builtin_memcpy(to + to_stride + i / 2, &odd, sizeof odd);
    }
  }
  for (; i < count; ++i) to[i % stride * to_stride + i / stride] = from[i];
}

void gather_panel(const std::int32_t* image, const std::int32_t* offsets, std::int64_t k_groups, const ColumnRun* runs,
                  std::int64_t num_runs, std::int32_t* panel, std::int64_t stride) {
  for (std::int64_t g = 0; g < k_groups; ++g, panel += stride) {
    std::int32_t* to = panel;
    for (std::int64_t r = 0; r < num_runs; ++r) {
      const std::int32_t* from = image + offsets[g] + runs[r].from;
      // Whole vectors: what is too much is overwritten by the next run or row.
      for (std::int64_t j = 0; j < runs[r].count; j += kLanes) {
        Ints v;
        __builtin_memcpy(&v, from + j, sizeof v);
        __builtin_memcpy(to + j, &v, sizeof v);
      }
      to += runs[r].count;
    }
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
