// estimated_rows.hpp: rounding of wide rational numbers by estimates that are proved right, element by element.
//
// Let v be the exact number, y a double with |y - v| <= t, n the integer next to y and d = y - n. If |d| < 1/2 - t,
// then n - 1/2 < v < n + 1/2: n is v rounded to nearest, whatever the rule for halves and whatever roundings went into
// y. Only elements with |d| >= 1/2 - t, a share of 2 t of all, need v itself. Limits are integers, so limiting y first
// changes neither: if y is beyond one, v rounds to it or beyond.
//
// Where y is v (t = 0), halves are seen and go where the rule says.
//
// Cost: a double has half the lanes of an int32, but three of its instructions stand for a 128-bit product and its
// rounding shift, which take about ten and no vectors at all.
#pragma once

#include "kernels/isa/requantize_each.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

__extension__ typedef unsigned __int128 WideUint;
__extension__ typedef __int128 WideInt;

/// Elements that are settled together: if one is too near to a tie, all are computed exactly.
constexpr int kEstimateBlock = 32;

/// 2^power for |power| <= 1000.
static inline double power_of_two(int power) {
  const std::uint64_t bits = static_cast<std::uint64_t>(1023 + power) << 52;
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/// x / 2^shift, halves by `rounding`, kDoubling as kHalfUp. 0 <= shift <= 126.
static inline WideInt rounded_exactly(WideInt x, int shift, numerics::Rounding rounding) {
  return shift_right(x, shift, rounding == numerics::Rounding::kDoubling ? numerics::Rounding::kHalfUp : rounding);
}

/// steps on the grid.
static inline std::int32_t onto_target(WideInt steps, const CodeTarget& target) {
  return static_cast<std::int32_t>(clamp<WideInt>(steps + target.zero_point, target.q_min, target.q_max));
}

constexpr double kRoundingMagic = 6755399441055744.0;  // 1.5 * 2^52: no fractional bits are left, halves went to even.

/// Codes of kEstimateBlock estimates; false if one is within `tolerance` of a tie.
template <class Q>
static bool settle_block(const double* y, double tolerance, const CodeTarget& target, Q* codes) {
  const auto low = static_cast<double>(target.q_min - target.zero_point);
  const auto high = static_cast<double>(target.q_max - target.zero_point);
  const std::int32_t zero_point = target.zero_point;
  // As integers, which order like the numbers they are the bits of: that needs no masks, and vectors on every machine.
  const double most = tolerance < 0.5 ? 0.5 - tolerance : 0.0;
  std::int64_t most_bits;
  __builtin_memcpy(&most_bits, &most, sizeof most_bits);
  std::int64_t near_ties = 0;  // Its sign is set once a rest is not below `most`.
  for (int i = 0; i < kEstimateBlock; ++i) {
    double steps = y[i] < low ? low : y[i];
    steps = high < steps ? high : steps;
    const double nearest = (steps + kRoundingMagic) - kRoundingMagic;
    const double rest = steps - nearest;
    std::int64_t rest_bits;
    __builtin_memcpy(&rest_bits, &rest, sizeof rest_bits);
    near_ties |= most_bits - 1 - (rest_bits & 0x7FFFFFFFFFFFFFFF);
    codes[i] = static_cast<Q>(static_cast<std::int32_t>(nearest) + zero_point);
  }
  return near_ties >= 0;
}

/// The same where every y is exact; halves by kRounding.
template <numerics::Rounding kRounding, class Q>
static void round_block(const double* y, const CodeTarget& target, Q* codes) {
  const auto low = static_cast<double>(target.q_min - target.zero_point);
  const auto high = static_cast<double>(target.q_max - target.zero_point);
  const std::int32_t zero_point = target.zero_point;
  for (int i = 0; i < kEstimateBlock; ++i) {
    double steps = y[i] < low ? low : y[i];
    steps = high < steps ? high : steps;
    double nearest = (steps + kRoundingMagic) - kRoundingMagic;
    if constexpr (kRounding == numerics::Rounding::kHalfUp) {
      nearest += steps - nearest == 0.5 ? 1.0 : 0.0;
    } else if constexpr (kRounding == numerics::Rounding::kHalfAway) {
      // Rounded towards zero: the rest has the sign of the number.
      const double rest = steps - nearest;
      nearest += rest == 0.5 && steps > 0.0 ? 1.0 : 0.0;
      nearest -= rest == -0.5 && steps < 0.0 ? 1.0 : 0.0;
    }
    codes[i] = static_cast<Q>(static_cast<std::int32_t>(nearest) + zero_point);
  }
}

namespace {  // Or its constructors were symbols that all instruction sets share.

/// kEstimateBlock elements, those behind the row's end 0.
template <class T>
struct Padded {
  const T* values;
  alignas(64) T copy[kEstimateBlock];  // Of a block that is not whole.

  Padded(const T* from, int n) : values(from) {
    if (n == kEstimateBlock) return;
    __builtin_memset(copy, 0, sizeof copy);
    __builtin_memcpy(copy, from, static_cast<std::size_t>(n) * sizeof(T));
    values = copy;
  }
  Padded(const Padded&) = delete;
  Padded& operator=(const Padded&) = delete;
};

}  // namespace

/// `count` codes. estimate(at, n, y) writes the estimates of elements [at, at + n) and anything finite behind them,
/// kEstimateBlock in all; exact(at) is the code of one element. Both see what they read as it was before any code of
/// their block was stored.
template <class Q, class Estimate, class Exact>
static void estimated_row(std::int64_t count, double tolerance, const CodeTarget& target, const Estimate& estimate,
                          const Exact& exact, Q* q) {
  alignas(64) double y[kEstimateBlock];
  alignas(64) Q codes[kEstimateBlock];
  for (std::int64_t at = 0; at < count; at += kEstimateBlock) {
    const int n = count - at < kEstimateBlock ? static_cast<int>(count - at) : kEstimateBlock;
    estimate(at, n, y);
    if (!settle_block(y, tolerance, target, codes)) {
      for (int i = 0; i < n; ++i) codes[i] = static_cast<Q>(exact(at + i));
    }
    __builtin_memcpy(q + at, codes, static_cast<std::size_t>(n) * sizeof(Q));
  }
}

/// The same where the estimates are exact.
template <numerics::Rounding kRounding, class Q, class Estimate>
static void rounded_row(std::int64_t count, const CodeTarget& target, const Estimate& estimate, Q* q) {
  alignas(64) double y[kEstimateBlock];
  alignas(64) Q codes[kEstimateBlock];
  for (std::int64_t at = 0; at < count; at += kEstimateBlock) {
    const int n = count - at < kEstimateBlock ? static_cast<int>(count - at) : kEstimateBlock;
    estimate(at, n, y);
    round_block<kRounding>(y, target, codes);
    __builtin_memcpy(q + at, codes, static_cast<std::size_t>(n) * sizeof(Q));
  }
}

/// Calls f with a null pointer to the type of 8- or 16-bit codes that `dtype` names.
template <class F>
static void visit_codes(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kInt8:
      return f(static_cast<std::int8_t*>(nullptr));
    case DType::kUint8:
      return f(static_cast<std::uint8_t*>(nullptr));
    case DType::kInt16:
      return f(static_cast<std::int16_t*>(nullptr));
    default:
      return f(static_cast<std::uint16_t*>(nullptr));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
