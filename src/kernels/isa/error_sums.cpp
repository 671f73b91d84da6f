// error_sums.cpp: squares, products and differences of two tensors in one pass.
//
// Cost: for eight pairs in AVX-512 two conversions to double, three fused additions, a difference and its square,
// the sum of these and the largest size: 9 operations. Each sum is a chain, though, and the latency of a fused
// addition, four cycles, binds as long as both tensors come from the second-level cache; two tensors beside one
// reference are two sets of chains at once and cost little more than one. Products of two float32 values are exact in
// double, so a fused addition gives the bits of a multiplication and an addition, and processors without it the same
// ones; the square of a difference is rounded, and so is never fused.
#include "kernels/isa/variant.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
constexpr int kParts = ErrorLanes::kCount / kLanes;
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));
#if !defined(__AVX512F__)
typedef std::int64_t Integers __attribute__((vector_size(kLanes * sizeof(std::int64_t))));
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
#endif

// a * b + sum. Requires: the product is exact.
inline Doubles add_product(Doubles a, Doubles b, Doubles sum) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, sum);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, sum);
#else
  return a * b + sum;
#endif
}

// The compiler would widen halves and put them together, and warns of what the unmasked form leaves undefined.
inline Doubles load_wide(const float* x) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(x));
#else
  Floats narrow;
  __builtin_memcpy(&narrow, x, sizeof narrow);
  return __builtin_convertvector(narrow, Doubles);
#endif
}

// The larger of |x| and `most`, which is no NaN; `most` if x is one.
inline Doubles larger(Doubles x, Doubles most) {
#if defined(__AVX512F__)
  return _mm512_maskz_range_pd(0xff, x, most, 0xb);  // The larger size of the two, without its sign.
#else
  constexpr std::int64_t kAllButSign = 0x7fffffffffffffff;
  const Doubles size = reinterpret_cast<Doubles>(reinterpret_cast<Integers>(x) & kAllButSign);
#if defined(__AVX2__)
  return _mm256_max_pd(size, most);
#else
  return size > most ? size : most;
#endif
#endif
}

// Lanes in registers.
struct Sums {
  Doubles reference_squared[kParts];
  Doubles other_squared[kParts];
  Doubles product[kParts];
  Doubles error_squared[kParts];
  Doubles max_abs_error[kParts];

  void add(int part, Doubles r, Doubles o) {
    reference_squared[part] = add_product(r, r, reference_squared[part]);
    add_other(part, r, o);
  }

  void add_other(int part, Doubles r, Doubles o) {
    const Doubles error = o - r;
    other_squared[part] = add_product(o, o, other_squared[part]);
    product[part] = add_product(r, o, product[part]);
    error_squared[part] += error * error;
    max_abs_error[part] = larger(error, max_abs_error[part]);
  }

  // For ErrorLanes::kCount pairs.
  void add(const float* reference, const float* other) {
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) {
      add(part, load_wide(reference + part * kLanes), load_wide(other + part * kLanes));
    }
  }
};

static_assert(sizeof(Sums) == sizeof(ErrorLanes));

}  // namespace

void add_errors(const float* reference, const float* other, std::int64_t count, ErrorLanes& lanes) {
  constexpr std::int64_t kStep = ErrorLanes::kCount;
  Sums sums;
  __builtin_memcpy(&sums, &lanes, sizeof sums);
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) sums.add(reference + i, other + i);
  if (i < count) {
    // Pairs of zeros add nothing.
    float last_reference[kStep] = {};
    float last_other[kStep] = {};
    for (std::int64_t k = 0; k < count - i; ++k) {
      last_reference[k] = reference[i + k];
      last_other[k] = other[i + k];
    }
    sums.add(last_reference, last_other);
  }
  __builtin_memcpy(static_cast<void*>(&lanes), &sums, sizeof sums);
}

void add_errors_of_two(const float* reference, const float* first, const float* second, std::int64_t count,
                       ErrorLanes& first_lanes, ErrorLanes& second_lanes) {
  std::int64_t done = 0;
#if defined(__AVX512F__)
  Sums first_sums;
  Sums second_sums;
  __builtin_memcpy(&first_sums, &first_lanes, sizeof first_sums);
  __builtin_memcpy(&second_sums, &second_lanes, sizeof second_sums);
  for (; done + kLanes <= count; done += kLanes) {
    const Doubles r = load_wide(reference + done);
    first_sums.add(0, r, load_wide(first + done));
    second_sums.add_other(0, r, load_wide(second + done));
  }
  second_sums.reference_squared[0] = first_sums.reference_squared[0];
  __builtin_memcpy(static_cast<void*>(&first_lanes), &first_sums, sizeof first_sums);
  __builtin_memcpy(static_cast<void*>(&second_lanes), &second_sums, sizeof second_sums);
#endif
  HALFSTEP_ISA::add_errors(reference + done, first + done, count - done, first_lanes);
  HALFSTEP_ISA::add_errors(reference + done, second + done, count - done, second_lanes);
}

std::int64_t count_outside(const float* x, std::int64_t count, float lowest, float highest) {
  // Short counters fill whole vectors; a block is as long as they can count.
  constexpr std::int64_t kBlock = std::int64_t{1} << 30;
  std::int64_t outside = 0;
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t size = count - begin < kBlock ? count - begin : kBlock;
    std::int32_t inside = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      const float value = x[begin + i];
      inside += static_cast<std::int32_t>(value >= lowest) & static_cast<std::int32_t>(value <= highest);
    }
    outside += size - inside;
  }
  return outside;
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
