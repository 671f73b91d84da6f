// histogram.cpp: how many values lie in each bin.
//
// Cost: a multiplication, a conversion and an increment an element: the increments are scalar, since neighbours often
// meet in one bin, and bind at about one a cycle.
#if defined(__AVX2__)
#include <immintrin.h>

#include <array>
#endif

#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Whether leave_out() does.
#if defined(__AVX2__)
constexpr bool kCompresses = true;
#else
constexpr bool kCompresses = false;
#endif

// A register of doubles, and as many floats and integers.
constexpr int kWideLanes = kLanes == 16 ? 8 : 4;
typedef float NarrowFloats __attribute__((vector_size(kWideLanes * sizeof(float))));
typedef std::int32_t NarrowInts __attribute__((vector_size(kWideLanes * sizeof(std::int32_t))));
typedef double Doubles __attribute__((vector_size(kWideLanes * sizeof(double))));

// Small enough for the first-level cache.
constexpr std::int64_t kBlock = 512;
// Of blocks, of which one speaks for all.
constexpr std::int64_t kMostInGroup = 8;

// The bins dyadic_bin_counts() is asked for.
struct Bins {
  int log2_width;
  std::int64_t first;
  std::int64_t count;
};

// Puts the bin of x[0, size), counted from bins.first, into `found`;
// bins.count for what lies in no bin. Exact: float32 values have exponents in
// [-149, 127], so the scaled double neither overflows nor underflows, and
// scaling by a power of two never rounds.
void find_any_bins(const float* x, std::int64_t size, const Bins& bins, std::int32_t* found) {
  const double per_bin = __builtin_ldexp(1.0, -bins.log2_width);
  const Doubles begin = Doubles{} + static_cast<double>(bins.first);
  const Doubles end = Doubles{} + static_cast<double>(bins.first + bins.count);
  // 1.5 * 2^52: adding it rounds |t| < 2^51 to an integer, subtracting it is exact.
  constexpr double kRounder = 6755399441055744.0;
  for (std::int64_t i = 0; i < size; i += kWideLanes) {
    NarrowFloats narrow;
    __builtin_memcpy(&narrow, x + i, sizeof narrow);
    const Doubles t = __builtin_convertvector(narrow, Doubles) * per_bin;
    // Everything outside goes to `end`; NaN fails both comparisons.
    const Doubles not_above = t < end ? t : end;
    const Doubles kept = not_above >= begin ? not_above : end;
    const Doubles nearest = (kept + kRounder) - kRounder;
    const Doubles floor = nearest - (nearest > kept ? Doubles{} + 1.0 : Doubles{});
    const NarrowInts bin = __builtin_convertvector(floor - begin, NarrowInts);
    __builtin_memcpy(found + i, &bin, sizeof bin);
  }
}

// True if find_near_bins() serves: every edge is then a normal float or 0, and
// every bin number is exact in a float.
bool are_near(const Bins& bins) {
  constexpr std::int64_t kMaxBin = std::int64_t{1} << 22;
  return bins.log2_width >= -126 && bins.log2_width <= 104 && bins.first >= -kMaxBin &&
         bins.first + bins.count <= kMaxBin;
}

// Requires: the result is a normal float.
float power_of_two(int exponent) {
  const std::int32_t bits = (exponent + 127) << 23;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return power;
}

// find_any_bins() in float32 alone, with the same result.
void find_near_bins(const float* x, std::int64_t size, const Bins& bins, std::int32_t* found) {
  const float width = power_of_two(bins.log2_width);
  const float per_bin = power_of_two(-bins.log2_width);
  const Floats begin = Floats{} + static_cast<float>(bins.first) * width;
  const Floats end = Floats{} + static_cast<float>(bins.first + bins.count) * width;
  const auto first = static_cast<std::int32_t>(bins.first);
  for (std::int64_t i = 0; i < size; i += kLanes) {
    Floats values;
    __builtin_memcpy(&values, x + i, sizeof values);
    const Floats not_above = values < end ? values : end;
    const Floats kept = not_above >= begin ? not_above : end;
    // The product may underflow, but then it still truncates to 0; comparing
    // unscaled values, which is exact, tells whether that is the floor.
    const Ints truncated = __builtin_convertvector(kept * per_bin, Ints);
    const Ints is_above = __builtin_convertvector(truncated, Floats) * width > kept;
    const Ints bin = truncated + is_above - first;  // True is -1.
    __builtin_memcpy(found + i, &bin, sizeof bin);
  }
}

// Which blocks count, and how often each of their values does: one of each `one_in` neighbours, so many times.
struct Picked {
  std::int64_t one_in = 1;  // 1, 2, 4 or 8.
  std::uint64_t seed = 0;
  std::int64_t first_group = 0;  // Where x starts in the whole, in groups of one_in blocks.

