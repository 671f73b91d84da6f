// conv_draw.hpp: convolutions on codes, drawn at random, as problems that the oracle of products can answer.
#pragma once

#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "conv_run_node.hpp"
#include "product_draw.hpp"
#include "product_oracle.hpp"

namespace halfstep::ops::conv_testing {

using product_testing::draw;
using product_testing::Draw;
using product_testing::Operand;
using product_testing::Oracle;
using product_testing::Problem;

struct Geometry {
  bool transpose = false;
  int num_axes = 2;
  std::int64_t batch = 1, groups = 1, group_in = 1, group_out = 1;
  Ints in, kernel, stride, dilation, pad_begin, pad_end;
  bool per_channel_input = false;

  Shape x_shape() const {
    Shape x{batch, groups * group_in};
    for (const std::int64_t extent : in) x.push_back(extent);
    return x;
  }
  Shape w_shape() const {
    Shape w = transpose ? Shape{groups * group_in, group_out} : Shape{groups * group_out, group_in};
    for (const std::int64_t extent : kernel) w.push_back(extent);
    return w;
  }
  std::int64_t out(std::size_t i) const {
    const std::int64_t window = (kernel[i] - 1) * dilation[i] + 1;
    if (transpose) return (in[i] - 1) * stride[i] + window - pad_begin[i] - pad_end[i];
    return (in[i] + pad_begin[i] + pad_end[i] - window) / stride[i] + 1;
  }
  bool valid() const {
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::int64_t window = (kernel[i] - 1) * dilation[i] + 1;
      if (out(i) < 1 || (!transpose && in[i] + pad_begin[i] + pad_end[i] < window)) return false;
    }
    return true;
  }
  Shape y_shape() const {
    Shape y{batch, groups * group_out};
    for (std::size_t i = 0; i < in.size(); ++i) y.push_back(out(i));
    return y;
  }
  std::string describe() const {
    return std::string(transpose ? "transposed" : "plain") + " x " + to_string(x_shape()) + " w " +
           to_string(w_shape()) + " groups " + std::to_string(groups) + " stride " + to_string(Shape(stride)) +
           " dilation " + to_string(Shape(dilation)) + " pads " + to_string(Shape(pad_begin)) + " " +
           to_string(Shape(pad_end));
  }
};

inline Ints unravel(std::int64_t index, const Ints& extents) {
  Ints at(extents.size());
  for (std::size_t i = extents.size(); i-- > 0;) {
    at[i] = index % extents[i];
    index /= extents[i];
  }
  return at;
}

inline std::int64_t size_of(const Ints& extents) {
  std::int64_t size = 1;
  for (const std::int64_t extent : extents) size *= extent;
  return size;
}

// The input element that tap `tap` of output `at` reads (or, transposed, that lands there), if there is one.
inline std::optional<std::int64_t> source(const Geometry& g, const Ints& at, const Ints& tap) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    std::int64_t x = 0;
    if (g.transpose) {
      const std::int64_t landed = at[i] + g.pad_begin[i] - tap[i] * g.dilation[i];
      if (landed < 0 || landed % g.stride[i] != 0) return std::nullopt;
      x = landed / g.stride[i];
    } else {
      x = at[i] * g.stride[i] + tap[i] * g.dilation[i] - g.pad_begin[i];
    }
    if (x < 0 || x >= g.in[i]) return std::nullopt;
    index = index * g.in[i] + x;
  }
  return index;
}

inline std::int64_t weight_index(const Geometry& g, std::int64_t oc, std::int64_t ic, std::int64_t tap) {
  const std::int64_t taps = size_of(g.kernel);
  if (!g.transpose) return (oc * g.group_in + ic) * taps + tap;
  return ((oc / g.group_out * g.group_in + ic) * g.group_out + oc % g.group_out) * taps + tap;
}

inline Problem problem_of(const Geometry& g, Operand x, Operand w) {
  Problem p;
  p.node = make_node(g.transpose ? "ConvTranspose" : "Conv", 2);
  set_windows(p.node, g.stride, g.dilation, g.pad_begin, g.pad_end, g.groups);
  p.operands = {std::move(x), std::move(w)};
  p.y_shape = g.y_shape();
  p.num_channels = g.groups * g.group_out;
  if (g.per_channel_input) p.multiplier = g.group_out;
  Ints out;
  for (std::size_t i = 0; i < g.in.size(); ++i) out.push_back(g.out(i));
  p.channel_of = [g, out](std::int64_t index) { return index / size_of(out) % (g.groups * g.group_out); };
  std::vector<Ints> taps;
  for (std::int64_t tap = 0; tap < size_of(g.kernel); ++tap) taps.push_back(unravel(tap, g.kernel));
  p.terms = [g, out, taps](std::int64_t index, std::vector<std::pair<std::int64_t, std::int64_t>>& terms) {
    const Ints at = unravel(index % size_of(out), out);
    const std::int64_t oc = index / size_of(out) % (g.groups * g.group_out);
    const std::int64_t n = index / size_of(out) / (g.groups * g.group_out);
    for (std::size_t tap = 0; tap < taps.size(); ++tap) {
      const std::optional<std::int64_t> place = source(g, at, taps[tap]);
      if (!place) continue;
      for (std::int64_t ic = 0; ic < g.group_in; ++ic) {
        const std::int64_t channel = oc / g.group_out * g.group_in + ic;
        terms.emplace_back((n * g.groups * g.group_in + channel) * size_of(g.in) + *place,
                           weight_index(g, oc, ic, static_cast<std::int64_t>(tap)));
      }
    }
  };
  p.weights_of = [g](std::int64_t oc) {
    std::vector<std::int64_t> weights;
    for (std::int64_t ic = 0; ic < g.group_in; ++ic) {
      for (std::int64_t tap = 0; tap < size_of(g.kernel); ++tap) weights.push_back(weight_index(g, oc, ic, tap));
    }
    return weights;
  };
  return p;
}

