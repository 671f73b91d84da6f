// int_depthwise_test.cpp: integer depthwise convolution against plain wide loops, on every instruction set.
#include "kernels/int_depthwise.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

class IntDepthwiseOnEachIsa : public EachIsa {
 protected:
  void expect_convolution(std::mt19937& rng, IntDepthwise d, std::int64_t gap, int most) {
    std::uniform_int_distribution<int> any(-most, most);
    const std::int64_t height = (d.out_h - 1) * d.stride_h + (d.kernel_h - 1) * d.dilation_h + 1;
    const std::int64_t width = (d.out_w - 1) * d.stride_w + (d.kernel_w - 1) * d.dilation_w + 1;
    d.padded_stride = width + gap;
    // Not one element more than is needed: a sanitizer sees reads behind it.
    std::vector<std::int16_t> padded(static_cast<std::size_t>((height - 1) * d.padded_stride + width));
    std::vector<std::int16_t> filter(static_cast<std::size_t>(d.kernel_h * d.kernel_w));
    for (std::int16_t& value : padded) value = static_cast<std::int16_t>(any(rng));
    for (std::int16_t& value : filter) value = static_cast<std::int16_t>(any(rng));
    std::vector<std::int32_t> acc(static_cast<std::size_t>(d.out_h * d.out_w) + 1, 987654321);
    d.padded = padded.data();
    d.filter = filter.data();
    d.acc = acc.data();
    table().int_depthwise(d);
    for (std::int64_t y = 0; y < d.out_h; ++y) {
      for (std::int64_t x = 0; x < d.out_w; ++x) {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < d.kernel_h; ++i) {
          for (std::int64_t j = 0; j < d.kernel_w; ++j) {
            sum += std::int64_t{filter[static_cast<std::size_t>(i * d.kernel_w + j)]} *
                   padded[static_cast<std::size_t>((y * d.stride_h + i * d.dilation_h) * d.padded_stride +
                                                   x * d.stride_w + j * d.dilation_w)];
          }
        }
        ASSERT_EQ(acc[static_cast<std::size_t>(y * d.out_w + x)], sum)
            << "out " << d.out_h << "x" << d.out_w << ", kernel " << d.kernel_h << "x" << d.kernel_w << ", stride "
            << d.stride_h << "x" << d.stride_w << ", dilation " << d.dilation_h << "x" << d.dilation_w << ", gap "
            << gap << " at " << y << ", " << x;
      }
    }
    ASSERT_EQ(acc.back(), 987654321);
  }
};

TEST_P(IntDepthwiseOnEachIsa, ThreeByThreeOfEverySizeMatchesWideLoops) {
  std::mt19937 rng(4031);
  for (std::int64_t out_w = 1; out_w <= 70; ++out_w) {
    for (const std::int64_t out_h : {1, 2, 5, 19}) {
      for (const std::int64_t stride : {1, 2, 3}) {
        IntDepthwise d;
        d.out_h = out_h;
        d.out_w = out_w;
        d.kernel_h = d.kernel_w = 3;
        d.stride_h = d.stride_w = stride;
        expect_convolution(rng, d, out_w % 3, 255);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(IntDepthwiseOnEachIsa, RandomKernelsStridesAndDilationsMatchWideLoops) {
  std::mt19937 rng(4032);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  for (int i = 0; i < 1500; ++i) {
    IntDepthwise d;
    d.out_h = pick(1, 20);
    d.out_w = pick(1, 60);
    d.kernel_h = pick(1, 7);
    d.kernel_w = pick(1, 7);
    d.stride_h = pick(1, 3);
    d.stride_w = pick(1, 3);
    d.dilation_h = pick(0, 2) == 0 ? pick(1, 3) : 1;
    d.dilation_w = pick(0, 2) == 0 ? pick(1, 3) : 1;
    expect_convolution(rng, d, pick(0, 3), 255);
    if (HasFatalFailure()) return;
  }
}

// More rows than fit one band of a buffer, wide rows, one row (1-D), and kernels of many taps.
TEST_P(IntDepthwiseOnEachIsa, LargeImagesAndKernelsMatchWideLoops) {
  std::mt19937 rng(4033);
  for (const std::int64_t stride : {1, 2}) {
    for (const auto& [out_h, out_w, kernel_h, kernel_w] : {std::array<std::int64_t, 4>{300, 28, 3, 3},
                                                           {112, 112, 3, 3},
                                                           {1, 3000, 1, 31},
                                                           {40, 40, 15, 17},
                                                           {3000, 1, 9, 1},
                                                           {7, 7, 31, 31}}) {
      IntDepthwise d;
      d.out_h = out_h;
      d.out_w = out_w;
      d.kernel_h = kernel_h;
      d.kernel_w = kernel_w;
      d.stride_h = d.stride_w = stride;
      expect_convolution(rng, d, 2, 255);
      if (HasFatalFailure()) return;
    }
  }
}

// One tap of 32767 * 32767 and nine of 32767 * 7000 use the whole width of the sums.
TEST_P(IntDepthwiseOnEachIsa, OperandsMayUseAllSixteenBits) {
  std::mt19937 rng(4034);
  for (const std::int64_t stride : {1, 2}) {
    IntDepthwise d;
    d.out_h = 5;
    d.out_w = 37;
    d.stride_h = d.stride_w = stride;
    expect_convolution(rng, d, 0, 32767);
    d.kernel_h = d.kernel_w = 3;
    expect_convolution(rng, d, 0, 15000);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, IntDepthwiseOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
