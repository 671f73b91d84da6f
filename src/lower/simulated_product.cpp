// simulated_product.cpp: integer-valued float operands in, values on the output's grid out.
#include "lower/simulated_product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "numerics/factor.hpp"
#include "ops/op_def.hpp"
#include "ops/operands.hpp"

namespace halfstep::lower {
namespace {

using graph::kNoValue;
using graph::Node;
using graph::ValueId;

constexpr std::size_t kScratchAlignment = 64;

/// Of channel `channel`, counted over and over where groups share them.
const QuantParams& repeated_params(const Encoding& encoding, std::size_t channel) {
  return encoding.params()[channel % encoding.params().size()];
}

/// The integers q - z of `codes` as float32.
Tensor centred(const Tensor& codes, const Encoding& encoding) {
  std::vector<QuantParams> steps = encoding.params();
  for (QuantParams& p : steps) p.scale = 1.0;
  const Result<Encoding> unscaled = encoding.axis()
                                        ? Encoding::per_channel(encoding.grid(), *encoding.axis(), std::move(steps))
                                        : Encoding::per_tensor(encoding.grid(), steps[0]);
  return dequantize(codes, *unscaled);
}

/// What finishes one output channel, in steps of the output's grid.
struct Channel {
  double factor = 0.0;  ///< s_x * s_w / s_y
  double bias = 0.0;    ///< b / s_y
  double low = 0.0;     ///< Grid bounds less the zero point, tightened by the clamp.
  double high = 0.0;
  float scale = 1.0F;  ///< s_y
};

/// The output as [outer, channels, inner].
struct Layout {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

double bound_in_steps(float bound, const QuantParams& y, double lowest, double highest) {
  return numerics::round_half_even(std::clamp(static_cast<double>(bound) / y.scale, lowest, highest));
}

Channel channel_of(const Node& node, const QuantParams& x, const Encoding& w, const Encoding& y, std::size_t c) {
  const QuantParams& out = repeated_params(y, c);
  Channel channel;
  channel.factor = x.scale * repeated_params(w, c).scale / out.scale;
  channel.low = static_cast<double>(y.grid().q_min) - out.zero_point;
  channel.high = static_cast<double>(y.grid().q_max) - out.zero_point;
  if (node.clamp) {
    const double lowest = channel.low;
    const double highest = channel.high;
    channel.low = bound_in_steps(node.clamp->min_of(c), out, lowest, highest);
    channel.high = bound_in_steps(node.clamp->max_of(c), out, lowest, highest);
  }
  channel.scale = static_cast<float>(out.scale);
  return channel;
}

/// b / s_y by channel. Codes that count in units of s_x * s_w (E6) are taken as integers: the float32 numbers they
/// stand for are rounded.
std::vector<double> bias_in_steps(const Tensor& real_b, const TensorEncoding* entry,
                                  const std::vector<Channel>& channels, const Encoding& y) {
  constexpr double kSameScale = 1.0 / (1 << 22);
  const std::vector<std::int64_t> codes =
      entry != nullptr && entry->codes ? to_int64s(*entry->codes) : std::vector<std::int64_t>();
  std::vector<double> steps;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const double scale = repeated_params(y, c).scale;
    const auto b = static_cast<double>(real_b.values<float>()[c]);
    const double unit = channels[c].factor * scale;  // s_x * s_w
    const bool counts_units = entry != nullptr && repeated_params(entry->encoding, c).zero_point == 0 &&
                              std::fabs(repeated_params(entry->encoding, c).scale / unit - 1.0) < kSameScale;
    if (!counts_units) {
      steps.push_back(b / scale);
    } else {
      const double code =
          codes.empty() ? std::nearbyint(b / repeated_params(entry->encoding, c).scale) : static_cast<double>(codes[c]);
      steps.push_back(code * channels[c].factor);
    }
  }
  return steps;
}

template <class Round>
void finish_row(float* y, std::int64_t count, const Channel& c, const Round& round) {
  for (std::int64_t i = 0; i < count; ++i) {
    double steps = static_cast<double>(y[i]) * c.factor + c.bias;
    steps = steps > c.low ? steps : c.low;
    steps = steps < c.high ? steps : c.high;
    y[i] = static_cast<float>(round(steps)) * c.scale;
  }
}

template <class Round>
void finish_rows(float* y, const Layout& layout, const std::vector<Channel>& channels, const Round& round) {
  if (layout.inner == 1) {
    for (std::int64_t o = 0; o < layout.outer; ++o) {
      for (const Channel& c : channels) finish_row(y++, 1, c, round);
    }
    return;
  }
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (const Channel& c : channels) {
      finish_row(y, layout.inner, c, round);
      y += layout.inner;
    }
  }
}

/// How many output channels read each channel of x, if x has a grid for each: then each product must be of one channel
/// of x, as in a depthwise convolution. With one grid for all: all of them. Empty: products mix grids.
std::optional<std::int64_t> outputs_per_input(const ops::OpDef& op, const Node& node, const Encoding& x,
                                              const Shape& input, const Shape& weight) {
  if (!x.axis()) return std::numeric_limits<std::int64_t>::max();
  const bool convolves = op.channels.channels_first && op.channels.weight_output_axis(node, weight) == 0;
  const std::int64_t groups = node.attributes.get_int("group", 1);
  if (!convolves || *x.axis() != 1 || input.rank() < 2 || groups != input[1] || weight[1] != 1) return std::nullopt;
  if (static_cast<std::int64_t>(x.params().size()) != groups || weight[0] % groups != 0) return std::nullopt;
  return weight[0] / groups;
}

/// The integers q - z behind real values: these are integers times the scale, up to float32 rounding, far from any tie.
/// `run` elements in a row have one scale.
void steps_of(std::span<const float> reals, const std::vector<double>& inv_scales, std::size_t run, float* steps) {
  for (std::size_t first = 0, channel = 0; first < reals.size(); first += run, ++channel) {
    const double inv_scale = inv_scales[channel % inv_scales.size()];
    for (std::size_t i = first; i < first + run; ++i) {
      steps[i] = static_cast<float>(numerics::round_half_even(static_cast<double>(reals[i]) * inv_scale));
    }
  }
}

bool fits_channels(const Encoding& encoding, std::optional<int> axis, std::int64_t channels) {
  if (encoding.is_per_tensor()) return true;
  return encoding.axis() == axis && static_cast<std::int64_t>(encoding.params().size()) == channels;
}

}  // namespace

