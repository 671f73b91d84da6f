// byte_sum.cpp: sums of two operands of bytes times integers, rounded once.
//
// Cost: for eight results two widenings of bytes to 64 bits, two products, two additions, what rounds, a shift, and the
// way back to bytes: some 16 instructions, and as few loads as there are operands. Compilers vectorise the loop.
#include "kernels/isa/variant.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {
namespace {

using numerics::Rounding;

// Of a block that stays in registers and the first-level cache: the output may be one of the operands' storage.
constexpr std::int64_t kSumBlock = 256;

// v / 2^shift rounded.
template <Rounding kRounding>
inline std::uint64_t shifted(std::uint64_t v, int shift, std::uint64_t half) {
  if constexpr (kRounding == Rounding::kHalfUp) {
    return (v + half) >> shift;
  } else if constexpr (kRounding == Rounding::kHalfEven) {
    return (v + (half - 1) + (v >> shift & 1)) >> shift;
  } else {
    return (v + (half - 1) + (v >> 62)) >> shift;
  }
}

template <Rounding kRounding>
void sum_bytes(const ByteSum& s) {
  const std::uint8_t flip_a = s.operands[0].flip;
  const std::uint8_t flip_b = s.operands[1].flip;
  const std::uint64_t m_a = s.operands[0].multiplier;
  const std::uint64_t m_b = s.operands[1].multiplier;
  const std::uint64_t base = s.base;
  const auto offset = static_cast<std::uint32_t>(static_cast<std::uint64_t>(s.offset));
  const std::int32_t q_min = s.q_min;
  const std::int32_t q_max = s.q_max;
  const int shift = s.fraction_bits;
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  std::uint8_t block[kSumBlock];
  for (std::int64_t start = 0; start < s.count; start += kSumBlock) {
    const std::int64_t n = s.count - start < kSumBlock ? s.count - start : kSumBlock;
    const std::uint8_t* a = s.operands[0].x + start;
    const std::uint8_t* b = s.operands[1].x + start;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint32_t u_a = static_cast<std::uint8_t>(a[i] ^ flip_a);
      const std::uint32_t u_b = static_cast<std::uint8_t>(b[i] ^ flip_b);
      const std::uint64_t v = base + m_a * u_a + m_b * u_b;
      const auto q = static_cast<std::int32_t>(static_cast<std::uint32_t>(shifted<kRounding>(v, shift, half)) + offset);
      const std::int32_t low = q < q_min ? q_min : q;
      block[i] = static_cast<std::uint8_t>(q_max < low ? q_max : low);
    }
    for (std::int64_t i = 0; i < n; ++i) s.y[start + i] = block[i];
  }
}

}  // namespace

void byte_sum(const ByteSum& s) {
  switch (s.rounding) {
    case Rounding::kHalfUp:
      return sum_bytes<Rounding::kHalfUp>(s);
    case Rounding::kHalfEven:
      return sum_bytes<Rounding::kHalfEven>(s);
    default:
      return sum_bytes<Rounding::kHalfAway>(s);
  }
}

}  // namespace halfstep::kernels::HALFSTEP_ISA
