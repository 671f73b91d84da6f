// product_weights.cpp: constant weights and their encodings as the integers of a Product.
#include "ops/linear/product_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/errors.hpp"
#include "numerics/rounding.hpp"
#include "ops/linear/weight_codes.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

// Beyond this nothing is promised of 64-bit sums; real models stay far below.
constexpr std::int64_t kMaxAccumulator64 = std::int64_t{1} << 60;
// Scales are not raised beyond this, so that they stay float32 numbers.
constexpr double kMaxScale = 1e37;

// To nearest, halves to even, of any finite number.
double round_half_even_wide(double x) {
  if (std::fabs(x) <= 0x1p51) return numerics::round_half_even(x);
  const double below = std::floor(x);
  const double rest = x - below;
  if (rest != 0.5) return rest > 0.5 ? below + 1.0 : below;
  return std::fmod(below, 2.0) == 0.0 ? below : below + 1.0;
}

// The integers and reals of operand 2.
class Bias {
 public:
  static Result<Bias> of(const FixedArgs& args, const ProductSpec& spec) {
    Bias bias(spec);
    if (!args.has(2)) return bias;
    const std::int64_t count = args.shape(2).num_elements();
    const Encoding* encoding = args.input_encoding(2);
    if (encoding != nullptr && args.code(2) != nullptr) {
      const std::size_t num_params = encoding->params().size();
      if (args.code(2)->num_elements() != count || (num_params != 1 && std::cmp_not_equal(num_params, count))) {
        return unsupported("the bias's encoding does not fit its shape");
      }
      bias.codes_ = to_int64s(*args.code(2));
      bias.params_ = encoding->params();
      for (std::size_t i = 0; i < bias.codes_.size(); ++i) {
        const QuantParams& p = bias.params_[num_params == 1 ? 0 : i];
        bias.reals_.push_back(p.scale * static_cast<double>(bias.codes_[i] - p.zero_point));
      }
      return bias;
    }
    const Tensor* real = args.value(2);
    if (real == nullptr || real->dtype() != DType::kFloat32) return unsupported("the bias is not constant");
    for (const float x : real->values<float>()) {
      if (!std::isfinite(x)) return unsupported("the bias contains NaN or infinity");
      bias.reals_.push_back(static_cast<double>(x));
    }
    return bias;
  }

  /// The bias of `channel` in units of `acc_scale`, saturated at beyond kMaxAccumulator64.
  std::int64_t code(std::int64_t channel, double acc_scale) const {
    if (reals_.empty()) return 0;
    const auto element = static_cast<std::size_t>(channel * spec_.bias_step);
    if (!codes_.empty() && spec_.beta == 1.0) {
      const QuantParams& p = params_[params_.size() == 1 ? 0 : element];
      // A file stores the product of scales rounded to float32.
      if (p.zero_point == 0 && std::fabs(p.scale - acc_scale) <= 0x1p-22 * acc_scale) return codes_[element];
    }
    constexpr double kBeyond = 2.0 * static_cast<double>(kMaxAccumulator64);
    const double steps = spec_.beta * reals_[element] / acc_scale;
    return static_cast<std::int64_t>(round_half_even_wide(std::clamp(steps, -kBeyond, kBeyond)));
  }

 private:
  explicit Bias(const ProductSpec& spec) : spec_(spec) {}

  const ProductSpec& spec_;
  std::vector<double> reals_;
  std::vector<std::int64_t> codes_;
  std::vector<QuantParams> params_;
};

// One output channel as integers.
struct Channel {
  double acc_scale = 0.0;
  std::int64_t bias = 0;
  std::uint64_t worst_case = 0;
};

class Builder {
 public:
  Builder(const FixedArgs& args, const ProductSpec& spec, const WeightCodes& weights, const Bias& bias)
      : args_(args), spec_(spec), weights_(weights), bias_(bias) {}

  Result<BuiltProduct> build() {
    const Encoding& x = *args_.input_encoding(0);
    for (std::size_t i = 0; i < x.params().size(); ++i) built_.centres.push_back(centre_of(x, i));
    built_.product.rows = spec_.rows;
    built_.product.rows_per_channel = spec_.rows_per_channel;
    built_.product.y_dtype = storage_dtype(args_.output_encoding()->grid());
    left_.resize(static_cast<std::size_t>(spec_.rows * spec_.k));
    const std::int64_t num_channels = spec_.rows / spec_.rows_per_channel;
    for (std::int64_t c = 0; c < num_channels; ++c) {
      if (auto added = add_channel(c); !added.ok()) return added.error();
    }
    AccumulatorProof& proof = built_.facts.accumulator;
    proof.bits = proof.worst_case <= static_cast<std::uint64_t>(kMaxAccumulator32) ? 32 : 64;
    if (num_channels == 1) proof.worst_channel = -1;
    if (proof.raised_channels > 0) {
      built_.facts.warnings.push_back("the weight scale of " + std::to_string(proof.raised_channels) + " of " +
                                      std::to_string(num_channels) +
                                      " channels was raised, to keep the sums within 32 bits");
    }
    if (built_.product.y_dtype == DType::kInt32 && proof.bits != 32) {
      return unsupported("accumulators of more than 32 bits are wanted as the output");
    }
    finish(proof.bits);
    return std::move(built_);
  }

