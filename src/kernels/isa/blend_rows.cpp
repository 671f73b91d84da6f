// blend_rows.cpp: weighted sums of two rows, rounded once.
//
// Cost: sums of 46 bits times a multiplier of 31 need 128 bits; in double they are two products, two additions, a
// product and the rounding of estimated_rows.hpp. Sums are exact, so is the product if the multiplier has few bits set:
// there halves are frequent, and are rounded as they come.
//
// Where input and output share a grid, as they mostly do, the factor is a power of two. With halves up, x86 then needs
// no 64 bits: the high and the low 16 bits of both rows, paired, are one vpmaddwd each, and the low sum only gives a
// carry. That is 13 instructions for a vector of int32, a third of what doubles take; pairing, 7 more, is shared by the
// rows between two rows of the input.
#include "kernels/isa/estimated_rows.hpp"
#include "kernels/isa/lanes.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using numerics::Rounding;

/// One row of a blend.
struct BlendRow {
  const std::int32_t* a;
  const std::int32_t* b;
  std::int32_t weight_a;
  std::int32_t weight_b;
  std::int64_t bias;
  numerics::FixedPoint factor;
};

std::int32_t exact_blend(const BlendRow& row, std::int64_t at, const CodeTarget& target) {
  const std::int64_t sum = std::int64_t{row.weight_a} * row.a[at] + std::int64_t{row.weight_b} * row.b[at];
  const WideInt product = static_cast<WideInt>(sum + row.bias) * row.factor.multiplier_q31;
  return onto_target(rounded_exactly(product, 31 + row.factor.right_shift, target.rounding), target);
}

/// A sum has 47 bits: with 5 more of the multiplier the product fits a double.
bool is_exact(numerics::FixedPoint factor) {
  return (static_cast<std::uint32_t>(factor.multiplier_q31) & ((std::uint32_t{1} << 26) - 1)) == 0;
}

// One rounding, 2^-53 of y.
constexpr double kBlendTolerance = 1.0 / (1 << 30);

template <class Q>
void blend_in_double(const BlendRow& row, std::int64_t count, const CodeTarget& target, Q* q) {
  const double factor = static_cast<double>(row.factor.multiplier_q31) * power_of_two(-31 - row.factor.right_shift);
  const auto weight_a = static_cast<double>(row.weight_a);
  const auto weight_b = static_cast<double>(row.weight_b);
  const auto bias = static_cast<double>(row.bias);
  const auto estimate = [=, a = row.a, b = row.b](std::int64_t at, int n, double* y) {
    const Padded<std::int32_t> some_a(a + at, n);
    const Padded<std::int32_t> some_b(b + at, n);
    for (int i = 0; i < kEstimateBlock; ++i) {
      const double sum =
          weight_a * static_cast<double>(some_a.values[i]) + weight_b * static_cast<double>(some_b.values[i]);
      y[i] = (sum + bias) * factor;
    }
  };
  if (!is_exact(row.factor)) {
    const auto exact = [&](std::int64_t at) { return exact_blend(row, at, target); };
    return estimated_row(count, kBlendTolerance, target, estimate, exact, q);
  }
  switch (target.rounding) {
    case Rounding::kHalfEven:
      return rounded_row<Rounding::kHalfEven>(count, target, estimate, q);
    case Rounding::kHalfAway:
      return rounded_row<Rounding::kHalfAway>(count, target, estimate, q);
    default:
      return rounded_row<Rounding::kHalfUp>(count, target, estimate, q);
  }
}

#if defined(__SSE2__)

typedef std::uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef std::int16_t Shorts __attribute__((vector_size(kLanes * 4)));
typedef std::int64_t Quads __attribute__((vector_size(kLanes * 4)));

