// int_depthwise.cpp: integer convolution of one channel with its own filter, two taps at a time.
//
// One instruction multiplies two 16-bit inputs with two taps and adds the products.
// With stride 2 the inputs of taps j and j + 1 lie next to each other for every
// output. With stride 1 they do so for every other one: the even outputs are summed
// from where the taps lie, the odd ones from one element further, and both are
// interleaved at the end. Elsewhere the inputs of any two taps are interleaved. Narrow
// images are treated as one long row, whose sums between the rows are dropped.
//
// Cost: two taps for a vector of outputs are one multiply-add of pairs with its load and one addition. A 3x3 filter is
// 4.5 pairs, made 6 by zero taps: 12 instructions a vector, and one interleave with stride 1. With AVX-512, where
// each of these loads crosses a cache line, two loads and two interleaves serve two vectors: 5 pairs, 20 instructions a
// vector. 16-bit inputs rather than bytes, because the byte instruction of AVX2 saturates its pair sums.
#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Output (y, x) as the formula says: borders of what vectors can do, and whatever is rare.
std::int32_t sum_at(const IntDepthwise& d, std::int64_t y, std::int64_t x) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < d.kernel_h; ++i) {
    const std::int16_t* row = d.padded + (y * d.stride_h + i * d.dilation_h) * d.padded_stride + x * d.stride_w;
    for (std::int64_t j = 0; j < d.kernel_w; ++j) sum += d.filter[i * d.kernel_w + j] * row[j * d.dilation_w];
  }
  return sum;
}

void sum_each(const IntDepthwise& d) {
  std::int32_t* acc = d.acc;
  for (std::int64_t y = 0; y < d.out_h; ++y) {
    for (std::int64_t x = 0; x < d.out_w; ++x) *acc++ = sum_at(d, y, x);
  }
}

#if defined(__SSE2__)

constexpr int kBlock = 2 * kLanes;  // Outputs of one step with stride 1.

inline Ints load(const std::int16_t* from) {
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline void store(Ints v, std::int32_t* to) { __builtin_memcpy(to, &v, sizeof v); }

inline Ints multiply_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

// Pairs of the lower and of the upper halves of each 128 bits.
inline Ints interleave_low(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_unpacklo_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_unpacklo_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Ints>(_mm_unpacklo_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

inline Ints interleave_high(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_unpackhi_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_unpackhi_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Ints>(_mm_unpackhi_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

// The sums of interleaved halves in the order of the outputs.
inline void store_block(Ints low, Ints high, std::int32_t* to) {
#if defined(__AVX512BW__)
  store(__builtin_shufflevector(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23), to);
  store(__builtin_shufflevector(low, high, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31), to + kLanes);
#elif defined(__AVX2__)
  store(__builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11), to);
  store(__builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15), to + kLanes);
#else
  store(low, to);
  store(high, to + kLanes);
#endif
}

// Two taps: where their inputs lie, and both weights as the 32 bits of a lane.
constexpr int kMaxPairs = 64;
struct TapPairs {
  int count = 0;
  std::int64_t first[kMaxPairs];
  std::int64_t second[kMaxPairs];  // Of neighbours always first + 1, and not stored.
  std::int32_t weights[kMaxPairs];
};

std::int32_t weights_of(std::int16_t first, std::int16_t second) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint16_t>(first)) |
                                   (static_cast<std::uint32_t>(static_cast<std::uint16_t>(second)) << 16));
}

// For stride 1, in the order of the filter; an odd one out is paired with itself times 0.
void pair_any_taps(const IntDepthwise& d, TapPairs& pairs) {
  const std::int16_t* filter = d.filter;
  bool is_first = true;
  for (std::int64_t i = 0; i < d.kernel_h; ++i) {
    std::int64_t offset = i * d.dilation_h * d.padded_stride;
    for (std::int64_t j = 0; j < d.kernel_w; ++j, ++filter, offset += d.dilation_w) {
      if (is_first) {
        pairs.first[pairs.count] = pairs.second[pairs.count] = offset;
        pairs.weights[pairs.count] = weights_of(*filter, 0);
        ++pairs.count;
      } else {
        pairs.second[pairs.count - 1] = offset;
        pairs.weights[pairs.count - 1] = weights_of(filter[-1], *filter);
      }
      is_first = !is_first;
    }
  }
}

