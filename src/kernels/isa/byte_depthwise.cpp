// byte_depthwise.cpp: depthwise convolution of bytes by dot products of four neighbouring taps.
//
// Compiled for instruction sets with dot products of bytes only. One shuffle makes, for each lane, the four bytes that
// an output reads in a row of the image; one dot product adds them all.
//
// Cost of a vector of outputs: a load, a shuffle and a dot product for each row of a 3x3 filter, two of each for a 5x5
// one, and about 11 instructions to finish the sums. Blocks of four vectors, as finish_row() takes them.
#include "kernels/isa/finish_row.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Groups of taps in a row of the filter.
inline std::int64_t quads_of(const ByteDepthwise& d) { return (d.kernel_w + 3) / 4; }

#if defined(__AVX512VBMI__)
// Where lane l finds the bytes first + l * stride to first + l * stride + 3.
template <int kStride, int kFirst>
inline __m512i window_index() {
  alignas(64) static constexpr auto kIndex = [] {
    struct {
      std::uint8_t at[64];
    } index = {};
    for (int i = 0; i < 64; ++i) index.at[i] = static_cast<std::uint8_t>(kFirst + i / 4 * kStride + i % 4);
    return index;
  }();
  return _mm512_load_si512(kIndex.at);
}
#endif

// Lane l gets the bytes l * stride to l * stride + 3 from `from` on.
template <int kStride>
inline Ints windows_at(const std::uint8_t* from) {
#if defined(__AVX512VBMI__)
  return reinterpret_cast<Ints>(
      _mm512_maskz_permutexvar_epi8(~0ULL, window_index<kStride, 0>(), _mm512_loadu_si512(from)));
#elif defined(__AVXVNNI__)
  const __m256i index =
      kStride == 1 ? _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6))
                   : _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9));
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 4 * kStride));
  return reinterpret_cast<Ints>(_mm256_shuffle_epi8(_mm256_set_m128i(high, low), index));
#elif defined(__ARM_FEATURE_DOTPROD)
  static constexpr std::uint8_t kIndex[16] = {0,
                                              1,
                                              2,
                                              3,
                                              kStride,
                                              kStride + 1,
                                              kStride + 2,
                                              kStride + 3,
                                              2 * kStride,
                                              2 * kStride + 1,
                                              2 * kStride + 2,
                                              2 * kStride + 3,
                                              3 * kStride,
                                              3 * kStride + 1,
                                              3 * kStride + 2,
                                              3 * kStride + 3};
  return reinterpret_cast<Ints>(vqtbl1q_u8(vld1q_u8(from), vld1q_u8(kIndex)));
#endif
}

inline Ints add_taps(Ints sums, Ints bytes, Ints taps) {
#if defined(__AVX512VNNI__)
  return reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), reinterpret_cast<__m512i>(bytes),
                                                    reinterpret_cast<__m512i>(taps)));
#elif defined(__AVXVNNI__)
  return reinterpret_cast<Ints>(_mm256_dpbusd_avx_epi32(
      reinterpret_cast<__m256i>(sums), reinterpret_cast<__m256i>(bytes), reinterpret_cast<__m256i>(taps)));
#elif defined(__ARM_FEATURE_DOTPROD)
  // Signed bytes only: the image less 128; start_of() has what that takes away.
  const int8x16_t x = vreinterpretq_s8_s32(reinterpret_cast<int32x4_t>(bytes ^ static_cast<std::int32_t>(0x80808080U)));
  return reinterpret_cast<Ints>(
      vdotq_s32(reinterpret_cast<int32x4_t>(sums), vreinterpretq_s8_s32(reinterpret_cast<int32x4_t>(taps)), x));
#endif
}

// What sums begin with.
inline std::int32_t start_of([[maybe_unused]] const ByteDepthwise& d) {
#if defined(__ARM_FEATURE_DOTPROD)
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < d.kernel_h * quads_of(d); ++i) {
    for (int byte = 0; byte < 4; ++byte) sum += static_cast<std::int8_t>(d.filter[i] >> (8 * byte));
  }
  return 128 * sum;
#else
  return 0;
#endif
}

// The taps of a filter of kRows rows of kQuads groups; with 0 they are read from `d` at each use.
template <int kRows, int kQuads>
struct Taps {
  Ints groups[kRows == 0 ? 1 : kRows * kQuads];

  explicit Taps(const ByteDepthwise& d) {
    for (int i = 0; i < kRows * kQuads; ++i) groups[i] = spread(d.filter[i]);
  }
};

// One vector of sums.
template <int kStride, int kRows, int kQuads>
inline Ints sum_vector(const ByteDepthwise& d, const Taps<kRows, kQuads>& taps, const std::uint8_t* from, Ints sums) {
  const std::int64_t step = d.dilation_h * d.padded_stride;
  if constexpr (kRows == 0) {
    const std::int32_t* group = d.filter;
    for (std::int64_t i = 0; i < d.kernel_h; ++i) {
      for (std::int64_t quad = 0; quad < quads_of(d); ++quad) {
        sums = add_taps(sums, windows_at<kStride>(from + i * step + 4 * quad), spread(*group++));
      }
    }
  } else {
#pragma GCC unroll 5
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int quad = 0; quad < kQuads; ++quad) {
        sums = add_taps(sums, windows_at<kStride>(from + i * step + 4 * quad), taps.groups[i * kQuads + quad]);
      }
    }
  }
  return sums;
}

