// code_run.hpp: runs the integer form of one operator on given codes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "encoding/encoding_set.hpp"
#include "ops/fixed_form.hpp"
#include "unit/ops/float_rule.hpp"
#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {

/// The integer type of the oracles.
__extension__ typedef __int128 Wide;

inline Encoding grid_of(IntGrid grid, double scale, std::int32_t zero_point = 0) {
  return *Encoding::per_tensor(grid, {scale, zero_point});
}

/// One node whose operand 0 and output 0 are encoded.
struct CodeNode {
  std::string type;
  Attrs attrs;
  Shape x_shape;
  Operands others;  ///< Operands from 1 on, real.
  std::optional<Encoding> x;
  std::optional<Encoding> y;
  Arithmetic arithmetic = Arithmetic::kQ31Single;
  std::optional<graph::FusedClamp> clamp = {};
  std::size_t num_outputs = 1;
};

struct LoweredCodes {
  FixedForm form;
  TensorType output;
};

inline Result<LoweredCodes> try_lower(const CodeNode& c) {
  Operands operands{Tensor(TensorType{DType::kFloat32, c.x_shape})};
  operands.insert(operands.end(), c.others.begin(), c.others.end());
  graph::Node node = node_of(c.type, c.attrs, operands, c.num_outputs);
  node.clamp = c.clamp;
  std::vector<const TensorType*> types;
  std::vector<const Tensor*> values;
  std::vector<const Encoding*> encodings(operands.size(), nullptr);
  for (const auto& operand : operands) {
    types.push_back(operand ? &operand->type() : nullptr);
    values.push_back(operand ? &*operand : nullptr);
  }
  values[0] = nullptr;
  if (c.x) encodings[0] = &*c.x;
  Result<Inferred> inferred = infer_by_table(NodeArgs{node, types, values});
  if (!inferred.ok()) return inferred.error();
  std::vector<const Encoding*> output_encodings(inferred->outputs.size(), nullptr);
  if (c.y) output_encodings[0] = &*c.y;
  const std::vector<const Tensor*> codes(operands.size(), nullptr);
  const FixedArgs fixed{{node, types, values}, inferred->outputs,           encodings, codes,
                        output_encodings,      {.arithmetic = c.arithmetic}};
  Result<FixedForm> form = lower_fixed_by_table(fixed);
  if (!form.ok()) return form.error();
  const DType dtype = c.y ? storage_dtype(c.y->grid()) : DType::kFloat32;
  return LoweredCodes{*std::move(form), {dtype, inferred->outputs[0].shape}};
}

/// The reason why there is no integer form, or "ok".
inline std::string why_not(const CodeNode& c) {
  const auto lowered = try_lower(c);
  if (lowered.ok()) return "ok";
  EXPECT_EQ(lowered.error().code, ErrorCode::kUnsupported);
  return lowered.error().message;
}

/// Codes of type storage_dtype(c.x->grid()) in c.x_shape.
inline Tensor code_tensor(const Encoding& encoding, const Shape& shape, const std::vector<std::int32_t>& codes) {
  Tensor tensor(TensorType{storage_dtype(encoding.grid()), shape});
  visit_dtype(tensor.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < codes.size(); ++i) tensor.mutable_data<T>()[i] = static_cast<T>(codes[i]);
  });
  return tensor;
}

inline std::vector<std::int32_t> codes_of(const Tensor& tensor) {
  std::vector<std::int32_t> codes;
  for (const std::int64_t q : to_int64s(tensor)) codes.push_back(static_cast<std::int32_t>(q));
  return codes;
}

/// Three parts, the last first and each with scratch of its own, give the codes that one run gave.
inline void expect_parts(const Prepared& prepared, const std::vector<ConstView>& inputs, const Tensor& whole) {
  constexpr int kParts = 3;
  Tensor y(whole.type());
  const std::vector<MutableView> outputs{y.mutable_view()};
  for (int part = kParts - 1; part >= 0; --part) {
    Tensor scratch(TensorType{DType::kUint8, {static_cast<std::int64_t>(prepared.scratch_bytes)}});
    std::fill_n(scratch.mutable_bytes(), prepared.scratch_bytes, std::byte{0xA5});
    const std::span<std::byte> bytes(scratch.mutable_bytes(), prepared.scratch_bytes);
    EXPECT_TRUE(prepared.run(KernelIo{inputs, outputs, bytes, part, kParts}).ok());
  }
  EXPECT_EQ(codes_of(y), codes_of(whole));
}

/// Runs the kernel with exactly the scratch it asked for, filled with rubbish.
inline std::vector<std::int32_t> run_lowered(const LoweredCodes& lowered, const Tensor& x) {
  Tensor y(lowered.output);
  const std::vector<ConstView> inputs{x.view()};
  const std::vector<MutableView> outputs{y.mutable_view()};
  const Prepared& prepared = lowered.form.prepared;
  Tensor scratch(TensorType{DType::kUint8, {static_cast<std::int64_t>(prepared.scratch_bytes)}});
  std::fill_n(scratch.mutable_bytes(), prepared.scratch_bytes, std::byte{0xA5});
  const auto outcome = prepared.run(KernelIo{inputs, outputs, {scratch.mutable_bytes(), prepared.scratch_bytes}});
  EXPECT_TRUE(outcome.ok());
  if (prepared.splits) expect_parts(prepared, inputs, y);
  return codes_of(y);
}