  std::uint32_t weight() const { return static_cast<std::uint32_t>(one_in); }
  // In [0, one_in): as good as random, so that no period of the data meets one of the choice.
  std::int64_t block_of(std::int64_t group) const {
    std::uint64_t bits = (static_cast<std::uint64_t>(first_group + group) ^ seed) * 0x9e3779b97f4a7c15U;
    bits = (bits ^ (bits >> 32)) * 0x9e3779b97f4a7c15U;
    return static_cast<std::int64_t>((bits >> 32) * static_cast<std::uint64_t>(one_in) >> 32);
  }
};

// Calls f(bins of a block, size of the block) for the picked blocks of x in order. `found` is readable to a
// multiple of 16. Requires: if one_in is not 1, count is a multiple of one_in * kBlock.
template <class F>
void for_each_block(const float* x, std::int64_t count, const Bins& bins, const Picked& picked, F&& f) {
  std::int32_t found[kBlock];
  float last[kBlock] = {};
  const bool near = are_near(bins);
  const std::int64_t stride = picked.one_in * kBlock;
  for (std::int64_t begin = 0; begin < count; begin += stride) {
    const std::int64_t first = begin + picked.block_of(begin / stride) * kBlock;
    const std::int64_t size = count - first < kBlock ? count - first : kBlock;
    const float* block = x + first;
    if (size < kBlock) {
      for (std::int64_t i = 0; i < size; ++i) last[i] = block[i];
      block = last;
    }
    near ? find_near_bins(block, size, bins, found) : find_any_bins(block, size, bins, found);
    f(static_cast<const std::int32_t*>(found), size);
  }
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// By mask: which of eight lanes it has, one after the other, a byte each.
constexpr std::array<std::uint64_t, 256> lanes_of_masks() {
  std::array<std::uint64_t, 256> lanes = {};
  for (unsigned mask = 0; mask < 256; ++mask) {
    unsigned num_lanes = 0;
    for (unsigned lane = 0; lane < 8; ++lane) {
      if ((mask >> lane & 1U) != 0) lanes[mask] |= std::uint64_t{lane} << (8 * num_lanes++);
    }
  }
  return lanes;
}
constexpr std::array<std::uint64_t, 256> kLanesOfMask = lanes_of_masks();
#endif

// Leaves out of found[0, size) what equals `bin`; the rest, in order, goes to `kept`, which is as long. Returns how
// many are kept.
std::int64_t leave_out(std::int32_t bin, const std::int32_t* found, std::int64_t size, std::int32_t* kept) {
#if defined(__AVX2__)
  std::int64_t count = 0;
  std::int64_t i = 0;
#if defined(__AVX512F__)
  const __m512i left_out = _mm512_set1_epi32(bin);
  for (; i + kLanes <= size; i += kLanes) {
    const __m512i bins = _mm512_loadu_si512(found + i);
    const __mmask16 others = _mm512_cmpneq_epi32_mask(bins, left_out);
    _mm512_storeu_si512(kept + count, _mm512_maskz_compress_epi32(others, bins));
    count += __builtin_popcount(others);
  }
#else
  const __m256i left_out = _mm256_set1_epi32(bin);
  for (; i + kLanes <= size; i += kLanes) {
    const __m256i bins = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(found + i));
    const int equal = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(bins, left_out)));
    const auto others = static_cast<unsigned>(equal ^ 0xFF);
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(kLanesOfMask[others]));
    const __m256i packed = _mm256_permutevar8x32_epi32(bins, _mm256_cvtepu8_epi32(bytes));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(kept + count), packed);
    count += __builtin_popcount(others);
  }
#endif
  for (; i < size; ++i) {
    kept[count] = found[i];
    count += found[i] != bin ? 1 : 0;
  }
  return count;
#else
  for (std::int64_t i = 0; i < size; ++i) kept[i] = found[i];
  static_cast<void>(bin);
  return size;
#endif
}

// Neighbouring values often share a bin, and an addition to memory waits for the one
// before it: several sets of counters take turns. Narrow ones fit the first-level cache.
constexpr std::int64_t kMaxSetBins = 4096;
constexpr std::int64_t kSetSize = kMaxSetBins + 32;  // One more for what is left out; off the cache's stride.

template <int kNumSets>
void add_to_sets(const std::int32_t* found, std::int64_t size, std::uint16_t (&sets)[kNumSets][kSetSize]) {
  std::int64_t i = 0;
  for (; i + kNumSets <= size; i += kNumSets) {
#pragma GCC unroll 8
    for (int set = 0; set < kNumSets; ++set) ++sets[set][found[i + set]];
  }
  for (; i < size; ++i) ++sets[0][found[i]];
}

