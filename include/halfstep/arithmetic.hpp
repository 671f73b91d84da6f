// arithmetic.hpp: the rule by which a fixed-point run rounds, and its name in files and options.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace halfstep {

/// How an accumulator becomes a code of the output grid. The result of a
/// fixed-point run depends on the model, the encodings and this alone; every
/// report and encodings file records it. Formulas: docs/numerics.md section 6.
enum class Arithmetic {
  kFloatHalfEven,  ///< Factor and product rounded to float32, halves to even: as ONNX Runtime.
  kQ31Single,      ///< Factor with 31 fractional bits, one rounding, halves up.
  kQ31Double,      ///< The same factor, two roundings: the gemmlowp and TFLite form.
  kShiftHalfUp,    ///< Power-of-two factors only; halves up.
  kShiftHalfEven,  ///< Power-of-two factors only; halves to even.
  kShiftHalfAway,  ///< Power-of-two factors only; halves away from zero.
};

/// Every rule with the word that options, reports and files use, in the order of the enum.
struct ArithmeticName {
  Arithmetic arithmetic;
  std::string_view name;
};
inline constexpr std::array<ArithmeticName, 6> kArithmeticNames = {{
    {Arithmetic::kFloatHalfEven, "float_half_even"},
    {Arithmetic::kQ31Single, "q31_single"},
    {Arithmetic::kQ31Double, "q31_double"},
    {Arithmetic::kShiftHalfUp, "shift_half_up"},
    {Arithmetic::kShiftHalfEven, "shift_half_even"},
    {Arithmetic::kShiftHalfAway, "shift_half_away"},
}};

constexpr std::string_view name_of(Arithmetic arithmetic) noexcept {
  return kArithmeticNames[static_cast<std::size_t>(arithmetic)].name;
}

/// Empty if `name` is no rule.
constexpr std::optional<Arithmetic> arithmetic_of(std::string_view name) noexcept {
  for (const ArithmeticName& entry : kArithmeticNames) {
    if (entry.name == name) return entry.arithmetic;
  }
  return std::nullopt;
}

/// True for the rules that only shift: every scale must be a power of two.
constexpr bool needs_power_of_two(Arithmetic arithmetic) noexcept { return arithmetic >= Arithmetic::kShiftHalfUp; }

/// What decides the bits of a fixed-point run, beside model and encodings.
struct FixedPointOptions {
  Arithmetic arithmetic = Arithmetic::kQ31Single;
  /// 64: an accumulator that may exceed 32 bits is widened. 32: the weight
  /// scale of that channel is raised instead, until the worst case fits.
  int accumulator_bits = 64;

  friend bool operator==(const FixedPointOptions&, const FixedPointOptions&) = default;
};

/// What a user asks of a fixed-point run.
struct FixedPointRequest {
  /// Empty: the rule recorded with the encodings; without one shift_half_up if all
  /// scales are powers of two, else q31_single.
  std::optional<Arithmetic> arithmetic;
  int accumulator_bits = 64;  ///< As FixedPointOptions.
};

}  // namespace halfstep
