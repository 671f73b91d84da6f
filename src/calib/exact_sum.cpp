// exact_sum.cpp: additions with carry.
#include "calib/exact_sum.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace halfstep::calib {
namespace {

constexpr int kMantissaBits = 53;
/// Of a double's exponent, for its mantissa as an integer: 2^(exponent - this) is the unit.
constexpr int kBiasOfUnits = 1023 + kMantissaBits - 1;

/// a + b + carry; carry becomes 0 or 1.
std::uint64_t add_with_carry(std::uint64_t a, std::uint64_t b, std::uint64_t& carry) {
  const std::uint64_t partial = a + b;
  const std::uint64_t sum = partial + carry;
  carry = (partial < a ? 1U : 0U) + (sum < partial ? 1U : 0U);
  return sum;
}

}  // namespace

void ExactSum::add(double x) {
  if (x == 0.0) return;
  const auto pattern = std::bit_cast<std::uint64_t>(x);
  constexpr std::uint64_t kImplicitBit = std::uint64_t{1} << (kMantissaBits - 1);
  const int biased = static_cast<int>(pattern >> (kMantissaBits - 1) & 0x7FFU);
  std::uint64_t magnitude = pattern & (kImplicitBit - 1);
  if (biased > 0) magnitude |= kImplicitBit;
  int shift = std::max(biased, 1) - kBiasOfUnits + kFractionBits;
  if (shift < 0) {
    magnitude = shift > -64 ? magnitude >> -shift : 0;  // Only zeros leave.
    shift = 0;
  }
  const std::uint64_t sign = std::signbit(x) ? ~std::uint64_t{0} : 0;
  const std::uint64_t bits = (magnitude ^ sign) - sign;
  const auto first = static_cast<std::size_t>(shift / 64);
  const int offset = shift % 64;
  std::uint64_t carry = 0;
  limbs_[first] = add_with_carry(limbs_[first], bits << offset, carry);
  if (first + 1 == kNumLimbs) return;
  const std::uint64_t rest = offset > 0 ? (bits >> (64 - offset)) | (sign << offset) : sign;
  limbs_[first + 1] = add_with_carry(limbs_[first + 1], rest, carry);
  // What is left to add is the sign and the carry: nothing, if they cancel.
  for (std::size_t i = first + 2; i < kNumLimbs && sign + carry != 0; ++i) {
    limbs_[i] = add_with_carry(limbs_[i], sign, carry);
  }
}

void ExactSum::merge(const ExactSum& other) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < kNumLimbs; ++i) limbs_[i] = add_with_carry(limbs_[i], other.limbs_[i], carry);
}

void ExactSum::negate() {
  std::uint64_t carry = 1;
  for (std::uint64_t& limb : limbs_) limb = add_with_carry(~limb, 0, carry);
}

double ExactSum::value() const {
  ExactSum magnitude = *this;
  if (is_negative()) magnitude.negate();
  double value = 0.0;
  for (std::size_t i = kNumLimbs; i-- > 0;) {
    value += std::ldexp(static_cast<double>(magnitude.limbs_[i]), static_cast<int>(i) * 64 - kFractionBits);
  }
  return is_negative() ? -value : value;
}

std::string ExactSum::to_string() const {
  ExactSum magnitude = *this;
  if (is_negative()) magnitude.negate();
  std::string digits;
  for (std::size_t i = kNumLimbs; i-- > 0;) {
    char text[16];
    const char* const end = std::to_chars(text, text + sizeof text, magnitude.limbs_[i], 16).ptr;
    const auto length = static_cast<std::size_t>(end - text);
    if (!digits.empty()) digits.append(sizeof text - length, '0');
    if (!digits.empty() || magnitude.limbs_[i] != 0) digits.append(text, length);
  }
  if (digits.empty()) digits = "0";
  return (is_negative() ? "-0x" : "0x") + digits;
}

std::optional<ExactSum> ExactSum::parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  if (text.empty() || text.size() > kNumLimbs * 16) return std::nullopt;
  ExactSum sum;
  for (std::size_t i = 0; !text.empty(); ++i) {
    const std::string_view part = text.substr(text.size() < 16 ? 0 : text.size() - 16);
    text.remove_suffix(part.size());
    const auto [end, failure] = std::from_chars(part.data(), part.data() + part.size(), sum.limbs_[i], 16);
    if (failure != std::errc() || end != part.data() + part.size()) return std::nullopt;
  }
  if (sum.is_negative()) return std::nullopt;
  if (negative) sum.negate();
  return sum;
}

}  // namespace halfstep::calib
