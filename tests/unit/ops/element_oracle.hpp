// element_oracle.hpp: runs integer forms on given codes, and what the tests of element-wise forms compare them with:
// wide integers that share no code with the product.
#pragma once

#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "float_rule.hpp"
#include "movement_run.hpp"
#include "ops/fixed_form.hpp"

namespace halfstep::ops {

__extension__ typedef __int128 Wide;

/// One operand: an activation of codes, or a constant with or without them.
struct CodeOperand {
  Shape shape;
  std::optional<Encoding> encoding;
  std::vector<std::int64_t> q;  ///< With an encoding.
  std::vector<float> real;      ///< Without one; always a constant.
  bool constant = false;
};

struct ElementProblem {
  std::string type;
  Attrs attrs = {};
  std::vector<CodeOperand> operands;
  Shape shape;  ///< Of the output.
  Encoding output;
  Arithmetic arithmetic = Arithmetic::kQ31Single;
  std::optional<graph::FusedClamp> clamp = {};
  bool in_place = false;  ///< The output is written over operand 0.
};

/// The same operands, the last one first.
inline void swap_operands(ElementProblem& problem) {
  const std::vector<CodeOperand> before = problem.operands;
  problem.operands.assign(before.rbegin(), before.rend());
}

inline Tensor codes_of(const Shape& shape, const std::vector<std::int64_t>& q, IntGrid grid) {
  Tensor tensor(TensorType{storage_dtype(grid), shape});
  visit_dtype(tensor.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < q.size(); ++i) tensor.mutable_data<T>()[i] = static_cast<T>(q[i]);
  });
  return tensor;
}

/// The output's codes, or why there is no integer form.
inline Result<std::vector<std::int64_t>> run_fixed(const ElementProblem& problem) {
  const std::size_t count = problem.operands.size();
  graph::Node node = node_of(problem.type, problem.attrs, Operands(count, Tensor()), 1);
  node.clamp = problem.clamp;
  std::vector<TensorType> types;
  std::vector<Tensor> real(count);
  std::vector<Tensor> stored(count);
  std::vector<const TensorType*> inputs;
  std::vector<const Tensor*> values;
  std::vector<const Tensor*> codes;
  std::vector<const Encoding*> encodings;
  for (std::size_t i = 0; i < count; ++i) types.push_back({DType::kFloat32, problem.operands[i].shape});
  for (std::size_t i = 0; i < count; ++i) {
    const CodeOperand& operand = problem.operands[i];
    // The real values of an encoded constant are not looked at: they are zeros here.
    real[i] = operand.encoding ? Tensor(types[i]) : Tensor::of<float>(operand.shape, std::span(operand.real));
    if (operand.encoding) stored[i] = codes_of(operand.shape, operand.q, operand.encoding->grid());
    const bool constant = operand.constant || !operand.encoding;
    inputs.push_back(&types[i]);
    values.push_back(constant ? &real[i] : nullptr);
    codes.push_back(constant && operand.encoding ? &stored[i] : nullptr);
    encodings.push_back(operand.encoding ? &*operand.encoding : nullptr);
  }
  const TensorType output_type{DType::kFloat32, problem.shape};
  const Encoding* output = &problem.output;
  const FixedArgs given{NodeArgs{node, inputs, values},
                        {&output_type, 1},
                        encodings,
                        codes,
                        {&output, 1},
                        FixedPointOptions{.arithmetic = problem.arithmetic}};
  Result<FixedForm> form = lower_fixed_by_table(given);
  if (!form.ok()) return form.error();

  std::vector<ConstView> views;
  for (std::size_t i = 0; i < count; ++i) {
    const bool replaced = i < form->replaced_operands.size() && form->replaced_operands[i].has_value();
    const Tensor& original = problem.operands[i].encoding ? stored[i] : real[i];
    views.push_back(replaced ? form->replaced_operands[i]->view() : original.view());
  }
  Tensor result(TensorType{storage_dtype(problem.output.grid()), problem.shape});
  if (problem.in_place) {
    result = Tensor::copy_of(views[0]);
    views[0] = result.view();
  }
  std::vector<std::byte> scratch(form->prepared.scratch_bytes);
  const MutableView outputs[] = {result.mutable_view()};
  if (const auto ran = form->prepared.run({views, outputs, scratch}); !ran.ok()) return ran.error();
  EXPECT_TRUE(form->prepared.clamps);
  return to_int64s(result);
}

