// product_oracle.hpp: runs one node on codes, and computes what it must give from the definition, in wide integers.
//
// The oracle shares no code with src: it enumerates the products behind each output, adds them in 128 bits and
// rounds by division. It reads scales and zero points from encodings, nothing else.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "ops/fixed_form.hpp"
#include "unit/ops/float_rule.hpp"

namespace halfstep::ops::product_testing {

__extension__ typedef __int128 Wide;

/// One operand: its codes and grid; constants also carry their real values.
struct Operand {
  Shape shape;
  std::optional<Encoding> encoding;
  std::optional<Tensor> codes;  // Empty: a bias in float.
  std::optional<Tensor> real;   // Set: constant.
};

struct Problem {
  graph::Node node;
  std::vector<Operand> operands;
  Shape y_shape;
  std::optional<Encoding> y;
  FixedPointOptions options;
  std::int64_t bias_step = 1;
  double alpha = 1.0;
  double beta = 1.0;
  std::int64_t num_channels = 0;
  std::int64_t x_entries_per_channel = 0;  // Not 0: channel c reads entry c / multiplier of a per-channel input grid.
  std::int64_t multiplier = 1;
  /// The (x, w) indices whose products output `out` adds up.
  std::function<void(std::int64_t out, std::vector<std::pair<std::int64_t, std::int64_t>>& terms)> terms;
  std::function<std::int64_t(std::int64_t out)> channel_of;
  /// All weights of a channel. Empty: two activations.
  std::function<std::vector<std::int64_t>(std::int64_t channel)> weights_of;
};

struct Outcome {
  std::vector<std::int64_t> codes;
  FixedFacts facts;
};

/// Runs `lower` and its kernel. Scratch has canaries behind it, and both it and the output start as garbage.
inline Result<Outcome> run_fixed(const Problem& p, Result<FixedForm> (*lower)(const FixedArgs&)) {
  std::vector<TensorType> types;
  std::vector<const TensorType*> type_pointers;
  std::vector<const Tensor*> values;
  std::vector<const Tensor*> codes;
  std::vector<const Encoding*> encodings;
  for (const Operand& operand : p.operands) types.push_back({DType::kFloat32, operand.shape});
  for (std::size_t i = 0; i < p.operands.size(); ++i) {
    const Operand& operand = p.operands[i];
    type_pointers.push_back(&types[i]);
    values.push_back(operand.real ? &*operand.real : nullptr);
    codes.push_back(operand.real && operand.codes ? &*operand.codes : nullptr);
    encodings.push_back(operand.encoding ? &*operand.encoding : nullptr);
  }
  const std::vector<TensorType> outputs{{DType::kFloat32, p.y_shape}};
  const std::vector<const Encoding*> y_encodings{p.y ? &*p.y : nullptr};
  const NodeArgs node_args{p.node, type_pointers, values};
  const Result<FixedForm> form = lower(FixedArgs{node_args, outputs, encodings, codes, y_encodings, p.options});
  if (!form.ok()) return form.error();
  EXPECT_TRUE(form->prepared.clamps);
  std::vector<ConstView> views;
  for (std::size_t i = 0; i < p.operands.size(); ++i) {
    const Operand& operand = p.operands[i];
    const bool replaced = i < form->replaced_operands.size() && form->replaced_operands[i].has_value();
    views.push_back(replaced ? form->replaced_operands[i]->view()
                             : (operand.codes ? operand.codes->view() : operand.real->view()));
  }
  Tensor y(TensorType{storage_dtype(p.y->grid()), p.y_shape});
  std::fill_n(y.mutable_bytes(), y.num_bytes(), std::byte{0xa5});
  constexpr std::int64_t kCanaries = 256;
  const auto scratch_bytes = static_cast<std::int64_t>(form->prepared.scratch_bytes);
  Tensor scratch(TensorType{DType::kUint8, Shape{scratch_bytes + kCanaries}});
  std::fill_n(scratch.mutable_bytes(), scratch.num_bytes(), std::byte{0x5a});
  const MutableView y_view = y.mutable_view();
  const auto ran = form->prepared.run({views, {&y_view, 1}, {scratch.mutable_bytes(), form->prepared.scratch_bytes}});
  if (!ran.ok()) return ran.error();
  for (std::int64_t i = 0; i < kCanaries; ++i) {
    EXPECT_EQ(scratch.data<std::uint8_t>()[scratch_bytes + i], 0x5a) << "scratch was overrun";
  }
  return Outcome{to_int64s(y), form->facts};
}

// The oracle's own reading of (R1): the 31-bit multiplier and the power of two it is divided by.
struct Factor {
  Wide multiplier = 0;
  int shift = 0;        // factor = multiplier / 2^shift.
  float single = 0.0F;  // Under float_half_even: the same number.
};

inline Factor factor_of(double acc_scale, double scale_y, Arithmetic arithmetic) {
  double real = acc_scale / scale_y;
  float single = 0.0F;
  if (arithmetic == Arithmetic::kFloatHalfEven) {
    single = float_rule_factor(acc_scale, scale_y);
    real = static_cast<double>(single);
  }
  int shift = 0;
  while (real < 0x1p30) {
    real *= 2.0;
    ++shift;
  }
  while (real >= 0x1p31) {
    real /= 2.0;
    --shift;
  }
  auto multiplier = static_cast<std::int64_t>(std::floor(real));
  if (real - std::floor(real) >= 0.5) ++multiplier;
  return {multiplier, shift, single};
}

inline Wide power(int exponent) { return Wide{1} << exponent; }

inline Wide floor_div(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }

enum class Ties { kUp, kEven, kAway };

inline Wide divide(Wide numerator, Wide denominator, Ties ties) {
  const Wide below = floor_div(numerator, denominator);
  const Wide twice_rest = 2 * (numerator - below * denominator);
  if (twice_rest != denominator) return twice_rest > denominator ? below + 1 : below;
  if (ties == Ties::kUp) return below + 1;
  if (ties == Ties::kEven) return below % 2 == 0 ? below : below + 1;
  return numerator > 0 ? below + 1 : below;
}

inline Wide rescaled(Wide acc, Factor f, Arithmetic arithmetic, int bits) {
  if (arithmetic == Arithmetic::kFloatHalfEven) return float_rule_steps(static_cast<std::int64_t>(acc), f.single);
  if (arithmetic == Arithmetic::kQ31Double && bits == 32) {
    const int right = f.shift - 31;
    Wide x = right < 0 ? acc * power(-right) : acc;
    x = std::clamp(x, -power(31), power(31) - 1);
    const Wide high = divide(x * f.multiplier, power(31), Ties::kUp);
    return right > 0 ? divide(high, power(right), Ties::kAway) : high;
  }
  Ties ties = Ties::kUp;
  if (arithmetic == Arithmetic::kShiftHalfEven) ties = Ties::kEven;
  if (arithmetic == Arithmetic::kShiftHalfAway) ties = Ties::kAway;
  return f.shift >= 0 ? divide(acc * f.multiplier, power(f.shift), ties) : acc * f.multiplier * power(-f.shift);
}

inline double half_even(double x) {
  const double below = std::floor(x);
  const double rest = x - below;
  if (rest != 0.5) return rest > 0.5 ? below + 1.0 : below;
  return std::fmod(below, 2.0) == 0.0 ? below : below + 1.0;
}

inline const QuantParams& entry_of(const Encoding& e, std::int64_t i) {
  return e.params()[e.params().size() == 1 ? 0 : static_cast<std::size_t>(i)];
}

// The entry of a per-channel encoding that element `index` of a tensor of `shape` uses.
inline std::int64_t slice_of(const Encoding& e, const Shape& shape, std::int64_t index) {
  if (!e.axis()) return 0;
  std::int64_t inner = 1;
  for (int axis = shape.rank() - 1; axis > *e.axis(); --axis) inner *= shape[axis];
  return index / inner % shape[*e.axis()];
}

class Oracle {
 public:
  explicit Oracle(const Problem& p) : p_(p), x_(to_int64s(*p.operands[0].codes)), w_(to_int64s(*p.operands[1].codes)) {
    const Operand& w = p_.operands[1];
    for (std::size_t i = 0; i < w_.size(); ++i) {
      w_[i] -= entry_of(*w.encoding, slice_of(*w.encoding, w.shape, static_cast<std::int64_t>(i))).zero_point;
    }
    const Operand& x = p_.operands[0];
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x_[i] -= entry_of(*x.encoding, slice_of(*x.encoding, x.shape, static_cast<std::int64_t>(i))).zero_point;
    }
    for (std::int64_t c = 0; c < p_.num_channels; ++c) prepare(c);
  }