// In each lane, the sum of both products of 16 signed bits.
inline Ints pair_products(Words pairs, Words weights) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(
      _mm512_madd_epi16(reinterpret_cast<__m512i>(pairs), reinterpret_cast<__m512i>(weights)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(
      _mm256_madd_epi16(reinterpret_cast<__m256i>(pairs), reinterpret_cast<__m256i>(weights)));
#else
  return reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(pairs), reinterpret_cast<__m128i>(weights)));
#endif
}

/// What every vector needs. Sum + bias + half = (high + constant_high) 2^16 + low + constant_low, where low stands 2^30
/// too low, its halves being signed.
struct ShiftedBlend {
  std::int32_t constant_high;
  std::int32_t constant_low;
  int shift;  ///< Less 16.
};

/// A power of two, 2^-shift, for which the sums below fit 32 bits.
bool is_shifted(const Blend& blend, Rounding rounding) {
  const int shift = 1 + blend.factor.right_shift;
  return blend.factor.multiplier_q31 == std::int32_t{1} << 30 && shift >= 17 && shift <= 46 &&
         (rounding == Rounding::kHalfUp || rounding == Rounding::kDoubling);
}

// |sum + bias| <= 2^46, half <= 2^45: divided by 2^16 they and their sum fit 32 bits.
ShiftedBlend shifted_blend(const Blend& blend) {
  const int shift = 1 + blend.factor.right_shift;
  const std::int64_t constant = (std::int64_t{1} << 30) + blend.bias + (std::int64_t{1} << (shift - 1));
  return {static_cast<std::int32_t>(constant >> 16), static_cast<std::int32_t>(constant & 0xFFFF), shift - 16};
}

/// The halves of kLanes elements of both rows, side by side.
struct Pairs {
  Words low;
  Words high;
};

inline Pairs load_pairs(const std::int32_t* a, const std::int32_t* b) {
  Words words_a;
  Words words_b;
  __builtin_memcpy(&words_a, a, sizeof words_a);
  __builtin_memcpy(&words_b, b, sizeof words_b);
  return {((words_a & 0xFFFFU) | (words_b << 16)) ^ 0x80008000U, (words_a >> 16) | (words_b & 0xFFFF0000U)};
}

inline Ints blended_steps(const Pairs& pairs, Words weights, const ShiftedBlend& k) {
  const Ints low = pair_products(pairs.low, weights) + k.constant_low;
  const Ints high = pair_products(pairs.high, weights) + k.constant_high;
  return (high + (low >> 16)) >> k.shift;
}

template <class V>
inline V limited(V v, V least, V most) {
  v = v < least ? least : v;
  return most < v ? most : v;
}

