// vector_math.hpp: elementary functions of float32 that compilers vectorise, and the loop that applies them.
//
// Each function is straight-line arithmetic without calls or table look-ups, so
// that a loop over it becomes SIMD code. Coefficients were fitted for this
// project (Lawson-weighted least squares, rounded to float32); the stated bounds
// are those that vector_math_test.cpp checks against double libm. NaN gives NaN.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/exp_terms.hpp"

namespace halfstep::ops::vector_math {

/// condition ? a : b, without a branch: with floating-point traps observable, as
/// C++ has it, compilers hesitate to turn a float `?:` into a blend.
inline float select(bool condition, float a, float b) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(condition);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) | (std::bit_cast<std::uint32_t>(b) & ~mask));
}

/// The smaller of x and bound; NaN stays.
inline float at_most(float x, float bound) { return select(x > bound, bound, x); }
/// The larger of x and bound; NaN stays.
inline float at_least(float x, float bound) { return select(x < bound, bound, x); }

namespace detail {

inline constexpr std::uint32_t kSignBit = 0x80000000U;
using kernels::kLn2High;
using kernels::kLn2Low;

inline float abs(float x) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & ~kSignBit); }

inline float with_sign_of(float magnitude, float x) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | (std::bit_cast<std::uint32_t>(x) & kSignBit));
}

/// x = n ln 2 + r with |r| <= 0.347: n, and expm1(r) with relative error 2e-8
/// before rounding. Requires |x| < 2^13 or NaN.
struct ExpParts {
  std::int32_t n;
  float expm1_r;
};
inline ExpParts exp_parts(float x) {
  const float shifted = x * kernels::kLog2OfE + kernels::kToInteger;
  const float n = shifted - kernels::kToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float q = kernels::kExpTerms[0];
  q = q * r + kernels::kExpTerms[1];
  q = q * r + kernels::kExpTerms[2];
  q = q * r + kernels::kExpTerms[3];
  q = q * r + kernels::kExpTerms[4];
  const std::uint32_t n_bits =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kernels::kToInteger);
  return {static_cast<std::int32_t>(n_bits), r + r * r * q};
}

/// 2^n. Requires -126 <= n <= 127 (other n give some float).
inline float power_of_two(std::int32_t n) { return std::bit_cast<float>((static_cast<std::uint32_t>(n) + 127U) << 23); }

/// (atanh(s) / s - 1) / z at z = s * s, for 0 <= z <= 1/9.
inline float atanh_tail(float z) {
  float p = 0.12153402F;
  p = p * z + 0.107131124F;
  p = p * z + 0.143085018F;
  p = p * z + 0.19999437F;
  return p * z + 0.333333373F;
}

/// exp(x) - 1 for x <= 60 (larger x give expm1(60)); at most 2 ulp off.
inline float expm1_to_60(float x) {
  x = at_most(x, 60.0F);
  x = at_least(x, -20.0F);
  const ExpParts parts = exp_parts(x);
  const float scale = power_of_two(parts.n);
  return scale * parts.expm1_r + (scale - 1.0F);
}

/// erfc(a) where square_factor * root^2 = a^2 and square_factor is a power of
/// two: the exponent is taken from `root`, so that no rounding of a itself is
/// amplified. Requires a >= 0, |root| <= 16 or NaN. Relative error 5e-7.
inline float erfc_of(float a, float root, float square_factor) {
  const float t = 1.0F / (1.0F + 0.4F * a);
  float p = -0.0292061549F;
  p = p * t + 0.195904762F;
  p = p * t + -0.493853092F;
  p = p * t + 0.540822923F;
  p = p * t + -0.278867394F;
  p = p * t + 0.269114941F;
  p = p * t + 0.13069953F;
  p = p * t + 0.214700654F;
  p = p * t + 0.224978298F;
  p = p * t + 0.225705564F;
  // The square in two parts: `high` has 12 significant bits, so its square is exact.
  const float high = std::bit_cast<float>(std::bit_cast<std::uint32_t>(root) & 0xFFFFF000U);
  const float square_high = high * high * square_factor;
  const float square_rest = (root - high) * (root + high) * square_factor;
  const float square = square_high + square_rest;
  const float square_error = (square_high - square) + square_rest;
  const ExpParts parts = exp_parts(-square);
  const std::int32_t half = parts.n >> 1;
  const float tail = (t * p) * (1.0F - square_error) * (1.0F + parts.expm1_r);
  return tail * power_of_two(half) * power_of_two(parts.n - half);
}

}  // namespace detail

