// float_rule.hpp: float_half_even as the processor's own float32 arithmetic computes it, for the oracles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace halfstep::ops {

/// f = [[s_acc] / s_y].
inline float float_rule_factor(double acc_scale, double scale_y) {
  return static_cast<float>(acc_scale) / static_cast<float>(scale_y);
}

/// round([acc] * f), saturated to int32; `ties` counts the products that lie halfway.
inline std::int64_t float_rule_steps(std::int64_t acc, float factor, int* ties = nullptr) {
  const float product = static_cast<float>(acc) * factor;
  const float steps = std::nearbyint(product);
  if (ties != nullptr && std::fabs(product - steps) == 0.5F) ++*ties;
  return static_cast<std::int64_t>(std::clamp(static_cast<double>(steps), -2147483648.0, 2147483647.0));
}

}  // namespace halfstep::ops
