// exact_sum.hpp: a sum of doubles that does not depend on the order of its terms.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halfstep::calib {

/// An integer of kNumLimbs * 64 bits in units of 2^-kFractionBits, so that sums, of up to 2^63 terms, are exact. Terms
/// are sums of float32 numbers or of their squares: multiples of 2^-298 below 2^319.
class ExactSum {
 public:
  static constexpr int kFractionBits = 298;
  static constexpr int kNumLimbs = 11;

  /// Requires: x is finite, a multiple of 2^-298 and below 2^319 in magnitude.
  void add(double x);
  void merge(const ExactSum& other);

  /// Within two units in the last place, and the same for the same sum.
  double value() const;

  /// "-0x1f2e": the integer in hexadecimal.
  std::string to_string() const;
  /// Empty if `text` is not what to_string() writes.
  static std::optional<ExactSum> parse(std::string_view text);

  friend bool operator==(const ExactSum&, const ExactSum&) = default;

 private:
  bool is_negative() const { return (limbs_[kNumLimbs - 1] >> 63) != 0; }
  void negate();

  std::array<std::uint64_t, kNumLimbs> limbs_ = {};  // Two's complement, lowest first.
};

}  // namespace halfstep::calib