// For kernel_w >= 2: neighbours, or a tap and a zero, such that no pair reaches behind the last tap.
void pair_neighbours(const IntDepthwise& d, TapPairs& pairs) {
  for (std::int64_t i = 0; i < d.kernel_h; ++i) {
    const std::int16_t* filter = d.filter + i * d.kernel_w;
    const std::int64_t row = i * d.dilation_h * d.padded_stride;
    std::int64_t j = 0;
    while (j < d.kernel_w) {
      const bool has_neighbour = d.dilation_w == 1 && j + 1 < d.kernel_w;
      pairs.first[pairs.count] = row + j * d.dilation_w - (has_neighbour || j == 0 ? 0 : 1);
      pairs.weights[pairs.count] = has_neighbour ? weights_of(filter[j], filter[j + 1])
                                   : j == 0      ? weights_of(filter[j], 0)
                                                 : weights_of(0, filter[j]);
      ++pairs.count;
      j += has_neighbour ? 2 : 1;
    }
  }
}

// Sums of kBlock outputs in a row. P pairs, or any number if P is 0.
template <int P>
inline void sum_block(const std::int16_t* from, const TapPairs& pairs, const Ints* weights, std::int32_t* to) {
  Ints low = {};
  Ints high = {};
  const int count = P == 0 ? pairs.count : P;
#pragma GCC unroll 8
  for (int p = 0; p < count; ++p) {
    const Ints a = load(from + pairs.first[p]);
    const Ints b = load(from + pairs.second[p]);
    const Ints w = P == 0 ? pairs.weights[p] - Ints{} : weights[p];
    low += multiply_pairs(interleave_low(a, b), w);
    high += multiply_pairs(interleave_high(a, b), w);
  }
  store_block(low, high, to);
}

// count >= kBlock; the last block overlaps the one before.
template <class F>
inline void for_each_block(std::int64_t count, F&& f) {
  std::int64_t x = 0;
  for (; x + kBlock <= count; x += kBlock) f(x);
  if (x < count) f(count - kBlock);
}

template <int P>
void sum_line(const std::int16_t* from, const TapPairs& pairs, std::int64_t count, std::int32_t* to) {
  Ints weights[P == 0 ? 1 : P];
  for (int p = 0; p < P; ++p) weights[p] = pairs.weights[p] - Ints{};
  for_each_block(count, [&](std::int64_t x) { sum_block<P>(from + x, pairs, weights, to + x); });
}

// Whether the taps of stride 1 are paired as neighbours.
inline bool pairs_neighbours([[maybe_unused]] const IntDepthwise& d) {
#if defined(__AVX512BW__)
  return false;
#else
  return d.kernel_w >= 2 && d.dilation_w == 1;
#endif
}

// The weights of a 3x3 filter, and where its rows lie, in registers.
struct ThreeByThree {
  Ints weights[6];
  std::int64_t row_step;

  explicit ThreeByThree(const IntDepthwise& d) : row_step(d.dilation_h * d.padded_stride) {
    for (int i = 0; i < 3; ++i) {
      const std::int16_t* row = d.filter + 3 * i;
      weights[2 * i] = weights_of(row[0], row[1]) - Ints{};
      weights[2 * i + 1] = weights_of(0, row[2]) - Ints{};
    }
  }

  // Neighbouring pairs of inputs from `from` on, each with all taps.
  Ints sum(const std::int16_t* from) const {
    const std::int16_t* second = from + row_step;
    const std::int16_t* third = second + row_step;
    const Ints first_row = multiply_pairs(load(from), weights[0]) + multiply_pairs(load(from + 1), weights[1]);
    const Ints second_row = multiply_pairs(load(second), weights[2]) + multiply_pairs(load(second + 1), weights[3]);
    const Ints third_row = multiply_pairs(load(third), weights[4]) + multiply_pairs(load(third + 1), weights[5]);
    return first_row + second_row + third_row;
  }
};

inline bool is_three_by_three(const IntDepthwise& d) { return d.kernel_h == 3 && d.kernel_w == 3 && d.dilation_w == 1; }

// Neighbouring pairs of inputs from `from` on, each with all taps.
inline Ints sum_neighbours(const std::int16_t* from, const TapPairs& pairs) {
  Ints sum = {};
  for (int p = 0; p < pairs.count; ++p) {
    sum += multiply_pairs(load(from + pairs.first[p]), pairs.weights[p] - Ints{});
  }
  return sum;
}