inline std::vector<std::int32_t> run_codes(const CodeNode& c, const std::vector<std::int32_t>& codes) {
  const auto lowered = try_lower(c);
  EXPECT_TRUE(lowered.ok()) << c.type << ": " << (lowered.ok() ? "" : lowered.error().message);
  if (!lowered.ok()) return {};
  return run_lowered(*lowered, code_tensor(*c.x, c.x_shape, codes));
}

/// The float form on the real values of the codes, in steps of the output before rounding: y / s_y + z_y.
inline std::vector<double> float_steps(const CodeNode& c, const std::vector<std::int32_t>& codes) {
  Operands operands{dequantize(code_tensor(*c.x, c.x_shape, codes), *c.x)};
  operands.insert(operands.end(), c.others.begin(), c.others.end());
  const Tensor y = run_all(c.type, c.attrs, operands, c.num_outputs).front();
  std::vector<double> steps;
  for (const float value : y.values<float>()) {
    const double real = static_cast<double>(value) / c.y->params()[0].scale + c.y->params()[0].zero_point;
    steps.push_back(std::clamp<double>(real, c.y->grid().q_min, c.y->grid().q_max));
  }
  return steps;
}

/// Each code is within `tolerance` steps of the real result.
inline void expect_steps(const std::vector<std::int32_t>& codes, const std::vector<double>& steps, double tolerance) {
  ASSERT_EQ(codes.size(), steps.size());
  for (std::size_t i = 0; i < codes.size(); ++i) ASSERT_NEAR(codes[i], steps[i], tolerance) << "element " << i;
}

/// Codes all over the grid, its ends more often than others.
inline std::vector<std::int32_t> random_codes(IntGrid grid, std::int64_t count, std::uint32_t seed) {
  std::mt19937 rng(seed);
  std::uniform_int_distribution<std::int32_t> any(grid.q_min, grid.q_max);
  std::uniform_int_distribution<int> die(0, 15);
  std::vector<std::int32_t> codes;
  for (std::int64_t i = 0; i < count; ++i) {
    const int face = die(rng);
    codes.push_back(face == 0 ? grid.q_min : (face == 1 ? grid.q_max : any(rng)));
  }
  return codes;
}

/// numerator / denominator to nearest, halves by `arithmetic` in a single rounding (q31_double: up). Oracle.
inline Wide divided(Wide numerator, Wide denominator, Arithmetic arithmetic) {
  Wide quotient = numerator / denominator;
  Wide rest = numerator % denominator;
  if (rest < 0) {
    rest += denominator;
    --quotient;
  }
  const bool tie = 2 * rest == denominator;
  bool up = 2 * rest > denominator;
  if (tie) {
    switch (arithmetic) {
      case Arithmetic::kFloatHalfEven:
      case Arithmetic::kShiftHalfEven:
        up = quotient % 2 != 0;
        break;
      case Arithmetic::kShiftHalfAway:
        up = numerator > 0;
        break;
      default:
        up = true;
    }
  }
  return quotient + (up ? 1 : 0);
}

/// A real factor as its 31-bit mantissa, so that factor = mantissa / 2^exponent. Oracle.
struct Mantissa {
  std::int64_t value = 0;
  int exponent = 0;
};
inline Mantissa mantissa_of(double real, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kFloatHalfEven) real = static_cast<double>(static_cast<float>(real));
  int exponent = 0;
  while (real >= 2147483647.5) {
    real /= 2;
    --exponent;
  }
  while (real < 1073741823.75) {
    real *= 2;
    ++exponent;
  }
  return {static_cast<std::int64_t>(std::floor(real + 0.5)), exponent};
}

/// The exact acc * factor, rounded: twice for 32-bit accumulators under q31_double, as gemmlowp does. Oracle.
inline Wide scaled_exactly(Wide acc, double factor, Arithmetic arithmetic, bool wide) {
  const Mantissa m = mantissa_of(factor, arithmetic);
  if (arithmetic != Arithmetic::kQ31Double || wide) {
    if (m.exponent < 0) return acc * m.value * (Wide{1} << -m.exponent);
    return divided(acc * m.value, Wide{1} << m.exponent, arithmetic);
  }
  const int right = m.exponent - 31;
  if (right > 31) return 0;
  const Wide high = divided(acc * (right < 0 ? Wide{1} << -right : 1) * m.value, Wide{1} << 31, arithmetic);
  return divided(high, Wide{1} << std::max(right, 0), Arithmetic::kShiftHalfAway);
}

/// round(acc * acc_scale / scale_y) per (R2) or (R5). Oracle.
inline Wide scaled(Wide acc, double acc_scale, double scale_y, Arithmetic arithmetic, bool wide) {
  if (arithmetic == Arithmetic::kFloatHalfEven) {
    return float_rule_steps(static_cast<std::int64_t>(acc), float_rule_factor(acc_scale, scale_y));
  }
  return scaled_exactly(acc, acc_scale / scale_y, arithmetic, wide);
}

inline std::int32_t clamped(Wide q, const Encoding& y) {
  return static_cast<std::int32_t>(std::clamp<Wide>(q + y.params()[0].zero_point, y.grid().q_min, y.grid().q_max));
}

inline constexpr Arithmetic kAllArithmetics[] = {Arithmetic::kFloatHalfEven, Arithmetic::kQ31Single,
                                                 Arithmetic::kQ31Double,     Arithmetic::kShiftHalfUp,
                                                 Arithmetic::kShiftHalfEven, Arithmetic::kShiftHalfAway};

}  // namespace halfstep::ops