/// e^x; at most 2 ulp off, subnormal results included. Overflows to infinity.
inline float exp(float x) {
  x = at_most(x, 89.0F);     // e^89 is infinite,
  x = at_least(x, -104.0F);  // e^-104 is 0 after rounding.
  const detail::ExpParts parts = detail::exp_parts(x);
  const std::int32_t half = parts.n >> 1;  // 2^n itself may be out of range; its halves are not.
  return (1.0F + parts.expm1_r) * detail::power_of_two(half) * detail::power_of_two(parts.n - half);
}

/// Natural logarithm; at most 2 ulp off. log(0) = -infinity, log(x < 0) = NaN.
inline float log(float x) {
  constexpr std::uint32_t kSqrtHalfBits = 0x3F3504F3U;
  const bool subnormal = x < std::numeric_limits<float>::min();
  const float scaled = x * select(subnormal, 8388608.0F, 1.0F);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled) - kSqrtHalfBits;
  const std::int32_t exponent = (static_cast<std::int32_t>(bits) >> 23) - 23 * static_cast<std::int32_t>(subnormal);
  const float mantissa = std::bit_cast<float>((bits & 0x007FFFFFU) + kSqrtHalfBits);  // In [sqrt 1/2, sqrt 2).
  const float n = static_cast<float>(exponent);
  const float f = mantissa - 1.0F;
  const float s = f / (2.0F + f);
  const float z = s * s;
  const float r = 2.0F * z * detail::atanh_tail(z);
  const float half_square = 0.5F * f * f;
  // log(1 + f) = f - f^2/2 + s (f^2/2 + r), small terms first.
  const float finite = n * detail::kLn2High - ((half_square - (s * (half_square + r) + n * detail::kLn2Low)) - f);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float positive = select(x < kInfinity, finite, x);  // Infinity and NaN stay.
  const float not_negative = select(x == 0.0F, -kInfinity, positive);
  return select(x < 0.0F, std::numeric_limits<float>::quiet_NaN(), not_negative);
}

namespace detail {

/// e^x for x <= 0 or NaN, to the same bits as exp(x). As the result is no larger than 1, its power of two may be
/// applied in one piece, 2^64 too large; the last multiplication rounds to a subnormal where the result is one.
inline float exp_of_negative(float x) {
  x = x < -104.0F ? -104.0F : x;
  const ExpParts parts = exp_parts(x);
  return (1.0F + parts.expm1_r) * power_of_two(parts.n + 64) * 0x1p-64F;
}

}  // namespace detail

/// 1 / (1 + e^-x); relative error 4e-7 down to the smallest results.
inline float sigmoid(float x) {
  const float e = detail::exp_of_negative(-detail::abs(x));
  const float numerator = select(x >= 0.0F, 1.0F, e);
  return numerator / (1.0F + e);
}

/// Hyperbolic tangent; relative error 4e-7. Keeps the sign of zero.
inline float tanh(float x) {
  const float a = at_most(detail::abs(x), 10.0F);  // tanh(10) is 1 after rounding.
  const float t = detail::expm1_to_60(2.0F * a);
  return detail::with_sign_of(t / (t + 2.0F), x);
}

/// Error function; at most 3e-7 off, relative. Keeps the sign of zero.
inline float erf(float x) {
  const float a = detail::abs(x);
  const float z = a * a;
  float p = 7.85385782e-05F;
  p = p * z + -0.000801019254F;
  p = p * z + 0.00518832775F;
  p = p * z + -0.026853811F;
  p = p * z + 0.112835854F;
  p = p * z + -0.37612626F;
  p = p * z + 1.12837911F;
  const float clamped = at_most(a, 5.0F);  // erf(5) is 1 after rounding.
  const float large = detail::with_sign_of(1.0F - detail::erfc_of(clamped, clamped, 1.0F), x);
  return select(a < 1.0F, x * p, large);
}

/// x * Phi(x), Phi the normal distribution; relative error 1e-6 while |x| <= 13,
/// beyond which the result is 0 or x to float32.
inline float gelu(float x) {
  const float a = at_most(detail::abs(x), 15.0F);
  const float tail = 0.5F * detail::erfc_of(a * 0.707106781F, a, 0.5F);
  return x * select(x < 0.0F, tail, 1.0F - tail);
}

/// Gelu by the tanh formula: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
inline float gelu_tanh(float x) {
  // (1 + tanh y) / 2 is sigmoid(2 y), without the cancellation.
  return x * sigmoid(1.59576912F * (x + 0.044715F * x * x * x));
}

/// log(1 + e^x); relative error 4e-7.
inline float softplus(float x) {
  const float e = exp(-detail::abs(x));
  const float s = e / (2.0F + e);
  const float z = s * s;
  const float log1p = 2.0F * s + 2.0F * s * z * detail::atanh_tail(z);
  return at_least(x, 0.0F) + log1p;
}