inline void store_even_and_odd(Ints even, Ints odd, std::int32_t* to) {
#if defined(__AVX512BW__)
  const Ints low = reinterpret_cast<Ints>(
      _mm512_maskz_unpacklo_epi32(0xFFFF, reinterpret_cast<__m512i>(even), reinterpret_cast<__m512i>(odd)));
  const Ints high = reinterpret_cast<Ints>(
      _mm512_maskz_unpackhi_epi32(0xFFFF, reinterpret_cast<__m512i>(even), reinterpret_cast<__m512i>(odd)));
#elif defined(__AVX2__)
  const Ints low = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 4, 12, 5, 13);
  const Ints high = __builtin_shufflevector(even, odd, 2, 10, 3, 11, 6, 14, 7, 15);
#else
  const Ints low = __builtin_shufflevector(even, odd, 0, 4, 1, 5);
  const Ints high = __builtin_shufflevector(even, odd, 2, 6, 3, 7);
#endif
  store_block(low, high, to);
}

// Stride 1 and any filter. count >= kBlock.
void sum_any_line(const IntDepthwise& d, const std::int16_t* from, const TapPairs& pairs, std::int64_t count,
                  std::int32_t* to) {
  constexpr int kPairsOfThreeByThree = 5;
  if (!pairs_neighbours(d)) {
    if (pairs.count == kPairsOfThreeByThree) return sum_line<kPairsOfThreeByThree>(from, pairs, count, to);
    return sum_line<0>(from, pairs, count, to);
  }
  for_each_block(count, [&](std::int64_t x) {
    Ints even = {};
    Ints odd = {};
    for (int p = 0; p < pairs.count; ++p) {
      const std::int16_t* at = from + x + pairs.first[p];
      const Ints w = pairs.weights[p] - Ints{};
      even += multiply_pairs(load(at), w);
      odd += multiply_pairs(load(at + 1), w);
    }
    store_even_and_odd(even, odd, to + x);
  });
}

// Rows are often a few elements long: the last vector overlaps the one before
// instead of leaving a remainder.
inline void copy_row(const std::int32_t* from, std::int32_t* to, std::int64_t count) {
  constexpr std::size_t kBytes = 16;
  if (count < 4) {
    for (std::int64_t x = 0; x < count; ++x) to[x] = from[x];
    return;
  }
  for (std::int64_t x = 0; x + 4 < count; x += 4) __builtin_memcpy(to + x, from + x, kBytes);
  __builtin_memcpy(to + count - 4, from + count - 4, kBytes);
}

// Rows together as one line, by bands that fit a buffer. Requires stride 1 both ways.
constexpr std::int64_t kBand = 4096;
template <class F>
void sum_as_one_line(const IntDepthwise& d, F&& sum_line) {
  std::int32_t sums[kBand];
  const std::int64_t band_rows = kBand / d.padded_stride;
  for (std::int64_t y = 0; y < d.out_h; y += band_rows) {
    const std::int64_t rows = d.out_h - y < band_rows ? d.out_h - y : band_rows;
    const std::int64_t count = (rows - 1) * d.padded_stride + d.out_w;
    if (count < kBlock) {
      for (std::int64_t r = y; r < y + rows; ++r) {
        for (std::int64_t x = 0; x < d.out_w; ++x) d.acc[r * d.out_w + x] = sum_at(d, r, x);
      }
      continue;
    }
    sum_line(d.padded + y * d.padded_stride, count, sums);
    for (std::int64_t r = 0; r < rows; ++r) {
      copy_row(sums + r * d.padded_stride, d.acc + (y + r) * d.out_w, d.out_w);
    }
  }
}

// sum_line(from, count, to): `count` outputs, at least kBlock, whose inputs lie side by side.
template <class F>
void sum_rows_of_stride_1(const IntDepthwise& d, F&& sum_line) {
  // A row alone wastes what its last block computes twice, a long line what lies between the rows.
  const std::int64_t rounded_up = (d.out_w + kBlock - 1) / kBlock * kBlock;
  const bool is_short = d.out_w < kBlock;
  const bool has_waste = is_short || (rounded_up * 4 > d.out_w * 5 && d.padded_stride < rounded_up);
  if (has_waste && d.stride_h == 1 && d.padded_stride * 2 <= kBand) {
    sum_as_one_line(d, sum_line);
    return;
  }
  if (is_short) {
    sum_each(d);
    return;
  }
  for (std::int64_t y = 0; y < d.out_h; ++y) {
    sum_line(d.padded + y * d.stride_h * d.padded_stride, d.out_w, d.acc + y * d.out_w);
  }
}

