// requantize.cpp: rows of 32-bit accumulators to codes.
//
// Vectors form the 64-bit products of half of the lanes at a time, add what rounds
// them, and keep the 32 bits that matter.
//
// Cost: AVX2 has no 64-bit product of all lanes, so a vector of eight accumulators is two multiplications of four, two
// additions, shifts and a blend, then two limits and a quarter of the packing: about 12 instructions for 8 codes,
// against one load of 32 bytes and one store of 8. With k products an output that is 12 / 8 instructions beside k / 16,
// so it shows for short sums (depthwise) and not for long ones.
#include "kernels/isa/requantize_each.hpp"
#include "kernels/isa/requantize_vectors.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using numerics::Requantizer;
using numerics::Rounding;

std::int32_t rescale(std::int32_t acc, const Requantizer& r) {
  const int right_shift = r.factor.right_shift;
  if (right_shift > 31) return 0;  // Under every rule: the product is less than half of the divisor.
  if (r.rounding == Rounding::kDoubling) {
    const int left = right_shift < 0 ? -right_shift : 0;
    const int right = right_shift > 0 ? right_shift : 0;
    const std::int64_t shifted = saturate_to_int32<std::int64_t>(std::int64_t{acc} * (std::int64_t{1} << left));
    const std::int64_t high = shift_right<std::int64_t>(shifted * r.factor.multiplier_q31, 31, Rounding::kHalfUp);
    return static_cast<std::int32_t>(shift_right<std::int64_t>(high, right, Rounding::kHalfAway));
  }
  const std::int64_t product = std::int64_t{acc} * r.factor.multiplier_q31;
  return saturate_to_int32<std::int64_t>(shift_right<std::int64_t>(product, 31 + right_shift, r.rounding));
}

template <class Q>
void requantize_each(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const Requantizer& r, Q* q) {
  for (std::int64_t i = 0; i < count; ++i) q[i] = static_cast<Q>(onto_grid(rescale(acc[i] + bias, r), r));
}

struct Doubling {
  static Ints steps(Ints acc, const Constants& k) {
    const Ints shifted = limit(acc + k.bias, k.low, k.high) << k.left;
    const Wides first = products_of_half(shifted, k.multiplier) + k.rounded;
    const Wides second = products_of_half(other_half(shifted), k.multiplier) + k.rounded;
    const Ints once = merge_low(first >> 31, second >> 31);
    const Ints rest = once & k.right_mask;
    const Ints most = (k.right_mask >> 1) - (once >> 31);  // The largest rest that is dropped.
    return (once >> k.right) - (rest > most);
  }
};

template <class Rule, class Q>
inline void requantize_block(const std::int32_t* acc, const Constants& k, const Grid& grid, Q* q) {
  Ints steps[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) steps[i] = Rule::steps(load(acc + i * kLanes), k);
  store_codes(steps, grid, q);
}

// Requires count >= kLanes.
template <class Rule, class Q>
void requantize_blocks(const std::int32_t* acc, std::int64_t count, const Constants& constants, const Grid& grid,
                       Q* q) {
  const Constants k = constants;
  std::int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) requantize_block<Rule>(acc + i, k, grid, q + i);
  if (i == count) return;
  if (count >= kBlock) {  // The last block overlaps the one before.
    requantize_block<Rule>(acc + count - kBlock, k, grid, q + count - kBlock);
    return;
  }
  Ints steps[4];
  std::int64_t first[4];
  for (int v = 0; v < 4; ++v) {
    first[v] = v * kLanes + kLanes <= count ? v * kLanes : count - kLanes;
    steps[v] = Rule::steps(load(acc + first[v]), k);
  }
  Q codes[kBlock];
  store_codes(steps, grid, codes);
  for (int v = 0; v < 4; ++v) __builtin_memcpy(q + first[v], codes + v * kLanes, kLanes * sizeof(Q));
}

