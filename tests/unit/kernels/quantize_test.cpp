// quantize_test.cpp: rounding onto a grid and back, against integers.
#include "kernels/quantize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// QuantizeLinear, then DequantizeLinear, through a wide integer.
float through_integer(float x, float scale, std::int32_t zero_point, GridBounds bounds) {
  const float steps = x / scale;
  if (std::isnan(steps)) return steps;
  const double q = std::nearbyint(double{steps}) + zero_point;
  const double clamped = std::fmin(std::fmax(q, bounds.q_min), bounds.q_max);
  return static_cast<float>(static_cast<std::int64_t>(clamped) - zero_point) * scale;
}

void expect_same_bits(float actual, float expected, float x, float scale, std::int32_t zero_point) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual));
    return;
  }
  ASSERT_EQ(std::memcmp(&actual, &expected, sizeof actual), 0)
      << x << " scale " << scale << " zero point " << zero_point << ": " << actual << ", expected " << expected;
}

struct Case {
  GridBounds bounds;
  std::int32_t zero_point;
  float scale;
};

std::vector<Case> cases() {
  return {{{0, 255}, 128, 0.1F},
          {{0, 255}, 0, 0.25F},
          {{-128, 127}, -3, 0.007F},
          {{-127, 127}, 0, 0.5F},
          {{-8, 7}, 0, 1.0F},
          {{0, 65535}, 32768, 1e-4F},
          {{-32768, 32767}, 17, 3e-5F},
          {{0, 255}, 3, 1e-38F},
          {{-128, 127}, 0, 1e30F},
          {{0, 1 << 20}, 5, 0.001F},
          {{-(1 << 23), 1 << 23}, 0, 0.5F},
          {{-2147483647 - 1, 2147483647}, 0, 0.125F}};
}

// Random values, exact halves, and what lies beyond the grid.
std::vector<float> values_for(const Case& c, std::mt19937& rng) {
  const float low = static_cast<float>(std::int64_t{c.bounds.q_min} - c.zero_point);
  const float high = static_cast<float>(std::int64_t{c.bounds.q_max} - c.zero_point);
  std::vector<float> x = random_floats(rng, 1000, low * 1.1F - 1.0F, high * 1.1F + 1.0F);
  for (int i = -150; i < 150; ++i) x.push_back(static_cast<float>(i) + 0.5F);
  for (float& value : x) value *= c.scale;
  for (const float special : {0.0F, -0.0F, kInfinity, -kInfinity, 1e-45F, -1e-45F, 3e38F, -3e38F, -0.3F * c.scale,
                              std::numeric_limits<float>::quiet_NaN()}) {
    x.push_back(special);
  }
  return x;
}

class QuantizeOnEachIsa : public EachIsa {};

TEST_P(QuantizeOnEachIsa, PerTensorMatchesTheWayThroughIntegers) {
  std::mt19937 rng(5150);
  for (const Case& c : cases()) {
    const std::vector<float> x = values_for(c, rng);
    std::vector<float> y(x.size());
    table().quantize_dequantize(x.data(), y.data(), static_cast<std::int64_t>(x.size()), c.scale, c.zero_point,
                                c.bounds);
    for (std::size_t i = 0; i < x.size(); ++i) {
      expect_same_bits(y[i], through_integer(x[i], c.scale, c.zero_point, c.bounds), x[i], c.scale, c.zero_point);
      if (HasFatalFailure()) return;
    }
    std::vector<float> in_place = x;
    table().quantize_dequantize(in_place.data(), in_place.data(), static_cast<std::int64_t>(x.size()), c.scale,
                                c.zero_point, c.bounds);
    EXPECT_EQ(std::memcmp(in_place.data(), y.data(), y.size() * sizeof(float)), 0);
  }
}

// With scale 0.5: 0.25 is half a step and goes to 0, 0.75 is one and a half and goes to 2 steps.
TEST_P(QuantizeOnEachIsa, HalvesGoToEven) {
  const std::vector<float> x = {0.25F, 0.75F, 1.25F, -0.25F, -0.75F, -1.25F};
  std::vector<float> y(x.size());
  table().quantize_dequantize(x.data(), y.data(), 6, 0.5F, 0, {-128, 127});
  EXPECT_EQ(y, (std::vector<float>{0.0F, 1.0F, 1.0F, 0.0F, -1.0F, -1.0F}));
}

TEST_P(QuantizeOnEachIsa, PerChannelMatchesTheWayThroughIntegers) {
  std::mt19937 rng(5151);
  for (const std::int64_t inner : {1, 7, 33}) {
    for (const std::int64_t channels : {1, 5, 300}) {
      for (const GridBounds bounds : {GridBounds{-128, 127}, GridBounds{-(1 << 24), 1 << 24}}) {
        const std::int64_t outer = 3;
        const std::vector<float> x = random_floats(rng, outer * channels * inner, -20.0F, 20.0F);
        const std::vector<float> scales = random_floats(rng, channels, 0.01F, 0.2F);
        std::vector<std::int32_t> zero_points;
        for (std::int64_t i = 0; i < channels; ++i) zero_points.push_back(static_cast<std::int32_t>(i % 7) - 3);
        std::vector<float> y(x.size());
        std::vector<float> in_place = x;
        table().quantize_dequantize_per_channel(x.data(), y.data(), outer, channels, inner, scales.data(),
                                                zero_points.data(), bounds);
        table().quantize_dequantize_per_channel(in_place.data(), in_place.data(), outer, channels, inner, scales.data(),
                                                zero_points.data(), bounds);
        EXPECT_EQ(in_place, y);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t channel = i / static_cast<std::size_t>(inner) % static_cast<std::size_t>(channels);
          expect_same_bits(y[i], through_integer(x[i], scales[channel], zero_points[channel], bounds), x[i],
                           scales[channel], zero_points[channel]);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// The codes alone, and back: the same as both at once, but that NaN has to become a code.
TEST_P(QuantizeOnEachIsa, CodesAndBackMatchBothAtOnce) {
  std::mt19937 rng(5152);
  for (const Case& c : cases()) {
    const DType dtype = c.bounds.q_max - std::int64_t{c.bounds.q_min} > 255
                            ? (c.bounds.q_min < 0 ? DType::kInt16 : DType::kUint16)
                            : (c.bounds.q_min < 0 ? DType::kInt8 : DType::kUint8);
    if (c.bounds.q_max > 65535 || c.bounds.q_min < -32768) continue;
    std::vector<float> x = values_for(c, rng);
    x.back() = 0.0F;
    const auto count = static_cast<std::int64_t>(x.size());
    std::vector<float> expected(x.size());
    std::vector<float> y(x.size());
    std::vector<std::int16_t> q(x.size());
    table().quantize_dequantize(x.data(), expected.data(), count, c.scale, c.zero_point, c.bounds);
    table().quantize_codes(x.data(), count, c.scale, c.zero_point, c.bounds, dtype, q.data());
    table().dequantize_codes(q.data(), dtype, count, c.scale, c.zero_point, y.data());
    for (std::size_t i = 0; i < x.size(); ++i) expect_same_bits(y[i], expected[i], x[i], c.scale, c.zero_point);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    table().quantize_codes(&nan, 1, c.scale, c.zero_point, c.bounds, dtype, q.data());
    table().dequantize_codes(q.data(), dtype, 1, c.scale, c.zero_point, y.data());
    EXPECT_EQ(y[0], static_cast<float>(c.bounds.q_min - c.zero_point) * c.scale);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, QuantizeOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