  int bits() const { return worst_ <= power(31) - 1 ? 32 : 64; }
  Wide worst() const { return worst_; }
  std::int64_t num_raised() const { return num_raised_; }

  Wide acc(std::int64_t out) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> terms;
    p_.terms(out, terms);
    Wide sum = bias_[static_cast<std::size_t>(p_.channel_of(out))];
    for (const auto& [x, w] : terms) sum += Wide{x_[static_cast<std::size_t>(x)]} * w_[static_cast<std::size_t>(w)];
    return p_.alpha < 0.0 ? 2 * bias_[static_cast<std::size_t>(p_.channel_of(out))] - sum : sum;
  }
  double acc_scale(std::int64_t out) const { return scale_[static_cast<std::size_t>(p_.channel_of(out))]; }

  /// The quotient lies halfway between two codes: the rules differ here.
  bool is_tie(std::int64_t out) const {
    const std::int64_t y_entry = slice_of(*p_.y, p_.y_shape, out);
    const Factor f = factor_of(acc_scale(out), entry_of(*p_.y, y_entry).scale, p_.options.arithmetic);
    if (p_.options.arithmetic == Arithmetic::kFloatHalfEven) {
      int ties = 0;
      float_rule_steps(static_cast<std::int64_t>(acc(out)), f.single, &ties);
      return ties != 0;
    }
    if (f.shift < 1) return false;
    const Wide rest = acc(out) * f.multiplier % power(f.shift);
    return 2 * (rest < 0 ? -rest : rest) == power(f.shift);
  }

  std::int64_t code(std::int64_t out) const {
    const std::int64_t y_entry = slice_of(*p_.y, p_.y_shape, out);
    const QuantParams& y = entry_of(*p_.y, y_entry);
    const Factor f = factor_of(acc_scale(out), y.scale, p_.options.arithmetic);
    const Wide q = rescaled(acc(out), f, p_.options.arithmetic, bits()) + y.zero_point;
    double low = p_.y->grid().q_min;
    double high = p_.y->grid().q_max;
    if (p_.node.clamp) {
      const auto bound = [&](float real) {
        return std::clamp(half_even(static_cast<double>(real) / y.scale) + y.zero_point,
                          static_cast<double>(p_.y->grid().q_min), static_cast<double>(p_.y->grid().q_max));
      };
      const auto& channels = p_.node.clamp->channels;
      const int inner_axes = channels ? channels->inner_axes : 0;
      const int rank = p_.y_shape.rank();
      const std::int64_t run = out / p_.y_shape.num_elements(rank - inner_axes, rank);
      const auto c = static_cast<std::size_t>(channels ? run % p_.y_shape[rank - 1 - inner_axes] : 0);
      low = bound(p_.node.clamp->min_of(c));
      high = bound(p_.node.clamp->max_of(c));
    }
    return static_cast<std::int64_t>(std::clamp(q, static_cast<Wide>(low), static_cast<Wide>(high)));
  }

 private:
  std::int64_t bias_code(std::int64_t c, double acc_scale) const {
    if (p_.operands.size() < 3) return 0;
    const Operand& b = p_.operands[2];
    const std::int64_t element = c * p_.bias_step;
    double real = 0.0;
    if (b.codes) {
      const std::int64_t q = to_int64s(*b.codes)[static_cast<std::size_t>(element)];
      const QuantParams& e = entry_of(*b.encoding, element);
      if (p_.beta == 1.0 && e.zero_point == 0 && std::fabs(e.scale / acc_scale - 1.0) < 0x1p-22) return q;
      real = e.scale * static_cast<double>(q - e.zero_point);
    } else {
      real = static_cast<double>(b.real->data<float>()[element]);
    }
    return static_cast<std::int64_t>(half_even(p_.beta * real / acc_scale));
  }

  Wide worst_of(std::int64_t c, const std::vector<std::int64_t>& weights) const {
    const Encoding& x = *p_.operands[0].encoding;
    const QuantParams& e = entry_of(x, c / p_.multiplier);
    const Wide low = x.grid().q_min - Wide{e.zero_point};
    const Wide high = x.grid().q_max - Wide{e.zero_point};
    Wide positive = 0;
    Wide negative = 0;
    for (const std::int64_t i : weights) {
      const Wide w = w_[static_cast<std::size_t>(i)];
      positive += std::max(w * low, w * high);
      negative -= std::min(w * low, w * high);
    }
    const Wide b = bias_[static_cast<std::size_t>(c)];
    return std::max(positive, negative) + (b < 0 ? -b : b);
  }

  void prepare(std::int64_t c) {
    const Operand& w = p_.operands[1];
    const double x_scale = entry_of(*p_.operands[0].encoding, c / p_.multiplier).scale;
    const double factor = std::fabs(p_.alpha) * x_scale;
    if (!p_.weights_of) {
      scale_.push_back(factor * entry_of(*w.encoding, 0).scale);
      bias_.push_back(0);
      const auto reach = [](const Encoding& e) {
        const std::int64_t z = e.params()[0].zero_point;
        return Wide{std::max(z - e.grid().q_min, e.grid().q_max - z)};
      };
      std::vector<std::pair<std::int64_t, std::int64_t>> terms;
      p_.terms(0, terms);
      worst_ = static_cast<Wide>(terms.size()) * reach(*p_.operands[0].encoding) * reach(*w.encoding);
      return;
    }
    const std::vector<std::int64_t> weights = p_.weights_of(c);
    const QuantParams e = entry_of(*w.encoding, slice_of(*w.encoding, w.shape, weights.at(0)));
    double scale = e.scale;
    scale_.push_back(factor * scale);
    bias_.push_back(bias_code(c, factor * scale));
    Wide worst = worst_of(c, weights);
    if (p_.options.accumulator_bits == 32 && worst > power(31) - 1) {
      ++num_raised_;
      for (double margin = 0x1p-20; worst > power(31) - 1; margin *= 2.0) {
        if (p_.options.arithmetic >= Arithmetic::kShiftHalfUp) {
          scale *= 2.0;
        } else {
          const double wanted = scale * (static_cast<double>(worst) / 2147483647.0) * (1.0 + margin);
          auto rounded = static_cast<float>(wanted);
          if (static_cast<double>(rounded) < wanted) {
            rounded = std::nextafter(rounded, std::numeric_limits<float>::infinity());
          }
          scale = static_cast<double>(rounded);
        }
        for (const std::int64_t i : weights) {
          const double q = half_even(static_cast<double>(w.real->data<float>()[i]) / scale) + e.zero_point;
          const double on_grid = std::clamp(q, static_cast<double>(w.encoding->grid().q_min),
                                            static_cast<double>(w.encoding->grid().q_max));
          w_[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(on_grid) - e.zero_point;
        }
        scale_.back() = factor * scale;
        bias_.back() = bias_code(c, factor * scale);
        worst = worst_of(c, weights);
      }
    }
    worst_ = std::max(worst_, worst);
  }

  const Problem& p_;
  std::vector<std::int64_t> x_;
  std::vector<std::int64_t> w_;
  std::vector<std::int64_t> bias_;
  std::vector<double> scale_;
  Wide worst_ = 0;
  std::int64_t num_raised_ = 0;
};

inline void expect_exact(const Problem& p, const Oracle& oracle, Result<FixedForm> (*lower)(const FixedArgs&),
                         const std::string& what) {
  const Result<Outcome> outcome = run_fixed(p, lower);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message << "\n" << what;
  EXPECT_EQ(outcome->facts.accumulator.bits, oracle.bits()) << what;
  EXPECT_EQ(outcome->facts.accumulator.worst_case, static_cast<std::uint64_t>(oracle.worst())) << what;
  EXPECT_EQ(outcome->facts.accumulator.raised_channels, oracle.num_raised()) << what;
  for (std::size_t i = 0; i < outcome->codes.size(); ++i) {
    ASSERT_EQ(outcome->codes[i], oracle.code(static_cast<std::int64_t>(i))) << what << " at " << i;
  }
}

}  // namespace halfstep::ops::product_testing