template <Rounding kRounding, class Q>
void finish_some(const ByteDepthwise& d, const std::int32_t* acc, std::int64_t at, std::int64_t count) {
  const RowFinish finish = *d.finish;
  Q* q = static_cast<Q*>(d.codes) + at;
  for (std::int64_t i = 0; i < count; i += kBlock) finish_row<kRounding>(acc + i, kBlock, finish, q + i);
}

// Whole blocks of sums, to codes from element `at` of the line on.
void finish_codes(const ByteDepthwise& d, const std::int32_t* acc, std::int64_t at, std::int64_t count) {
  with_codes(d.rounding, d.dtype, [&]<Rounding kRounding, class Q>() { finish_some<kRounding, Q>(d, acc, at, count); });
}

constexpr std::int64_t kChunk = 16 * kBlock;  // Sums that are formed before they are finished.

#if defined(__AVX512VBMI__)
// A block of four vectors of a long row. Loads that cross cache lines bind, and with stride 1 one load has the bytes of
// three vectors: six loads a row of the filter become two for the block.
template <int kRows, int kQuads>
inline void sum_block(const ByteDepthwise& d, const Taps<kRows, kQuads>& taps, const std::uint8_t* from, Ints start,
                      std::int32_t* acc) {
  const std::int64_t step = d.dilation_h * d.padded_stride;
  const __m512i first = window_index<1, 0>(), second = window_index<1, kLanes>(), third = window_index<1, 2 * kLanes>();
  Ints sums[4] = {start, start, start, start};
#pragma GCC unroll 5
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int quad = 0; quad < kQuads; ++quad) {
      const std::uint8_t* row = from + i * step + 4 * quad;
      const __m512i low = _mm512_loadu_si512(row), high = _mm512_loadu_si512(row + 3 * kLanes);
      const auto add = [&](int v, __m512i bytes, __m512i index) {
        const __m512i windows = _mm512_maskz_permutexvar_epi8(~0ULL, index, bytes);
        sums[v] = add_taps(sums[v], reinterpret_cast<Ints>(windows), taps.groups[i * kQuads + quad]);
      };
      add(0, low, first);
      add(1, low, second);
      add(2, low, third);
      add(3, high, first);
    }
  }
  for (int v = 0; v < 4; ++v) store(sums[v], acc + v * kLanes);
}
#endif

// Sums [at, at + count) of the line; whole vectors, of which none begins behind the last output.
template <int kStride, int kRows, int kQuads>
void sum_one_row(const ByteDepthwise& d, const Taps<kRows, kQuads>& taps, Ints start, std::int64_t at,
                 std::int64_t count, std::int32_t* acc) {
  std::int64_t i = 0;
#if defined(__AVX512VBMI__)
  if constexpr (kStride == 1 && kRows > 0) {
    for (; i + kBlock <= count; i += kBlock) sum_block(d, taps, d.padded + at + i, start, acc + i);
  }
#endif
  for (; i < count; i += kLanes) store(sum_vector<kStride>(d, taps, d.padded + at + i, start), acc + i);
}

template <int kStride, int kRows, int kQuads>
void sum_rows(const ByteDepthwise& d, const Taps<kRows, kQuads>& taps, Ints start, std::int64_t at, std::int64_t count,
              std::int32_t* acc) {
  const std::int64_t row_step = d.stride_h * d.padded_stride;
  std::int64_t x = at % d.line_pitch;
  const std::uint8_t* row = d.padded + at / d.line_pitch * row_step;
  for (std::int64_t i = 0; i < count; i += kLanes) {
    store(sum_vector<kStride>(d, taps, row + x * kStride, start), acc + i);
    x += kLanes;
    if (x == d.line_pitch) {
      x = 0;
      row += row_step;
    }
  }
}

template <int kStride, int kRows, int kQuads>
void sum_line(const ByteDepthwise& d) {
  const Taps<kRows, kQuads> taps(d);
  const std::int64_t end = (d.out_h - 1) * d.line_pitch + d.out_w;  // Vectors from here on read nothing.
  const Ints start = spread(start_of(d));
  alignas(64) std::int32_t chunk[kChunk];
  for (std::int64_t at = 0; at < d.line_size; at += kChunk) {
    std::int32_t* acc = d.finish == nullptr ? d.acc + at : chunk;
    const std::int64_t count = d.line_size - at < kChunk ? d.line_size - at : kChunk;
    const std::int64_t needed = end - at < count ? (end - at + kLanes - 1) / kLanes * kLanes : count;
    if (d.stride_w == 1 && d.stride_h == 1) {
      sum_one_row<kStride>(d, taps, start, at, needed, acc);
    } else {
      sum_rows<kStride>(d, taps, start, at, needed, acc);
    }
    for (std::int64_t i = needed; i < count; i += kLanes) store(Ints{}, acc + i);
    if (d.finish != nullptr) finish_codes(d, acc, at, count);
  }
}

template <int kStride>
void sum_with_stride(const ByteDepthwise& d) {
  if (d.kernel_h == 3 && quads_of(d) == 1) return sum_line<kStride, 3, 1>(d);
  if (d.kernel_h == 5 && quads_of(d) == 2) return sum_line<kStride, 5, 2>(d);
  sum_line<kStride, 0, 0>(d);
}

}  // namespace

void byte_depthwise(const ByteDepthwise& d) { d.stride_w == 1 ? sum_with_stride<1>(d) : sum_with_stride<2>(d); }

}  // namespace halfstep::kernels::HALFSTEP_ISA
