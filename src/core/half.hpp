// half.hpp: IEEE 754 half precision, as bits and as what rounding to it leaves of a float32.
#pragma once

#include <bit>
#include <cstdint>

namespace halfstep {

/// The number that `bits` stand for; exact.
inline float float_of_half(std::uint16_t bits) noexcept {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7fffU;
  // A subnormal half is a small integer times 2^-24.
  if (magnitude < 0x400U)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F));
  // Moves the exponent's bias from 15 to 127; infinity and NaN keep the largest exponent.
  const std::uint32_t bias = magnitude >= 0x7c00U ? 224U << 23 : 112U << 23;
  return std::bit_cast<float>(sign | ((magnitude << 13) + bias));
}

/// `x` rounded to half precision, halves to even; infinite from 65520 on, NaN stays NaN.
inline std::uint16_t half_of(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const float magnitude = std::bit_cast<float>(bits & 0x7fffffffU);
  std::uint32_t half = 0;
  if (magnitude != magnitude) {
    half = 0x7e00U;
  } else if (magnitude >= 65520.0F) {
    half = 0x7c00U;
  } else if (magnitude < 0x1p-14F) {
    half = static_cast<std::uint32_t>((magnitude * 0x1p24F + 0x1.8p23F) - 0x1.8p23F);  // Counts steps of 2^-24.
  } else {
    const auto normal = std::bit_cast<std::uint32_t>(magnitude);
    half = (normal + 0xfffU + ((normal >> 13) & 1U) - (112U << 23)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

inline float rounded_to_half(float x) noexcept { return float_of_half(half_of(x)); }

}  // namespace halfstep