 private:
  Channel integers_of(std::int64_t c, double scale, std::optional<double> raised_scale) {
    const std::size_t entry = spec_.input_entry(c);
    const Encoding& x = *args_.input_encoding(0);
    const std::int64_t count = spec_.rows_per_channel * spec_.k;
    std::int32_t* w = left_.data() + c * count;
    weights_.fill(c, raised_scale, w);
    Channel channel;
    channel.acc_scale = std::fabs(spec_.alpha) * params_of(x, entry).scale * scale;
    channel.bias = bias_.code(c, channel.acc_scale);
    const CodeRange range = centred_range(x, entry);
    const SumRange sum = SumRange::of_weights({w, static_cast<std::size_t>(count)}, range.min, range.max);
    channel.worst_case =
        static_cast<std::uint64_t>(sum.largest_magnitude()) + static_cast<std::uint64_t>(std::abs(channel.bias));
    return channel;
  }

  // The smallest scale, as far as rounding lets one say so, at which the sums of channel `c` fit 32 bits: the excess
  // is taken out of the scale, and a growing margin for what recoding adds.
  Result<Channel> raise(std::int64_t c, double scale, Channel channel) {
    const bool doubles = needs_power_of_two(args_.options.arithmetic);
    const auto limit = static_cast<double>(kMaxAccumulator32);
    for (double margin = 0x1p-20; channel.worst_case > static_cast<std::uint64_t>(kMaxAccumulator32); margin *= 2.0) {
      const double excess = static_cast<double>(channel.worst_case) / limit;
      const double wanted = doubles ? 2.0 * scale : scale * excess * (1.0 + margin);
      if (!(wanted < kMaxScale)) return unsupported("no weight scale keeps the sums within 32 bits");
      scale = numerics::to_float32_up(wanted);
      channel = integers_of(c, scale, scale);
    }
    ++built_.facts.accumulator.raised_channels;
    return channel;
  }

  Result<void> add_channel(std::int64_t c) {
    const Result<double> scale = weights_.scale(c);
    if (!scale.ok()) return scale.error();
    Channel channel = integers_of(c, *scale, std::nullopt);
    if (args_.options.accumulator_bits == 32 && channel.worst_case > static_cast<std::uint64_t>(kMaxAccumulator32)) {
      const Result<Channel> raised = raise(c, *scale, channel);
      if (!raised.ok()) return raised.error();
      channel = *raised;
    }
    if (channel.worst_case > static_cast<std::uint64_t>(kMaxAccumulator64)) {
      return unsupported("the bias or the sums exceed 64-bit accumulators");
    }
    const std::size_t entry = spec_.output_entry(c);
    const Result<numerics::Requantizer> requantizer = std::fabs(spec_.alpha) == 1.0
                                                          ? output_requantizer(args_, channel.acc_scale, entry)
                                                          : output_requantizer_plain(args_, channel.acc_scale, entry);
    if (!requantizer.ok()) return requantizer.error();
    built_.product.requantizers.push_back(*requantizer);
    built_.product.channel_bias.push_back(channel.bias);
    built_.facts.factors.push_back(requantizer->factor);
    AccumulatorProof& proof = built_.facts.accumulator;
    if (proof.worst_channel < 0 || channel.worst_case > proof.worst_case) {
      proof.worst_case = channel.worst_case;
      proof.worst_channel = c;
    }
    return {};
  }

  void finish(int accumulator_bits) {
    Product& p = built_.product;
    const bool bytes = spec_.packing != Packing::kNone && all_are_bytes();
    if (bytes) {
      for (std::size_t i = 0; i < built_.centres.size(); ++i) built_.centres[i] = byte_centre(i);
    }
    const bool starts_fit = add_starts();
    p.plan = plan_sums(spec_.k, left_, fed(), accumulator_bits, starts_fit);
    if (p.plan.mode == SumMode::kDirect && (bytes || spec_.packing == Packing::kAny)) {
      pack_weights(left_, spec_.k_run, bytes ? kernels::Group::kQuads : kernels::Group::kPairs, p);
    } else {
      lay_out_weights(std::move(left_), p);
    }
  }

  // Of codes read as unsigned bytes.
  Centre byte_centre(std::size_t entry) const {
    const Encoding& x = *args_.input_encoding(0);
    const std::int32_t lowest = is_signed(x.grid()) ? -128 : 0;
    return {.centre = lowest, .zero = static_cast<std::int16_t>(params_of(x, entry).zero_point - lowest)};
  }

