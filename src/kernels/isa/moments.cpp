// moments.cpp: extremes and sums of float data in one pass.
//
// Cost: for each sixteen values two comparisons, two conversions to double, two additions and two fused ones in
// AVX-512. Sixteen sums side by side fix the order of additions for every register width; each is a chain, and with
// registers of eight doubles the latency of these chains, four cycles for sixteen values, is what binds.
#include "kernels/isa/lanes.hpp"
#include "kernels/isa/variant.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// A register of doubles, and as many floats.
constexpr int kWideLanes = kLanes == 16 ? 8 : 4;
#if !defined(__AVX512F__)
typedef float NarrowFloats __attribute__((vector_size(kWideLanes * sizeof(float))));
#endif
typedef double Doubles __attribute__((vector_size(kWideLanes * sizeof(double))));

constexpr std::int32_t kExponentBits = 0x7f800000;

// Small enough for the first-level cache.
constexpr std::int64_t kBlock = 512;

inline Doubles load_wide(const float* x) {
#if defined(__AVX512F__)
  // The compiler would widen halves and put them together, and warns of what the unmasked form leaves undefined.
  return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(x));
#else
  NarrowFloats narrow;
  __builtin_memcpy(&narrow, x, sizeof narrow);
  return __builtin_convertvector(narrow, Doubles);
#endif
}

// The square of a float32 value is exact in double, so a fused addition gives the bits of two operations.
inline Doubles add_square(Doubles x, Doubles sum) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(x, x, sum);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(x, x, sum);
#else
  return sum + x * x;
#endif
}

// Element i of a run is added to sum i % kNumSums, in order; at the end the sums
// are added pairwise. This fixes the order of every addition.
constexpr int kNumSums = 16;
constexpr int kNumParts = kNumSums / kWideLanes;

struct Sums {
  Doubles sum[kNumParts] = {};
  Doubles sum_of_squares[kNumParts] = {};

  // For kNumSums values, all finite.
  void add(const float* x) {
#pragma GCC unroll 8
    for (int part = 0; part < kNumParts; ++part) {
      const Doubles wide = load_wide(x + part * kWideLanes);
      sum[part] += wide;
      sum_of_squares[part] = add_square(wide, sum_of_squares[part]);
    }
  }
};

double pairwise(const Doubles (&parts)[kNumParts]) {
  double lanes[kNumSums];
  __builtin_memcpy(lanes, parts, sizeof lanes);
  double total = 0.0;
  for (int l = 0; l < kNumSums; l += 4) total += (lanes[l] + lanes[l + 2]) + (lanes[l + 1] + lanes[l + 3]);
  return total;
}

struct Extremes {
  Floats min = Floats{} + __builtin_inff();
  Floats max = Floats{} - __builtin_inff();
};

// Adds x[0, count), a multiple of kNumSums values, in one pass: the sums are chains of additions, beside which there is
// time for the rest. False, and nothing added, if one value is not finite.
bool add_block(const float* x, std::int64_t count, Extremes& extremes, Sums& sums) {
  Sums more = sums;
  Floats low = extremes.min;
  Floats high = extremes.max;
  Ints nonfinite = {};
  for (std::int64_t i = 0; i < count; i += kNumSums) {
#pragma GCC unroll 4
    for (int k = 0; k < kNumSums; k += kLanes) {
      Floats values;
      Ints bits;
      __builtin_memcpy(&values, x + i + k, sizeof values);
      __builtin_memcpy(&bits, x + i + k, sizeof bits);
      nonfinite |= (bits & kExponentBits) == kExponentBits;
      low = values < low ? values : low;
      high = values > high ? values : high;
    }
    more.add(x + i);
  }
  std::int64_t pairs[kLanes / 2];
  __builtin_memcpy(pairs, &nonfinite, sizeof pairs);
  std::int64_t any = 0;
  for (const std::int64_t pair : pairs) any |= pair;
  if (any != 0) return false;
  extremes = {low, high};
  sums = more;
  return true;
}

// One by one, what is not finite counted, and replaced by 0 in `finite`.
void add_finite_extremes(const float* x, std::int64_t count, FiniteSums& total, float* finite) {
  for (std::int64_t i = 0; i < count; ++i) {
    const bool is_finite = __builtin_isfinite(x[i]);
    finite[i] = is_finite ? x[i] : 0.0F;
    if (!is_finite) {
      ++total.num_nonfinite;
      continue;
    }
    if (x[i] < total.min) total.min = x[i];
    if (x[i] > total.max) total.max = x[i];
  }
}

}  // namespace

FiniteSums minmax_sum(const float* x, std::int64_t count) {
  FiniteSums total;
  total.count = count;
  Sums sums;
  Extremes extremes;
  for (std::int64_t begin = 0; begin < count;) {
    // Whole turns, and at the very end what does not fill one.
    const std::int64_t left = count - begin;
    const std::int64_t size = left >= kBlock ? kBlock : left < kNumSums ? left : left / kNumSums * kNumSums;
    const float* block = x + begin;
    begin += size;
    if (size >= kNumSums && add_block(block, size, extremes, sums)) continue;
    float finite[kBlock] = {};
    add_finite_extremes(block, size, total, finite);
    for (std::int64_t i = 0; i < size; i += kNumSums) sums.add(finite + i);
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    if (extremes.min[lane] < total.min) total.min = extremes.min[lane];
    if (extremes.max[lane] > total.max) total.max = extremes.max[lane];
  }
  total.sum = pairwise(sums.sum);
  total.sum_of_squares = pairwise(sums.sum_of_squares);
  return total;
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
