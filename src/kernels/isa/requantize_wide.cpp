// requantize_wide.cpp: rows of 64-bit accumulators to codes.
//
// Cost: one multiplication of 64 by 32 bits, a shift and two limits an element, without branches; in 128 bits where 64
// do not hold the product. Scalar: the vector units have no such product before AVX-512. Only layers whose worst case
// exceeds 32 bits come here, 16-bit activations with 8-bit weights mostly.
#include "kernels/isa/requantize_each.hpp"
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using numerics::Int128;
using numerics::Requantizer;
using numerics::Rounding;

std::int32_t rescale_wide(std::int64_t acc, const Requantizer& r) {
  const Rounding once = r.rounding == Rounding::kDoubling ? Rounding::kHalfUp : r.rounding;
  const Int128 product = static_cast<Int128>(acc) * r.factor.multiplier_q31;
  return saturate_to_int32<Int128>(shift_right<Int128>(product, 31 + r.factor.right_shift, once));
}

template <class Q>
void requantize_each(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const Requantizer& r, Q* q) {
  for (std::int64_t i = 0; i < count; ++i) q[i] = static_cast<Q>(onto_grid(rescale_wide(acc[i] + bias, r), r));
}

// Without branches. Accumulators beyond +-most give steps beyond the grid, and so does `most`;
// P holds the product of `most` and the multiplier with half of 2^shift added.
template <Rounding kRounding, class P, class Q>
void requantize_limited(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const Requantizer& r,
                        std::int64_t most, Q* q) {
  const std::int64_t multiplier = r.factor.multiplier_q31;
  const int shift = 31 + r.factor.right_shift;
  const P half = P{1} << (shift - 1);
  const std::int64_t low = std::int64_t{r.q_min} - r.zero_point;
  const std::int64_t high = std::int64_t{r.q_max} - r.zero_point;
  const std::int64_t zero_point = r.zero_point;
  for (std::int64_t i = 0; i < count; ++i) {
    const P product = static_cast<P>(clamp<std::int64_t>(acc[i] + bias, -most, most)) * multiplier;
    P rounded = product + half;
    if constexpr (kRounding == Rounding::kHalfEven) rounded += ((product >> shift) & 1) - 1;
    if constexpr (kRounding == Rounding::kHalfAway) rounded -= product < 0 ? 1 : 0;
    const auto steps = static_cast<std::int64_t>(rounded >> shift);
    q[i] = static_cast<Q>(clamp(steps, low, high) + zero_point);
  }
}

template <class P, class Q>
void requantize_by(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const Requantizer& r,
                   std::int64_t most, Q* q) {
  switch (r.rounding) {
    case Rounding::kHalfUp:
    case Rounding::kDoubling:
      return requantize_limited<Rounding::kHalfUp, P>(acc, count, bias, r, most, q);
    case Rounding::kHalfEven:
    case Rounding::kFloatEven:  // Not here: requantize_float().
      return requantize_limited<Rounding::kHalfEven, P>(acc, count, bias, r, most, q);
    case Rounding::kHalfAway:
      return requantize_limited<Rounding::kHalfAway, P>(acc, count, bias, r, most, q);
  }
}

template <class Q>
void requantize_wide_as(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const Requantizer& r, Q* q) {
  if (r.rounding == Rounding::kFloatEven) {
    requantize_float(acc, count, bias, r, q);
    return;
  }
  const std::int64_t low = std::int64_t{r.q_min} - r.zero_point;
  const std::int64_t high = std::int64_t{r.q_max} - r.zero_point;
  const int right_shift = r.factor.right_shift;
  if (low < -kMostSteps || high > kMostSteps || low > high) {
    requantize_each(acc, count, bias, r, q);
    return;
  }
  // The factor is at least 2^(-right_shift - 1) and below 2^-right_shift: `most` accumulators give from
  // kMostSteps = 2^17 to 2^30 steps, or are all there are.
  const int log2_most = right_shift < -18 ? 0 : 18 + right_shift;
  const std::int64_t most = log2_most <= 62 ? std::int64_t{1} << log2_most : 0x7FFFFFFFFFFFFFFF;
  // 2^log2_most * 2^31 + 2^(30 + right_shift) <= 2^62 + 2^43.
  if (right_shift <= 13) {
    requantize_by<std::int64_t>(acc, count, bias, r, most, q);
  } else {
    requantize_by<Int128>(acc, count, bias, r, most, q);
  }
}

}  // namespace

void requantize_row_wide(const std::int64_t* acc, std::int64_t count, std::int64_t bias, const Requantizer& r,
                         DType dtype, void* q) {
  switch (dtype) {
    case DType::kInt8:
      return requantize_wide_as(acc, count, bias, r, static_cast<std::int8_t*>(q));
    case DType::kUint8:
      return requantize_wide_as(acc, count, bias, r, static_cast<std::uint8_t*>(q));
    case DType::kInt16:
      return requantize_wide_as(acc, count, bias, r, static_cast<std::int16_t*>(q));
    default:
      return requantize_wide_as(acc, count, bias, r, static_cast<std::uint16_t*>(q));
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