  bool all_are_bytes() const {
    return size_in_bytes(storage_dtype(args_.input_encoding(0)->grid())) == 1 &&
           std::ranges::all_of(left_, [](std::int32_t w) { return w == static_cast<std::int8_t>(w); });
  }

  // What codes lie between as they are fed.
  CentredRange fed() const {
    const Encoding& x = *args_.input_encoding(0);
    CentredRange all{.min = std::numeric_limits<std::int64_t>::max(), .max = std::numeric_limits<std::int64_t>::min()};
    for (const Centre& centre : built_.centres) {
      all.min = std::min<std::int64_t>(all.min, std::int64_t{x.grid().q_min} - centre.centre);
      all.max = std::max<std::int64_t>(all.max, std::int64_t{x.grid().q_max} - centre.centre);
    }
    return all;
  }

  // Fills row_start; false if one does not fit 32 bits, with or without the bias.
  bool add_starts() {
    Product& p = built_.product;
    bool fit = true;
    for (std::int64_t row = 0; row < p.rows; ++row) {
      const std::int64_t c = row / p.rows_per_channel;
      const std::size_t entry = spec_.input_entry(c);
      const std::span row_weights(left_.data() + row * spec_.k, static_cast<std::size_t>(spec_.k));
      const std::int64_t sum = std::accumulate(row_weights.begin(), row_weights.end(), std::int64_t{0});
      // sum w (x - z) = sum w (x - centre) + (centre - z) sum w, and the centred zero is z - centre.
      p.row_start.push_back(-sum * built_.centres[built_.centres.size() == 1 ? 0 : entry].zero);
      const std::int64_t with_bias = p.row_start.back() + p.channel_bias[static_cast<std::size_t>(c)];
      fit = fit && std::abs(p.row_start.back()) <= kMaxAccumulator32 && std::abs(with_bias) <= kMaxAccumulator32;
    }
    return fit;
  }

  const FixedArgs& args_;
  const ProductSpec& spec_;
  const WeightCodes& weights_;
  const Bias& bias_;
  BuiltProduct built_;
  std::vector<std::int32_t> left_;  // [rows][k].
};

}  // namespace

Result<void> require_channel_axis(const Encoding& encoding, int axis, std::int64_t extent, std::string_view what) {
  if (!encoding.axis()) return {};
  if (*encoding.axis() != axis) {
    return unsupported(std::string(what) + " has an encoding for each slice along axis " +
                       std::to_string(*encoding.axis()));
  }
  if (std::cmp_equal(encoding.params().size(), extent)) return {};
  return unsupported(std::string(what) + " has " + std::to_string(encoding.params().size()) + " scales, expected " +
                     std::to_string(extent));
}

Centre centre_of(const Encoding& encoding, std::size_t entry) {
  const CodeRange range = centred_range(encoding, entry);
  const std::int32_t zero_point = params_of(encoding, entry).zero_point;
  const bool fits =
      range.min >= std::numeric_limits<std::int16_t>::min() && range.max <= std::numeric_limits<std::int16_t>::max();
  std::int32_t centre = zero_point;
  if (!fits) centre = is_signed(encoding.grid()) ? 0 : 32768;
  return {.centre = centre, .zero = static_cast<std::int16_t>(zero_point - centre)};
}

CentredRange fed_range(const Encoding& encoding, std::size_t entry) {
  const std::int64_t centre = centre_of(encoding, entry).centre;
  return {encoding.grid().q_min - centre, encoding.grid().q_max - centre};
}

std::vector<std::optional<Tensor>> constant_codes(const FixedArgs& args, std::size_t count) {
  std::vector<std::optional<Tensor>> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (args.code(i) != nullptr) codes[i] = *args.code(i);
  }
  return codes;
}

FixedForm empty_fixed_form() {
  FixedForm form;
  form.prepared = {.run = [](const KernelIo&) -> Result<void> { return {}; }, .scratch_bytes = 0, .clamps = true};
  form.facts.kernel = "nothing to compute";
  return form;
}

Result<BuiltProduct> build_product(const FixedArgs& args, const ProductSpec& spec) {
  if (auto encoded = require_encodings(args, 2); !encoded.ok()) return encoded.error();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto fits = require_short_codes(*args.input_encoding(i), i == 0 ? "the input" : "the weight");
    if (!fits.ok()) return fits.error();
  }
  if (!std::isfinite(spec.alpha) || !std::isfinite(spec.beta) || spec.alpha == 0.0) {
    return unsupported("alpha is 0, or alpha or beta is not finite");
  }
  const Result<WeightCodes> weights = WeightCodes::of(args, spec);
  if (!weights.ok()) return weights.error();
  const Result<Bias> bias = Bias::of(args, spec);
  if (!bias.ok()) return bias.error();
  return Builder(args, spec, *weights, *bias).build();
}

}  // namespace halfstep::ops