void sum_stride_1(const IntDepthwise& d) {
  if (pairs_neighbours(d) && is_three_by_three(d)) {
    const ThreeByThree taps(d);
    return sum_rows_of_stride_1(d, [&](const std::int16_t* from, std::int64_t count, std::int32_t* to) {
      for_each_block(count,
                     [&](std::int64_t x) { store_even_and_odd(taps.sum(from + x), taps.sum(from + x + 1), to + x); });
    });
  }
  TapPairs pairs;
  pairs_neighbours(d) ? pair_neighbours(d, pairs) : pair_any_taps(d, pairs);
  sum_rows_of_stride_1(d, [&](const std::int16_t* from, std::int64_t count, std::int32_t* to) {
    sum_any_line(d, from, pairs, count, to);
  });
}

#if defined(__AVX2__)
// The same for the first `count` outputs only; reads and writes nothing else.
void sum_some_neighbours(const std::int16_t* from, const TapPairs& pairs, std::int64_t count, std::int32_t* to) {
#if defined(__AVX512BW__)
  const auto mask = static_cast<__mmask16>((1U << count) - 1);
#else
  const Ints index = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto mask = reinterpret_cast<__m256i>(index < static_cast<std::int32_t>(count) - Ints{});
#endif
  Ints sum = {};
  for (int p = 0; p < pairs.count; ++p) {
#if defined(__AVX512BW__)
    const Ints values = reinterpret_cast<Ints>(_mm512_maskz_loadu_epi32(mask, from + pairs.first[p]));
#else
    const Ints values = reinterpret_cast<Ints>(
        _mm256_maskload_epi32(reinterpret_cast<const std::int32_t*>(from + pairs.first[p]), mask));
#endif
    sum += multiply_pairs(values, pairs.weights[p] - Ints{});
  }
#if defined(__AVX512BW__)
  _mm512_mask_storeu_epi32(to, mask, reinterpret_cast<__m512i>(sum));
#else
  _mm256_maskstore_epi32(to, mask, reinterpret_cast<__m256i>(sum));
#endif
}
#endif

// Of at least kLanes outputs each; sum(from): a vector of outputs whose inputs begin there.
template <class F>
void sum_rows_of_stride_2(const IntDepthwise& d, F&& sum) {
  for (std::int64_t y = 0; y < d.out_h; ++y) {
    const std::int16_t* from = d.padded + y * d.stride_h * d.padded_stride;
    std::int32_t* to = d.acc + y * d.out_w;
    std::int64_t x = 0;
    for (; x + kLanes <= d.out_w; x += kLanes) store(sum(from + 2 * x), to + x);
    if (x == d.out_w) continue;
    x = d.out_w - kLanes;  // The last vector overlaps the one before.
    store(sum(from + 2 * x), to + x);
  }
}

void sum_short_rows_of_stride_2(const IntDepthwise& d, [[maybe_unused]] const TapPairs& pairs) {
  for (std::int64_t y = 0; y < d.out_h; ++y) {
    std::int32_t* to = d.acc + y * d.out_w;
#if defined(__AVX2__)
    sum_some_neighbours(d.padded + y * d.stride_h * d.padded_stride, pairs, d.out_w, to);
#else
    for (std::int64_t x = 0; x < d.out_w; ++x) to[x] = sum_at(d, y, x);
#endif
  }
}

void sum_stride_2(const IntDepthwise& d) {
  if (is_three_by_three(d) && d.out_w >= kLanes) {
    const ThreeByThree taps(d);
    return sum_rows_of_stride_2(d, [&](const std::int16_t* from) { return taps.sum(from); });
  }
  TapPairs pairs;
  pair_neighbours(d, pairs);
  if (d.out_w < kLanes) return sum_short_rows_of_stride_2(d, pairs);
  sum_rows_of_stride_2(d, [&](const std::int16_t* from) { return sum_neighbours(from, pairs); });
}

#endif

}  // namespace

void int_depthwise(const IntDepthwise& d) {
  if (d.out_h <= 0 || d.out_w <= 0) return;
#if defined(__SSE2__)
  if (d.kernel_h * d.kernel_w <= kMaxPairs) {  // Pairs there are at most as many as taps.
    if (d.stride_w == 1) return sum_stride_1(d);
    if (d.stride_w == 2 && d.kernel_w >= 2) return sum_stride_2(d);
  }
#endif
  sum_each(d);
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