Result<std::optional<ops::Prepared>> simulated_product(const ops::OpDef& op, const Node& node, FloatSteps& steps,
                                                       numerics::Rounding rounding) {
  const std::optional<ops::Prepared> none;
  if (op.channels.weight_output_axis == nullptr || node.inputs.size() < 2 || node.inputs[0] == kNoValue) return none;
  if (node.attributes.get_float("alpha", 1.0F) != 1.0F || node.attributes.get_float("beta", 1.0F) != 1.0F) return none;
  const Encoding* x = steps.encoding_of(node.inputs[0]);
  const TensorEncoding* w = steps.entry_of(node.inputs[1]);
  const Encoding* y = steps.encoding_of(node.outputs[0]);
  if (x == nullptr || w == nullptr || y == nullptr || steps.fact(node.inputs[0]).value) return none;
  Result<const Tensor*> real_w = steps.known_value(node.inputs[1]);
  if (!real_w.ok()) return real_w.error();
  if (*real_w == nullptr || !steps.is_float32(node.inputs[0])) return none;

  const TensorType& output = *steps.fact(node.outputs[0]).type;
  const int axis = ops::output_channel_axis(op, output.shape.rank());
  const Layout layout{output.shape.num_elements(0, axis), output.shape[axis],
                      output.shape.num_elements(axis + 1, output.shape.rank())};
  const Shape& weight = (*real_w)->shape();
  const std::optional<int> weight_axis = ops::weight_channel_axis(op, node, weight);
  const std::int64_t weight_channels = weight_axis ? weight[*weight_axis] : 1;
  if (!fits_channels(w->encoding, weight_axis, weight_channels) || !fits_channels(*y, axis, layout.channels))
    return none;
  if (weight_channels == 0 || layout.channels % weight_channels != 0) return none;

  const std::optional<std::int64_t> reads =
      outputs_per_input(op, node, *x, steps.fact(node.inputs[0]).type->shape, weight);
  if (!reads) return none;
  std::vector<Channel> channels;
  for (std::int64_t c = 0; c < layout.channels; ++c) {
    const QuantParams& params = repeated_params(*x, static_cast<std::size_t>(c / *reads));
    channels.push_back(channel_of(node, params, w->encoding, *y, static_cast<std::size_t>(c)));
  }
  const std::optional<std::size_t> bias_input = op.operands.find(ops::OperandRole::kBias);
  if (bias_input && node.inputs.size() > *bias_input && node.inputs[*bias_input] != kNoValue) {
    Result<const Tensor*> bias = steps.known_value(node.inputs[*bias_input]);
    if (!bias.ok()) return bias.error();
    if (*bias == nullptr || (*bias)->num_elements() != layout.channels) return none;
    const std::vector<double> steps_b = bias_in_steps(**bias, steps.entry_of(node.inputs[*bias_input]), channels, *y);
    for (std::size_t c = 0; c < channels.size(); ++c) channels[c].bias = steps_b[c];
  }

  Node bare = node;
  bare.clamp.reset();
  bare.inputs.resize(2);
  // Weights that carry no codes were put onto their grid by known_value(): the quotient is the integer again.
  const Tensor weights = centred(w->codes ? *w->codes : quantize(**real_w, w->encoding), w->encoding);
  const std::vector<const TensorType*> types{&*steps.fact(node.inputs[0]).type, &weights.type()};
  const std::vector<const Tensor*> values{nullptr, &weights};
  Result<ops::Prepared> inner = op.lower_float(ops::LowerArgs{{bare, types, values}, {&output, 1}, true});
  if (!inner.ok()) return inner.error();

  const auto x_elements = static_cast<std::size_t>(types[0]->shape.num_elements());
  const std::size_t x_bytes =
      (x_elements * sizeof(float) + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  ops::Prepared product;
  product.scratch_bytes = x_bytes + inner->scratch_bytes;
  product.clamps = true;
  const std::int64_t x_run =
      x->axis() ? types[0]->shape.num_elements(*x->axis() + 1, types[0]->shape.rank()) : types[0]->shape.num_elements();
  std::vector<double> inv_scales;
  for (const QuantParams& params : x->params()) inv_scales.push_back(1.0 / params.scale);
  product.run = [run = inner->run, weights, channels, layout, rounding, x_bytes, inv_scales,
                 x_run](const ops::KernelIo& io) -> Result<void> {
    auto* codes = reinterpret_cast<float*>(io.scratch.data());
    steps_of(io.inputs[0].values<float>(), inv_scales, static_cast<std::size_t>(x_run), codes);
    const std::array<ConstView, 2> inputs{ConstView{io.inputs[0].type, io.scratch.data()}, weights.view()};
    if (Result<void> ran = run({inputs, io.outputs, io.scratch.subspan(x_bytes)}); !ran.ok()) return ran;
    float* real_y = io.outputs[0].data<float>();
    if (rounding == numerics::Rounding::kHalfEven) {
      finish_rows(real_y, layout, channels, [](double value) { return numerics::round_half_even(value); });
    } else {
      finish_rows(real_y, layout, channels, [rounding](double value) { return numerics::round_by(value, rounding); });
    }
    return {};
  };
  return std::optional<ops::Prepared>(std::move(product));
}

}  // namespace halfstep::lower