inline Geometry draw_geometry(std::mt19937& rng, bool transpose) {
  while (true) {
    Geometry g;
    g.transpose = transpose;
    g.num_axes = static_cast<int>(std::array{1, 2, 2, 2, 3}[static_cast<std::size_t>(draw(rng, 0, 4))]);
    g.batch = draw(rng, 1, 2);
    switch (draw(rng, 0, 3)) {
      case 0:  // Channel by channel.
        g.groups = draw(rng, 1, 5);
        g.group_out = draw(rng, 1, 2);
        g.per_channel_input = draw(rng, 0, 1) == 0;
        break;
      case 1:
        g.groups = draw(rng, 2, 3);
        g.group_in = draw(rng, 1, 4);
        g.group_out = draw(rng, 1, 4);
        break;
      default:
        g.group_in = draw(rng, 1, 12);
        g.group_out = draw(rng, 1, 20);
    }
    const bool pointwise = draw(rng, 0, 3) == 0;
    for (int i = 0; i < g.num_axes; ++i) {
      g.kernel.push_back(pointwise ? 1 : draw(rng, 1, 4));
      g.stride.push_back(pointwise ? 1 : draw(rng, 1, 3));
      g.dilation.push_back(pointwise ? 1 : draw(rng, 1, 3));
      g.pad_begin.push_back(pointwise ? 0 : draw(rng, 0, 3));
      g.pad_end.push_back(pointwise ? 0 : draw(rng, 0, 3));
      g.in.push_back(draw(rng, 1, g.num_axes == 3 ? 4 : (g.num_axes == 2 ? 9 : 40)));
    }
    if (g.valid()) return g;
  }
}

inline constexpr std::array kAllArithmetics = {Arithmetic::kFloatHalfEven, Arithmetic::kQ31Single,
                                               Arithmetic::kQ31Double,     Arithmetic::kShiftHalfUp,
                                               Arithmetic::kShiftHalfEven, Arithmetic::kShiftHalfAway};

inline void add_bias(Draw& d, Problem& p) {
  if (draw(d.rng, 0, 2) == 0) return;
  const Problem without = p;
  const Oracle oracle(without);
  std::vector<double> scales(static_cast<std::size_t>(p.num_channels));
  for (std::int64_t out = 0; out < p.y_shape.num_elements(); ++out) {
    scales[static_cast<std::size_t>(p.channel_of(out))] = oracle.acc_scale(out);
  }
  p.operands.push_back(d.bias(Shape{p.num_channels}, scales));
  p.node.inputs.push_back(9);
}

inline Problem draw_problem(std::mt19937& rng, bool transpose, Arithmetic arithmetic, int accumulator_bits) {
  Draw d{rng, needs_power_of_two(arithmetic) || draw(rng, 0, 3) == 0};
  const Geometry g = draw_geometry(rng, transpose);
  const IntGrid x_grid = d.activation_grid();
  const IntGrid w_grid = d.weight_grid();
  const bool symmetric = draw(rng, 0, 2) != 0;
  const int axis = transpose ? 1 : 0;
  const bool per_channel = draw(rng, 0, 1) == 0;
  Problem p =
      problem_of(g,
                 d.activation(g.x_shape(), g.per_channel_input ? d.encoding(x_grid, false, 1, g.groups * g.group_in)
                                                               : d.encoding(x_grid, false)),
                 d.weight(g.w_shape(), per_channel ? d.encoding(w_grid, symmetric, axis, g.w_shape()[axis])
                                                   : d.encoding(w_grid, symmetric)));
  p.options = {.arithmetic = arithmetic, .accumulator_bits = accumulator_bits};
  p.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
  add_bias(d, p);
  d.output(p, 1);
  return p;
}

inline std::string what_of(const Problem& p, int trial) {
  return "trial " + std::to_string(trial) + " " + p.node.op_type + " x " + to_string(p.operands[0].shape) + " w " +
         to_string(p.operands[1].shape) + " " + std::string(name_of(p.options.arithmetic));
}

}  // namespace halfstep::ops::conv_testing