// So many values that no counter of 16 bits overflows: each set counts its share of whole blocks. Where zeros are left
// out, what fills no turn of the sets goes to set 0, at most kNumSets - 1 a block; it has room for that, because blocks
// with fewer than an eighth of zeros are counted whole from then on.
template <int kNumSets>
constexpr std::int64_t kSetChunk = 65535 * kNumSets / (kMostInGroup * kBlock) * (kMostInGroup * kBlock);

// Requires: count <= kSetChunk<kNumSets>.
template <int kNumSets>
std::int64_t count_in_sets(const float* x, std::int64_t count, const Bins& bins, const Picked& picked,
                           std::uint32_t* counts) {
  std::uint16_t sets[kNumSets][kSetSize];
  for (auto& set : sets) {
    for (std::int64_t bin = 0; bin <= bins.count; ++bin) set[bin] = 0;
  }
  // Relu leaves so many zeros that it pays to count them apart.
  const auto zero_bin = static_cast<std::int32_t>(-bins.first);
  bool has_zeros = kCompresses;
  std::uint32_t num_zeros = 0;
  for_each_block(x, count, bins, picked, [&](const std::int32_t* found, std::int64_t size) {
    if (!has_zeros) return add_to_sets(found, size, sets);
    std::int32_t others[kBlock + kLanes];
    const std::int64_t num_others = leave_out(zero_bin, found, size, others);
    num_zeros += static_cast<std::uint32_t>(size - num_others);
    has_zeros = num_others < size - size / 8;
    add_to_sets(others, num_others, sets);
  });
  if (num_zeros > 0) counts[zero_bin] += picked.weight() * num_zeros;
  std::int64_t num_outside = 0;
  for (const auto& set : sets) {
    for (std::int64_t bin = 0; bin < bins.count; ++bin) counts[bin] += picked.weight() * set[bin];
    num_outside += set[bins.count];
  }
  return num_outside;
}

template <int kNumSets>
std::int64_t count_in_chunks(const float* x, std::int64_t count, const Bins& bins, const Picked& picked,
                             std::uint32_t* counts) {
  std::int64_t num_outside = 0;
  for (std::int64_t begin = 0; begin < count; begin += kSetChunk<kNumSets>) {
    const std::int64_t left = count - begin;
    const std::int64_t size = left < kSetChunk<kNumSets> ? left : kSetChunk<kNumSets>;
    Picked here = picked;
    here.first_group = begin / (picked.one_in * kBlock);
    num_outside += count_in_sets<kNumSets>(x + begin, size, bins, here, counts);
  }
  return num_outside;
}

std::int64_t count_plainly(const float* x, std::int64_t count, const Bins& bins, const Picked& picked,
                           std::uint32_t* counts) {
  const auto limit = static_cast<std::int32_t>(bins.count);
  const bool has_zero_bin = bins.first <= 0 && bins.first > -bins.count;
  const std::int32_t zero_bin = has_zero_bin ? static_cast<std::int32_t>(-bins.first) : limit;
  std::int64_t num_outside = 0;
  for_each_block(x, count, bins, picked, [&](const std::int32_t* found, std::int64_t size) {
    std::int32_t others[kBlock + kLanes];
    const std::int64_t num_others = leave_out(zero_bin, found, size, others);
    if (has_zero_bin) {
      counts[zero_bin] += picked.weight() * static_cast<std::uint32_t>(size - num_others);
    } else {
      num_outside += size - num_others;
    }
    for (std::int64_t i = 0; i < num_others; ++i) {
      if (others[i] < limit) {
        counts[others[i]] += picked.weight();
      } else {
        ++num_outside;
      }
    }
  });
  return num_outside;
}

std::int64_t count_picked(const float* x, std::int64_t count, const Bins& bins, const Picked& picked,
                          std::uint32_t* counts) {
  // Clearing and adding up the sets must pay.
  const bool has_zero_bin = bins.first <= 0 && bins.first > -bins.count;
  const bool is_worth_it = count / picked.one_in >= 4 * bins.count;
  if (!has_zero_bin || bins.count > kMaxSetBins || !is_worth_it) return count_plainly(x, count, bins, picked, counts);
  return count_in_chunks<8>(x, count, bins, picked, counts);
}

}  // namespace

std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint32_t* counts) {
  return count_picked(x, count, {log2_width, first_bin, num_bins}, {}, counts);
}

std::int64_t dyadic_bin_counts_of_part(const float* x, std::int64_t count, std::int64_t one_in, std::uint64_t seed,
                                       int log2_width, std::int64_t first_bin, std::int64_t num_bins,
                                       std::uint32_t* counts) {
  const Bins bins{log2_width, first_bin, num_bins};
  const std::int64_t in_groups = count / (one_in * kBlock) * (one_in * kBlock);
  const std::int64_t num_outside = count_picked(x, in_groups, bins, {.one_in = one_in, .seed = seed}, counts);
  return one_in * num_outside + count_picked(x + in_groups, count - in_groups, bins, {}, counts);
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
