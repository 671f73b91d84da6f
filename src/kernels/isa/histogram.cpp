// histogram.cpp: one-pass statistics of float data.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

// Vectors of the compiler, split to the registers there are where necessary.
// Their arithmetic is element by element, so the result does not depend on that.
constexpr int kLanes = 4;
constexpr int kNumAccumulators = 4;
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t Ints __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

constexpr std::int32_t kExponentBits = 0x7f800000;

Floats spread(float value) { return Floats{} + value; }

// Lane l of accumulator `a` takes the elements i with i % 16 == 4 * a + l, in
// order; at the end lanes are added pairwise. This fixes the order of every sum.
struct Accumulator {
  Floats min = spread(__builtin_inff());
  Floats max = spread(-__builtin_inff());
  Doubles sum = {};
  Doubles sum_of_squares = {};
  Ints nonfinite = {};

  inline void add(const float* x) {
    Floats values;
    Ints bits;
    __builtin_memcpy(&values, x, sizeof values);
    __builtin_memcpy(&bits, x, sizeof bits);
    const Ints is_nonfinite = (bits & kExponentBits) == kExponentBits;
    const Ints kept_bits = bits & ~is_nonfinite;
    Floats kept;
    __builtin_memcpy(&kept, &kept_bits, sizeof kept);
    const Floats low = is_nonfinite ? min : values;
    const Floats high = is_nonfinite ? max : values;
    min = low < min ? low : min;
    max = high > max ? high : max;
    const Doubles wide = __builtin_convertvector(kept, Doubles);
    sum += wide;
    sum_of_squares += wide * wide;
    nonfinite -= is_nonfinite;
  }
};

double pairwise(const Doubles& v) { return (v[0] + v[2]) + (v[1] + v[3]); }

void merge(const Accumulator& part, Moments& total) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (part.min[lane] < total.min) total.min = part.min[lane];
    if (part.max[lane] > total.max) total.max = part.max[lane];
    total.num_nonfinite += part.nonfinite[lane];
  }
  total.sum += pairwise(part.sum);
  total.sum_of_squares += pairwise(part.sum_of_squares);
}

}  // namespace

Moments minmax_sum(const float* x, std::int64_t count) {
  Moments total;
  total.count = count;
  // The lane counters of non-finite values are 32 bits wide: merge before they fill.
  constexpr std::int64_t kChunk = std::int64_t{1} << 30;
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t end = count - begin < kChunk ? count : begin + kChunk;
    Accumulator parts[kNumAccumulators];
    std::int64_t i = begin;
    for (; i + kNumAccumulators * kLanes <= end; i += kNumAccumulators * kLanes) {
      parts[0].add(x + i);
      parts[1].add(x + i + kLanes);
      parts[2].add(x + i + 2 * kLanes);
      parts[3].add(x + i + 3 * kLanes);
    }
    for (const Accumulator& part : parts) merge(part, total);
    for (; i < end; ++i) {
      if (!__builtin_isfinite(x[i])) {
        ++total.num_nonfinite;
        continue;
      }
      if (x[i] < total.min) total.min = x[i];
      if (x[i] > total.max) total.max = x[i];
      const double wide = x[i];
      total.sum += wide;
      total.sum_of_squares += wide * wide;
    }
  }
  return total;
}

std::int64_t dyadic_bin_counts(const float* x, std::int64_t count, int log2_width, std::int64_t first_bin,
                               std::int64_t num_bins, std::uint64_t* counts) {
  // Exact: float32 values have exponents in [-149, 127], so the scaled double
  // neither overflows nor underflows, and scaling by a power of two never rounds.
  const double per_bin = __builtin_ldexp(1.0, -log2_width);
  const Doubles begin = Doubles{} + static_cast<double>(first_bin);
  const Doubles end = Doubles{} + static_cast<double>(first_bin + num_bins);
  // 1.5 * 2^52: adding it rounds |t| < 2^51 to an integer, subtracting it is exact.
  constexpr double kRounder = 6755399441055744.0;
  constexpr std::int64_t kBlock = 512;
  std::int32_t bins[kBlock];
  float last_values[kLanes] = {};
  const auto limit = static_cast<std::int32_t>(num_bins);
  std::int64_t num_inside = 0;
  for (std::int64_t first = 0; first < count; first += kBlock) {
    const std::int64_t size = count - first < kBlock ? count - first : kBlock;
    for (std::int64_t i = 0; i < size; i += kLanes) {
      const float* values = x + first + i;
      if (size - i < kLanes) {
        for (std::int64_t l = 0; l < size - i; ++l) last_values[l] = values[l];
        values = last_values;
      }
      Floats narrow;
      __builtin_memcpy(&narrow, values, sizeof narrow);
      const Doubles t = __builtin_convertvector(narrow, Doubles) * per_bin;
      // Everything outside goes to `end`; NaN fails both comparisons.
      const Doubles not_above = t < end ? t : end;
      const Doubles kept = not_above >= begin ? not_above : end;
      const Doubles nearest = (kept + kRounder) - kRounder;
      const Doubles floor = nearest - (nearest > kept ? Doubles{} + 1.0 : Doubles{});
      const Ints bin = __builtin_convertvector(floor - begin, Ints);
      __builtin_memcpy(bins + i, &bin, sizeof bin);
    }
    for (std::int64_t i = 0; i < size; ++i) {
      if (bins[i] < limit) {
        ++counts[bins[i]];
        ++num_inside;
      }
    }
  }
  return count - num_inside;
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
