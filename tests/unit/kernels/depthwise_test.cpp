// depthwise_test.cpp: depthwise convolution against plain loops.
#include "kernels/depthwise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

std::string describe(const Depthwise& d) {
  return "channels " + std::to_string(d.channels) + " multiplier " + std::to_string(d.multiplier) + " in " +
         std::to_string(d.in_h) + "x" + std::to_string(d.in_w) + " kernel " + std::to_string(d.kernel_h) + "x" +
         std::to_string(d.kernel_w) + " stride " + std::to_string(d.stride_h) + "," + std::to_string(d.stride_w) +
         " dilation " + std::to_string(d.dilation_h) + "," + std::to_string(d.dilation_w) + " pad " +
         std::to_string(d.pad_top) + "," + std::to_string(d.pad_left);
}

std::vector<float> plain(const Depthwise& d) {
  std::vector<float> out;
  for (std::int64_t o = 0; o < d.channels * d.multiplier; ++o) {
    for (std::int64_t y = 0; y < d.out_h; ++y) {
      for (std::int64_t x = 0; x < d.out_w; ++x) {
        double sum = d.bias == nullptr ? 0.0 : d.bias[o];
        for (std::int64_t ky = 0; ky < d.kernel_h; ++ky) {
          for (std::int64_t kx = 0; kx < d.kernel_w; ++kx) {
            const std::int64_t iy = y * d.stride_h + ky * d.dilation_h - d.pad_top;
            const std::int64_t ix = x * d.stride_w + kx * d.dilation_w - d.pad_left;
            if (iy < 0 || iy >= d.in_h || ix < 0 || ix >= d.in_w) continue;
            sum += double{d.filter[(o * d.kernel_h + ky) * d.kernel_w + kx]} *
                   d.input[(o / d.multiplier * d.in_h + iy) * d.in_w + ix];
          }
        }
        out.push_back(static_cast<float>(std::clamp(sum, double{d.clamp_min}, double{d.clamp_max})));
      }
    }
  }
  return out;
}

void expect_correct(const KernelTable& table, std::mt19937& rng, Depthwise d) {
  const std::vector<float> input = random_floats(rng, d.channels * d.in_h * d.in_w);
  const std::vector<float> filter = random_floats(rng, d.channels * d.multiplier * d.kernel_h * d.kernel_w);
  const std::vector<float> bias = random_floats(rng, d.channels * d.multiplier);
  std::vector<float> output(static_cast<std::size_t>(d.channels * d.multiplier * d.out_h * d.out_w), -7.0F);
  // Whatever the scratch holds before must not reach the output.
  std::vector<float> scratch(depthwise_scratch_bytes(d) / sizeof(float), std::numeric_limits<float>::quiet_NaN());
  d.input = input.data();
  d.filter = filter.data();
  if (d.channels % 2 == 0) d.bias = bias.data();
  d.output = output.data();
  table.depthwise(d, scratch.data());
  const std::vector<float> expected = plain(d);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(output[i], expected[i], 1e-5) << describe(d) << " at " << i;
  }
}

class DepthwiseOnEachIsa : public EachIsa {};

TEST_P(DepthwiseOnEachIsa, RandomGeometriesMatchPlainLoops) {
  std::mt19937 rng(77001);
  const auto draw = [&rng](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  int num_tried = 0;
  while (num_tried < 300) {
    Depthwise d;
    d.channels = draw(1, 4);
    d.multiplier = draw(1, 4) == 4 ? 2 : 1;
    d.in_h = draw(1, 30);
    d.in_w = draw(1, 30);
    const bool square = draw(0, 1) == 0;
    d.kernel_h = square ? 2 * draw(1, 2) + 1 : draw(1, 7);
    d.kernel_w = square ? d.kernel_h : draw(1, 7);
    d.stride_h = draw(1, 3);
    d.stride_w = draw(1, 9) == 9 ? 8 : draw(1, 3);
    d.dilation_h = draw(1, 3);
    d.dilation_w = draw(1, 3);
    d.pad_top = draw(0, 4);
    d.pad_left = draw(0, 4);
    const std::int64_t room_h = d.in_h + d.pad_top + draw(0, 4) - (d.kernel_h - 1) * d.dilation_h - 1;
    const std::int64_t room_w = d.in_w + d.pad_left + draw(0, 4) - (d.kernel_w - 1) * d.dilation_w - 1;
    if (room_h < 0 || room_w < 0) continue;
    d.out_h = room_h / d.stride_h + 1;
    d.out_w = room_w / d.stride_w + 1;
    if (draw(0, 1) == 0) d.clamp_min = 0.0F;
    if (draw(0, 1) == 0) d.clamp_max = 0.5F;
    expect_correct(table(), rng, d);
    if (HasFatalFailure()) return;
    ++num_tried;
  }
}

// Planes too large for one band of rows.
TEST_P(DepthwiseOnEachIsa, SeveralBandsMatchPlainLoops) {
  std::mt19937 rng(77002);
  for (const std::int64_t stride : {1, 2}) {
    for (const std::int64_t dilation : {1, 5}) {
      Depthwise d;
      d.channels = 2;
      d.in_h = 150;
      d.in_w = 131;
      d.kernel_h = d.kernel_w = 5;
      d.stride_h = d.stride_w = stride;
      d.dilation_h = d.dilation_w = dilation;
      d.pad_top = d.pad_left = 2 * dilation;
      d.out_h = (d.in_h - 1) / stride + 1;
      d.out_w = (d.in_w - 1) / stride + 1;
      expect_correct(table(), rng, d);
      if (HasFatalFailure()) return;
    }
  }
}

// Rows of outputs that fill vectors, in blocks of rows; and narrow ones.
TEST_P(DepthwiseOnEachIsa, ThreeByThreeOfEveryWidthMatchesPlainLoops) {
  std::mt19937 rng(77003);
  for (const std::int64_t stride : {1, 2}) {
    for (const std::int64_t width : {1, 2, 7, 8, 13, 14, 15, 16, 17, 31, 33, 56, 112}) {
      for (const std::int64_t pad : {0, 1, 2}) {
        Depthwise d;
        d.channels = 2;
        d.in_h = width % 2 == 0 ? 11 : 6;
        d.in_w = width;
        d.kernel_h = d.kernel_w = 3;
        d.stride_h = d.stride_w = stride;
        d.pad_top = d.pad_left = pad;
        if (d.in_w + 2 * pad < 3) continue;
        d.out_h = (d.in_h + 2 * pad - 3) / stride + 1;
        d.out_w = (d.in_w + 2 * pad - 3) / stride + 1;
        if (width % 3 == 0) d.clamp_max = 0.5F;
        expect_correct(table(), rng, d);
        if (HasFatalFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DepthwiseOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