/// How a tie of numerator / denominator goes: up, even, away from zero.
enum class Tie { kUp, kEven, kAway };

inline Tie tie_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kFloatHalfEven:
    case Arithmetic::kShiftHalfEven:
      return Tie::kEven;
    case Arithmetic::kShiftHalfAway:
      return Tie::kAway;
    default:
      return Tie::kUp;
  }
}

/// n / d to the nearest integer; `ties` counts the halves. Requires d > 0.
inline Wide divided(Wide n, Wide d, Tie tie, int* ties = nullptr) {
  Wide below = n / d;
  if (below * d > n) below -= 1;
  const Wide twice = 2 * (n - below * d);
  if (twice < d) return below;
  if (twice > d) return below + 1;
  if (ties != nullptr) ++*ties;
  if (tie == Tie::kUp) return below + 1;
  if (tie == Tie::kEven) return below % 2 == 0 ? below : below + 1;
  return n > 0 ? below + 1 : below;
}

/// x * 2^bits to the nearest integer, halves away from zero.
inline Wide scaled(double x, int bits) {
  const long double shifted = std::ldexp(static_cast<long double>(x), bits);
  return static_cast<Wide>(shifted < 0 ? std::ceil(shifted - 0.5L) : std::floor(shifted + 0.5L));
}

/// A factor >= 0 as the 31 leading bits m of it: m * 2^-bits.
struct OracleFactor {
  Wide m = 0;
  int bits = 0;
  float single = 0.0F;  ///< Under float_half_even: the same number.
};

/// acc_scale / scale_y; a factor without scales has scale_y 1.
inline OracleFactor oracle_factor(double acc_scale, double scale_y, Arithmetic arithmetic) {
  OracleFactor f;
  double real = acc_scale / scale_y;
  if (arithmetic == Arithmetic::kFloatHalfEven) {
    f.single = float_rule_factor(acc_scale, scale_y);
    real = static_cast<double>(f.single);
  }
  if (real == 0.0) return {};
  while (std::ldexp(real, f.bits) < 0x1p30) ++f.bits;
  while (std::ldexp(real, f.bits) >= 0x1p31) --f.bits;
  f.m = scaled(real, f.bits);
  if (f.m == Wide{1} << 31) f = {Wide{1} << 30, f.bits - 1, f.single};
  return f;
}

