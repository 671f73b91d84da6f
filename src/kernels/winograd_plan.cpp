// winograd_plan.cpp: when Winograd's convolution pays, its weights, and the layout of its scratch.
#include "kernels/winograd_plan.hpp"

#include <algorithm>
#include <array>

#include "kernels/isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr std::int64_t kVector = 16;

// Each input element is transformed once for all output channels, each output once for all input channels. First layers
// on raw pixels have fewer: what is lost there by the transforms comes out of yolox_nano as 1.2e-4 of its range.
constexpr std::int64_t kMinWinogradInputs = 16;
constexpr std::int64_t kMinWinogradOutputs = 16;
// With few tiles to share them, reading the transformed weights takes as long as plain sums.
constexpr std::int64_t kMinWinogradOutputsEach = 400;
// Where plain sums take twice as long. Measured with AVX2 (Zen 3): 256x64 channels of 13x13 take 0.75 of the time.
constexpr std::int64_t kMinWinogradOutputsOfEight = 160;
// The transformed weights are four times as large; beyond this they come from memory each time.
constexpr std::int64_t kMaxTransformedFloats = 1024 * 1024;
// Of a band: what one channel of inputs and of outputs becomes, 36 * 256 floats each, stays in the second-level cache.
constexpr std::int64_t kBandTiles = 256;
constexpr std::int64_t kMaxWinogradScratch = 4 * 1024 * 1024;  // Floats.

std::int64_t min_outputs_each() {
  const Isa isa = active_isa();
  return isa == Isa::kAvx2 || isa == Isa::kAvxVnni ? kMinWinogradOutputsOfEight : kMinWinogradOutputsEach;
}

std::int64_t round_to_vectors(std::int64_t count) { return (count + kVector - 1) / kVector * kVector; }

// G g G^T for one 3x3 filter; element (i, j) goes to u[(i * 6 + j) * step]. Row p of G is (1, p, p^2), divided by the
// product of the differences of p to the other points.
void transform_filter(const float* filter, float* u, std::int64_t step) {
  constexpr double a = kWinogradA, b = kWinogradB, aa = a * a, bb = b * b;
  constexpr double to_a = 1.0 / (2.0 * aa * (aa - bb)), to_b = 1.0 / (2.0 * bb * (bb - aa));
  constexpr std::array<std::array<double, 3>, 6> kG = {{{1.0 / (aa * bb), 0, 0},
                                                        {to_a, a * to_a, aa * to_a},
                                                        {to_a, -a * to_a, aa * to_a},
                                                        {to_b, b * to_b, bb * to_b},
                                                        {to_b, -b * to_b, bb * to_b},
                                                        {0, 0, 1}}};
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 6; ++j) {
      double sum = 0.0;
      for (std::size_t y = 0; y < 3; ++y) {
        for (std::size_t x = 0; x < 3; ++x) sum += kG[i][y] * kG[j][x] * static_cast<double>(filter[y * 3 + x]);
      }
      *u = static_cast<float>(sum);
      u += step;
    }
  }
}

}  // namespace

WinogradPlan plan_winograd(const Conv& c) {
  WinogradPlan plan;
  plan.tiles_h = (c.out_h + 3) / 4;
  plan.tiles_w = (c.out_w + 3) / 4;
  const std::int64_t fitting = std::max<std::int64_t>(1, kBandTiles / (plan.tiles_w + 1));
  const std::int64_t bands = (plan.tiles_h + fitting - 1) / fitting;
  plan.band_rows = (plan.tiles_h + bands - 1) / bands;
  plan.num_tiles = plan.band_rows * (plan.tiles_w + 1);
  plan.tile_stride = round_to_vectors(plan.num_tiles);
  if (plan.tile_stride % 256 == 0) plan.tile_stride += kVector;  // Rows a kilobyte apart meet in few sets of the cache.
  plan.input_step = c.in_channels * plan.tile_stride + kVector;
  plan.product_step = kWinogradRows * plan.tile_stride + kVector;
  plan.rows = 4 * plan.band_rows + 2;
  plan.line_floats = 4 * round_to_vectors(plan.tiles_w + 1);
  plan.copied_columns = std::min(c.in_w, plan.line_floats - c.pad_left);
  // The last vector of tiles reads one row of tiles and one tile further; a row of a plane is written in whole vectors.
  plan.plane_floats = plan.tile_stride + round_to_vectors(plan.tiles_w + 2) + kVector;
  return plan;
}

std::int64_t winograd_bands(const Conv& c) {
  const WinogradPlan plan = plan_winograd(c);
  return (plan.tiles_h + plan.band_rows - 1) / plan.band_rows;
}

std::size_t winograd_scratch_bytes(const Conv& c) {
  return static_cast<std::size_t>(plan_winograd(c).num_floats()) * sizeof(float);
}

bool suits_winograd(const Conv& c) {
  const bool is_plain = c.kernel_h == 3 && c.kernel_w == 3 && c.stride_h == 1 && c.stride_w == 1 && c.dilation_h == 1 &&
                        c.dilation_w == 1;
  if (!is_plain || c.in_channels < kMinWinogradInputs || c.out_channels < kMinWinogradOutputs) return false;
  if (c.pad_left > 2 || c.pad_top > 2) return false;
  if (c.out_h * c.out_w < min_outputs_each() || c.out_h > 1024 || c.out_w > 1024) return false;
  if (c.in_channels > kMaxTransformedFloats / 36 / c.out_channels) return false;
  return winograd_scratch_bytes(c) / sizeof(float) <= static_cast<std::size_t>(kMaxWinogradScratch);
}

std::vector<float> transform_winograd_weight(const Conv& c) {
  std::vector<float> transformed(static_cast<std::size_t>(36 * c.out_channels * c.in_channels));
  for (std::int64_t o = 0; o < c.out_channels; ++o) {
    const std::int64_t group = o / kWinogradRows * kWinogradRows;
    const std::int64_t rows = std::min(kWinogradRows, c.out_channels - group);
    float* to = transformed.data() + (36 * group + o - group) * c.in_channels;
    for (std::int64_t i = 0; i < c.in_channels; ++i) {
      transform_filter(c.weight + (o * c.in_channels + i) * 9, to + i, rows * c.in_channels);
    }
  }
  return transformed;
}

}  // namespace halfstep::kernels
