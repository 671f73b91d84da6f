// bias_grids.cpp: equation (E6) and its overflow rule.
#include "precision/bias_grids.hpp"

#include <algorithm>
#include <cmath>

#include "numerics/rounding.hpp"

namespace halfstep::precision {
namespace {

/// Products of scales below this come too close to the smallest float32.
constexpr double kMinBiasScale = 1e-35;

double power_of_two_up(double x) { return std::ldexp(1.0, numerics::ceil_log2(x)); }

}  // namespace

std::optional<std::int64_t> num_bias_channels(const Tensor& bias, std::int64_t num_weight_channels) {
  if (bias.shape().rank() != 1) return std::nullopt;
  const std::int64_t extent = bias.shape()[bias.shape().rank() - 1];
  if (extent == 0 || num_weight_channels == 0 || extent % num_weight_channels != 0) return std::nullopt;
  return extent;
}

RaisedScales raise_for_bias(const Tensor& bias, std::span<const double> input_scales, ScaleKind kind,
                            ParameterGrid& weights) {
  // The factor covers the rounding of scale_x * scale_w to float32.
  constexpr double kMargin = 1.0 + 1.0 / (1 << 22);
  const std::span<const float> real_b = bias.values<float>();
  const std::size_t extent = static_cast<std::size_t>(bias.shape()[bias.shape().rank() - 1]);
  std::vector<double> needed(weights.params.size(), 0.0);
  for (std::size_t i = 0; i < real_b.size(); ++i) {
    const double scale_b = std::max(std::fabs(static_cast<double>(real_b[i])) / kMaxBiasCode, kMinBiasScale);
    double& channel = needed[i % extent % needed.size()];
    channel = std::max(channel, scale_b / input_scales[i % extent % input_scales.size()] * kMargin);
  }
  RaisedScales raised;
  for (std::size_t c = 0; c < needed.size(); ++c) {
    double& scale = weights.params[c].scale;
    if (scale >= needed[c]) continue;
    const double wanted =
        kind == ScaleKind::kPowerOfTwo ? power_of_two_up(needed[c]) : numerics::to_float32_up(needed[c]);
    if (wanted > largest_scale(weights.grid, weights.params[c].zero_point)) continue;
    ++raised.num_channels;
    raised.largest_factor = std::max(raised.largest_factor, wanted / scale);
    scale = wanted;
  }
  return raised;
}

Result<Encoding> bias_encoding(const Tensor& bias, std::span<const double> input_scales, const Encoding& weights) {
  const IntGrid grid = signed_grid(32);
  const std::vector<QuantParams>& params = weights.params();
  if (params.size() == 1 && input_scales.size() == 1) {
    return Encoding::per_tensor(grid, {input_scales[0] * params[0].scale, 0});
  }
  const int axis = bias.shape().rank() - 1;
  std::vector<QuantParams> products;
  for (std::size_t i = 0; i < static_cast<std::size_t>(bias.shape()[axis]); ++i) {
    products.push_back({input_scales[i % input_scales.size()] * params[i % params.size()].scale, 0});
  }
  return Encoding::per_channel(grid, axis, std::move(products));
}

bool bias_fits(const Tensor& bias, const Encoding& encoding) {
  const std::vector<QuantParams>& params = encoding.params();
  const std::span<const float> real_b = bias.values<float>();
  for (std::size_t i = 0; i < real_b.size(); ++i) {
    if (std::fabs(static_cast<double>(real_b[i])) > kMaxBiasCode * params[i % params.size()].scale) return false;
  }
  return true;
}

bool same_bias_scales(const Tensor& bias, const Encoding& a, const Encoding& b) {
  constexpr double kRounding = 1e-5;
  const auto scale_at = [](const Encoding& encoding, std::size_t i) {
    return encoding.params()[i % encoding.params().size()].scale;
  };
  for (std::size_t i = 0; i < static_cast<std::size_t>(bias.num_elements()); ++i) {
    if (std::fabs(scale_at(a, i) / scale_at(b, i) - 1.0) > kRounding) return false;
  }
  return true;
}

}  // namespace halfstep::precision