/// acc * f rounded as `arithmetic` demands; `wide`: of a 64-bit accumulator.
inline Wide oracle_rescale(Wide acc, OracleFactor f, Arithmetic arithmetic, bool wide, int* ties = nullptr) {
  if (f.m == 0) return 0;
  if (arithmetic == Arithmetic::kFloatHalfEven) {
    return float_rule_steps(static_cast<std::int64_t>(acc), f.single, ties);
  }
  if (arithmetic == Arithmetic::kQ31Double && !wide) {
    const int left = f.bits < 31 ? 31 - f.bits : 0;
    const int right = f.bits > 31 ? f.bits - 31 : 0;
    const Wide shifted =
        std::clamp<Wide>(acc * (Wide{1} << left), std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
    return divided(divided(shifted * f.m, Wide{1} << 31, Tie::kUp), Wide{1} << right, Tie::kAway, ties);
  }
  if (f.bits > 100) return 0;
  return divided(acc * f.m, Wide{1} << f.bits, tie_of(arithmetic), ties);
}

/// Where element `at` of the result lies in an operand of shape `operand`.
inline std::size_t source_of(std::int64_t at, const Shape& result, const Shape& operand) {
  std::int64_t offset = 0;
  std::int64_t stride = 1;
  for (int back = 1; back <= result.rank(); ++back) {
    const std::int64_t extent = result[result.rank() - back];
    const std::int64_t index = at % extent;
    at /= extent;
    if (back > operand.rank()) continue;
    const std::int64_t own = operand[operand.rank() - back];
    if (own != 1) offset += index * stride;
    stride *= own;
  }
  return static_cast<std::size_t>(offset);
}

/// The parameters of element `at` of the result in an encoding of a tensor of rank `rank`.
inline const QuantParams& params_for(const Encoding& encoding, std::int64_t at, const Shape& result, int rank) {
  if (encoding.params().size() == 1) return encoding.params()[0];
  const int axis = *encoding.axis() + result.rank() - rank;
  const std::int64_t inside = result.num_elements(axis + 1, result.rank());
  return encoding.params()[static_cast<std::size_t>(at / inside % result[axis])];
}

/// The grid bounds of the output; encodings here have no clamp finer than theirs.
inline std::int64_t on_grid(Wide q, IntGrid grid) {
  return static_cast<std::int64_t>(std::clamp<Wide>(q, grid.q_min, grid.q_max));
}

/// Random problems. The seed is printed by the tests that fail.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : rng_(seed) {}

  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng_);
  }
  double real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(rng_); }
  bool chance(int percent) { return integer(1, 100) <= percent; }

  IntGrid grid() {
    const IntGrid grids[] = {signed_grid(8),    unsigned_grid(8),      signed_grid(16),
                             unsigned_grid(16), narrow_signed_grid(8), signed_grid(4)};
    return grids[integer(0, 5)];
  }

  /// A scale near `near`; a power of two for the shift rules.
  double scale(double near, Arithmetic arithmetic) {
    if (needs_power_of_two(arithmetic)) return std::ldexp(1.0, std::ilogb(near) + static_cast<int>(integer(-2, 2)));
    return near * real(0.3, 3.0);
  }

  /// Per tensor, or per channel along `axis` with `channels`.
  Encoding encoding(IntGrid grid, double near, Arithmetic arithmetic, int axis = 0, std::size_t channels = 0) {
    std::vector<QuantParams> params;
    for (std::size_t c = 0; c < std::max<std::size_t>(1, channels); ++c) {
      const std::int64_t zero_point =
          chance(30) ? std::clamp<std::int64_t>(0, grid.q_min, grid.q_max) : integer(grid.q_min, grid.q_max);
      params.push_back({scale(near, arithmetic), static_cast<std::int32_t>(zero_point)});
    }
    return channels == 0 ? Encoding::per_tensor(grid, params[0]).value()
                         : Encoding::per_channel(grid, axis, params).value();
  }

  /// Codes on `grid`, with its ends among them.
  std::vector<std::int64_t> codes(const Shape& shape, IntGrid grid) {
    std::vector<std::int64_t> q(static_cast<std::size_t>(shape.num_elements()));
    for (std::int64_t& code : q) {
      const std::int64_t pick = integer(0, 9);
      code = pick == 0 ? grid.q_min : pick == 1 ? grid.q_max : integer(grid.q_min, grid.q_max);
    }
    return q;
  }

  /// `shape` with some extents 1 and some outer axes gone.
  Shape broadcastable(const Shape& shape) {
    if (chance(40)) return shape;
    std::vector<std::int64_t> dims(shape.begin(), shape.end());
    for (std::int64_t& dim : dims) {
      if (chance(40)) dim = 1;
    }
    dims.erase(dims.begin(), dims.begin() + integer(0, static_cast<std::int64_t>(dims.size())));
    return Shape(std::move(dims));
  }

  Shape shape() {
    const Shape shapes[] = {{2, 3, 5, 7}, {1, 4, 300}, {3, 8}, {600}, {}, {2, 1, 9, 2, 3}, {1, 5, 1, 1}};
    return shapes[integer(0, 6)];
  }

 private:
  std::mt19937_64 rng_;
};

inline constexpr Arithmetic kAllArithmetics[] = {Arithmetic::kFloatHalfEven, Arithmetic::kQ31Single,
                                                 Arithmetic::kQ31Double,     Arithmetic::kShiftHalfUp,
                                                 Arithmetic::kShiftHalfEven, Arithmetic::kShiftHalfAway};

}  // namespace halfstep::ops