/// x * tanh(softplus(x)); relative error 6e-7.
inline float mish(float x) {
  const float e = exp(at_most(x, 20.0F));
  const float w = e * (e + 2.0F);  // tanh(log(1 + e)) = w / (w + 2), which is 1 beyond 20.
  return x * (w / (w + 2.0F));
}

/// Elements that one step of apply() handles: four AVX2 registers, or two of AVX-512.
inline constexpr std::int64_t kBlock = 32;

#if defined(__clang__)  // Its pragma is an error where it vectorises nothing.
#define HALFSTEP_NO_LOOP_DEPENDENCE
#else
#define HALFSTEP_NO_LOOP_DEPENDENCE _Pragma("GCC ivdep")
#endif

namespace detail {

// The output may be an input, but no element of it another element of that: nothing for the compiler to check.
// Force-inlined into functions of different targets.
template <class F>
[[gnu::always_inline]] inline void apply_blocks(const float* x, float* y, std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    HALFSTEP_NO_LOOP_DEPENDENCE
    for (std::int64_t k = 0; k < kBlock; ++k) y[i + k] = f(x[i + k]);
  }
  // At most one block is left; the second condition tells the compiler so.
  for (std::int64_t k = 0; k < kBlock && i < count; ++k, ++i) y[i] = f(x[i]);
}

template <class FA, class FB, class F>
[[gnu::always_inline]] inline void apply_blocks2(FA a, FB b, float* y, std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    HALFSTEP_NO_LOOP_DEPENDENCE
    for (std::int64_t k = 0; k < kBlock; ++k) y[i + k] = f(a(i + k), b(i + k));
  }
  for (std::int64_t k = 0; k < kBlock && i < count; ++k, ++i) y[i] = f(a(i), b(i));
}

#undef HALFSTEP_NO_LOOP_DEPENDENCE

#if defined(__x86_64__) && defined(__GNUC__)
#define HALFSTEP_AVX512 "avx512f,avx512bw,avx512dq,avx512vl"
template <class F>
[[gnu::target(HALFSTEP_AVX512), gnu::flatten]] void apply_avx512(const float* x, float* y, std::int64_t count,
                                                                 const F& f) {
  apply_blocks(x, y, count, f);
}
template <class FA, class FB, class F>
[[gnu::target(HALFSTEP_AVX512), gnu::flatten]] void apply2_avx512(FA a, FB b, float* y, std::int64_t count,
                                                                  const F& f) {
  apply_blocks2(a, b, y, count, f);
}
#undef HALFSTEP_AVX512
template <class F>
[[gnu::target("avx2"), gnu::flatten]] void apply_avx2(const float* x, float* y, std::int64_t count, const F& f) {
  apply_blocks(x, y, count, f);
}
template <class FA, class FB, class F>
[[gnu::target("avx2"), gnu::flatten]] void apply2_avx2(FA a, FB b, float* y, std::int64_t count, const F& f) {
  apply_blocks2(a, b, y, count, f);
}
#endif

/// kernels::active_isa() is AVX2 or better.
bool has_avx2();
/// It is AVX-512.
bool has_avx512();

}  // namespace detail

/// y[i] = f(x[i]) for i in [0, count). y may be x. The same float operations
/// whatever the instruction set: no contraction, so the same results.
template <class F>
void apply(const float* x, float* y, std::int64_t count, const F& f) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (detail::has_avx512()) return detail::apply_avx512(x, y, count, f);
  if (detail::has_avx2()) return detail::apply_avx2(x, y, count, f);
#endif
  detail::apply_blocks(x, y, count, f);
}

/// y[i] = f(a(i), b(i)) for i in [0, count), where a and b are accessors such
/// as Stream and Same. y may be an operand that is read at the same index.
template <class FA, class FB, class F>
void apply2(FA a, FB b, float* y, std::int64_t count, const F& f) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (detail::has_avx512()) return detail::apply2_avx512(a, b, y, count, f);
  if (detail::has_avx2()) return detail::apply2_avx2(a, b, y, count, f);
#endif
  detail::apply_blocks2(a, b, y, count, f);
}

/// The i-th value of an array.
struct Stream {
  const float* values;
  float operator()(std::int64_t i) const { return values[i]; }
};
/// One value for every i.
struct Same {
  float value;
  float operator()(std::int64_t) const { return value; }
};

/// y = f(x) over `count` contiguous values, compiled once. y may be x.
void exp(const float* x, float* y, std::int64_t count);
void sigmoid(const float* x, float* y, std::int64_t count);
void tanh(const float* x, float* y, std::int64_t count);

}  // namespace halfstep::ops::vector_math