// Saturates to 16 bits.
inline Shorts pack_in_order(Ints a, Ints b) {
#if defined(__AVX512BW__)
  const auto packed =
      reinterpret_cast<Quads>(_mm512_packs_epi32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
  return reinterpret_cast<Shorts>(__builtin_shufflevector(packed, packed, 0, 2, 4, 6, 1, 3, 5, 7));
#elif defined(__AVX2__)
  const auto packed =
      reinterpret_cast<Quads>(_mm256_packs_epi32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
  return reinterpret_cast<Shorts>(__builtin_shufflevector(packed, packed, 0, 2, 1, 3));
#else
  return reinterpret_cast<Shorts>(_mm_packs_epi32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

/// The grid as 16-bit signed numbers: unsigned codes less 2^15, which `flip` undoes.
template <class Q>
struct ShortGrid {
  static constexpr bool kSigned = static_cast<Q>(-1) < Q{0};
  static constexpr std::int32_t kOffset = sizeof(Q) == 2 && !kSigned ? 32768 : 0;
  std::int32_t zero_point;
  Shorts least;
  Shorts most;

  explicit ShortGrid(const CodeTarget& target)
      : zero_point(target.zero_point - kOffset),
        least(static_cast<std::int16_t>(target.q_min - kOffset) - Shorts{}),
        most(static_cast<std::int16_t>(target.q_max - kOffset) - Shorts{}) {}

  // Codes of two vectors of steps.
  void store(Ints first, Ints second, Q* q) const {
    const Shorts codes = limited(pack_in_order(first + zero_point, second + zero_point), least, most);
    if constexpr (sizeof(Q) == 2) {
      const Shorts flipped = codes ^ static_cast<std::int16_t>(kOffset == 0 ? 0 : -32768);
      __builtin_memcpy(q, &flipped, sizeof flipped);
    } else {
      typedef Q Codes __attribute__((vector_size(2 * kLanes)));
      const Codes narrow = __builtin_convertvector(codes, Codes);
      __builtin_memcpy(q, &narrow, sizeof narrow);
    }
  }
};

constexpr std::int64_t kBlendStep = 2 * kLanes;

/// kBlendStep columns of all rows. q is none of the rows that are read.
template <class Q>
inline void blend_columns(const Blend& blend, std::int64_t at, std::int64_t count, const ShiftedBlend& k,
                          const ShortGrid<Q>& grid, Q* q) {
  const Pairs first = load_pairs(blend.a + at, blend.b + at);
  const Pairs second = load_pairs(blend.a + at + kLanes, blend.b + at + kLanes);
  const std::int32_t* weights = blend.weights;
  q += at;
  for (std::int64_t r = 0; r < blend.rows; ++r, weights += 2, q += count) {
    const Words both =
        (static_cast<std::uint32_t>(weights[0]) | static_cast<std::uint32_t>(weights[1]) << 16) - Words{};
    grid.store(blended_steps(first, both, k), blended_steps(second, both, k), q);
  }
}

// The last columns overlap those before. Requires count >= kBlendStep and weights below 2^15.
template <class Q>
void blend_by_shift(const Blend& blend, std::int64_t count, const CodeTarget& target, Q* q) {
  const ShiftedBlend k = shifted_blend(blend);
  const ShortGrid<Q> grid(target);
  for (std::int64_t i = 0; i + kBlendStep < count; i += kBlendStep) blend_columns(blend, i, count, k, grid, q);
  blend_columns(blend, count - kBlendStep, count, k, grid, q);
}

/// All rows of `blend`. A weight of 2^15 does not fit 16 signed bits: such a row blends one row with itself.
template <class Q>
void blend_shifted(const Blend& blend, std::int64_t count, const CodeTarget& target, Q* q) {
  const std::int32_t halves[2] = {1 << 14, 1 << 14};
  std::int64_t r = 0;
  while (r < blend.rows) {
    Blend some = blend;
    some.weights = blend.weights + 2 * r;
    some.rows = 1;
    if (some.weights[0] == 1 << 15 || some.weights[1] == 1 << 15) {
      if (some.weights[0] == 0) some.a = blend.b;
      some.b = some.a;
      some.weights = halves;
    } else {
      while (r + some.rows < blend.rows && some.weights[2 * some.rows] < 1 << 15 &&
             some.weights[2 * some.rows + 1] < 1 << 15) {
        ++some.rows;
      }
    }
    blend_by_shift(some, count, target, q + r * count);
    r += some.rows;
  }
}

#endif

template <class Q>
void blend_each(const Blend& blend, std::int64_t count, const CodeTarget& target, Q* q) {
  for (std::int64_t r = 0; r < blend.rows; ++r) {
    const BlendRow row = {blend.a, blend.b, blend.weights[2 * r], blend.weights[2 * r + 1], blend.bias, blend.factor};
    blend_in_double(row, count, target, q + r * count);
  }
}

}  // namespace

void blend_rows(const Blend& blend, std::int64_t count, const CodeTarget& target, void* q) {
#if defined(__SSE2__)
  if (count >= kBlendStep && is_shifted(blend, target.rounding)) {
    return visit_codes(target.dtype, [&]<class Q>(Q*) { blend_shifted(blend, count, target, static_cast<Q*>(q)); });
  }
#endif
  visit_codes(target.dtype, [&]<class Q>(Q*) { blend_each(blend, count, target, static_cast<Q*>(q)); });
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