template <template <Rounding> class Rule, class Q>
void requantize_by(Rounding rounding, const std::int32_t* acc, std::int64_t count, const Constants& k, const Grid& grid,
                   Q* q) {
  switch (rounding) {
    case Rounding::kHalfUp:
      return requantize_blocks<Rule<Rounding::kHalfUp>>(acc, count, k, grid, q);
    case Rounding::kHalfEven:
      return requantize_blocks<Rule<Rounding::kHalfEven>>(acc, count, k, grid, q);
    default:
      return requantize_blocks<Rule<Rounding::kHalfAway>>(acc, count, k, grid, q);
  }
}

template <class Q>
void requantize_as(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const Requantizer& r, Q* q) {
  constexpr std::int64_t kMost = sizeof(Q) == 1 ? 32767 : kMostSteps;  // Limited as 16-bit numbers.
  const std::int64_t low = std::int64_t{r.q_min} - r.zero_point;
  const std::int64_t high = std::int64_t{r.q_max} - r.zero_point;
  const int right_shift = r.factor.right_shift;
  if (count < kLanes || low < -kMost || high > kMost || low > high || right_shift > 31) {
    requantize_each(acc, count, bias, r, q);
    return;
  }
  const Grid grid = {static_cast<std::int32_t>(low), static_cast<std::int32_t>(high), r.zero_point};
  const bool is_doubling = r.rounding == Rounding::kDoubling;
  const bool is_small = !is_doubling && right_shift >= 1;
  Constants k;
  k.shift = is_doubling ? 31 : 31 + right_shift;
  k.left = right_shift < 0 ? -right_shift : 0;
  k.right = right_shift > 0 ? right_shift : 0;
  k.right_mask = static_cast<std::int32_t>((std::int64_t{1} << k.right) - 1) - Ints{};
  k.multiplier = r.factor.multiplier_q31 - Ints{};
  // (acc + bias) * multiplier fits 63 bits, and so does it with half of 2^shift added.
  const std::int64_t offset = is_small ? std::int64_t{bias} * r.factor.multiplier_q31 : 0;
  const std::int64_t half = (std::int64_t{1} << (k.shift - 1)) - (r.rounding == Rounding::kHalfEven ? 1 : 0);
  k.offset = static_cast<std::uint64_t>(offset) - Wides{};
  k.rounded = static_cast<std::uint64_t>(offset + half) - Wides{};
  k.bias = bias - Ints{};
  // A factor in [2^(left - 1), 2^left), left >= 1: `most` accumulators give at least kMostSteps and
  // at most 2^30 steps, so nothing beyond 32 bits is lost by limiting to them.
  std::int32_t most = kHighestInt32;
  if (k.left > 0) most = k.left < 18 ? std::int32_t{1} << (18 - k.left) : 1;
  k.high = most - Ints{};
  k.low = (k.left > 0 ? -most : kLowestInt32) - Ints{};
  if (is_doubling) {
    requantize_blocks<Doubling>(acc, count, k, grid, q);
  } else if (is_small) {
    requantize_by<SmallFactor>(r.rounding, acc, count, k, grid, q);
  } else {
    requantize_by<LargeFactor>(r.rounding, acc, count, k, grid, q);
  }
}

template <class Q>
void requantize_to(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const Requantizer& r, Q* q) {
  if (r.rounding == Rounding::kFloatEven) {
    requantize_float(acc, count, bias, r, q);
  } else {
    requantize_as(acc, count, bias, r, q);
  }
}

}  // namespace

void requantize_row(const std::int32_t* acc, std::int64_t count, std::int32_t bias, const Requantizer& r, DType dtype,
                    void* q) {
  switch (dtype) {
    case DType::kInt8:
      return requantize_to(acc, count, bias, r, static_cast<std::int8_t*>(q));
    case DType::kUint8:
      return requantize_to(acc, count, bias, r, static_cast<std::uint8_t*>(q));
    case DType::kInt16:
      return requantize_to(acc, count, bias, r, static_cast<std::int16_t*>(q));
    default:
      return requantize_to(acc, count, bias, r, static_cast<std::uint16_t*>(q));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
