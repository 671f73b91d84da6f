// conv_test.cpp: float convolution, plain and by Winograd's tiles, against plain loops.
#include "kernels/conv.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "each_isa.hpp"
#include "kernels/winograd.hpp"

namespace halfstep::kernels {
namespace {

struct ConvProblem {
  Conv args;
  std::vector<float> input, weight, bias;

  std::int64_t positions() const { return args.out_h * args.out_w; }
  std::string describe() const {
    return std::to_string(args.in_channels) + " to " + std::to_string(args.out_channels) + " channels, in " +
           std::to_string(args.in_h) + "x" + std::to_string(args.in_w) + " kernel " + std::to_string(args.kernel_h) +
           "x" + std::to_string(args.kernel_w) + " stride " + std::to_string(args.stride_h) + "," +
           std::to_string(args.stride_w) + " dilation " + std::to_string(args.dilation_h) + "," +
           std::to_string(args.dilation_w) + " pad " + std::to_string(args.pad_top) + "," +
           std::to_string(args.pad_left);
  }
};

// Fills the output's extents for `extra_h` and `extra_w` of padding behind the image, and random operands.
bool complete(std::mt19937& rng, std::int64_t extra_h, std::int64_t extra_w, ConvProblem& p) {
  Conv& c = p.args;
  const std::int64_t room_h = c.in_h + c.pad_top + extra_h - (c.kernel_h - 1) * c.dilation_h - 1;
  const std::int64_t room_w = c.in_w + c.pad_left + extra_w - (c.kernel_w - 1) * c.dilation_w - 1;
  if (room_h < 0 || room_w < 0) return false;
  c.out_h = room_h / c.stride_h + 1;
  c.out_w = room_w / c.stride_w + 1;
  c.last = p.positions();
  p.input = random_floats(rng, c.in_channels * c.in_h * c.in_w);
  p.weight = random_floats(rng, c.out_channels * c.in_channels * c.kernel_h * c.kernel_w);
  p.bias = random_floats(rng, c.out_channels);
  c.input = p.input.data();
  c.weight = p.weight.data();
  c.bias = c.out_channels % 2 == 0 ? p.bias.data() : nullptr;
  return true;
}

std::vector<float> plain_conv(const Conv& c) {
  std::vector<float> out;
  for (std::int64_t o = 0; o < c.out_channels; ++o) {
    for (std::int64_t y = 0; y < c.out_h; ++y) {
      for (std::int64_t x = 0; x < c.out_w; ++x) {
        double sum = c.bias == nullptr ? 0.0 : c.bias[o];
        for (std::int64_t i = 0; i < c.in_channels; ++i) {
          for (std::int64_t tap = 0; tap < c.kernel_h * c.kernel_w; ++tap) {
            const std::int64_t iy = y * c.stride_h + tap / c.kernel_w * c.dilation_h - c.pad_top;
            const std::int64_t ix = x * c.stride_w + tap % c.kernel_w * c.dilation_w - c.pad_left;
            if (iy < 0 || iy >= c.in_h || ix < 0 || ix >= c.in_w) continue;
            sum += double{c.weight[(o * c.in_channels + i) * c.kernel_h * c.kernel_w + tap]} *
                   c.input[(i * c.in_h + iy) * c.in_w + ix];
          }
        }
        out.push_back(static_cast<float>(std::clamp(sum, double{c.clamp_min}, double{c.clamp_max})));
      }
    }
  }
  return out;
}

// Whatever the scratch holds before must not reach the output.
std::vector<float> nan_scratch(std::size_t bytes) {
  return std::vector<float>(bytes / sizeof(float) + 1, std::numeric_limits<float>::quiet_NaN());
}

std::vector<float> run_conv(const KernelTable& table, const ConvProblem& p) {
  std::vector<float> output(static_cast<std::size_t>(p.args.out_channels * p.positions()), -7.0F);
  std::vector<float> scratch = nan_scratch(conv_scratch_bytes(p.args));
  Conv args = p.args;
  args.output = output.data();
  table.conv(args, scratch.data());
  return output;
}

// In parts: positions after positions, and in each of them channels after channels.
std::vector<float> run_conv_in_parts(const KernelTable& table, const ConvProblem& p, std::int64_t part_channels) {
  std::vector<float> output(static_cast<std::size_t>(p.args.out_channels * p.positions()), -7.0F);
  for (std::int64_t first = 0; first < p.positions(); first += kColumnGranule) {
    for (std::int64_t channel = 0; channel < p.args.out_channels; channel += part_channels) {
      std::vector<float> scratch = nan_scratch(conv_scratch_bytes(p.args));
      Conv args = p.args;
      args.first = first;
      args.last = std::min(p.positions(), first + kColumnGranule);
      args.out_channels = std::min(part_channels, p.args.out_channels - channel);
      args.weight += channel * args.in_channels * args.kernel_h * args.kernel_w;
      if (args.bias != nullptr) args.bias += channel;
      args.output = output.data() + channel * p.positions();
      table.conv(args, scratch.data());
    }
  }
  return output;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& expected, double tolerance,
                 const ConvProblem& p) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance) << p.describe() << " at " << i;
  }
}

class ConvOnEachIsa : public EachIsa {};

TEST_P(ConvOnEachIsa, RandomGeometriesMatchPlainLoopsInAnyParts) {
  std::mt19937 rng(88001);
  const auto draw = [&rng](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  for (int tried = 0; tried < 150;) {
    ConvProblem p;
    Conv& c = p.args;
    c.in_channels = draw(1, 5);
    c.out_channels = draw(1, 19);
    c.in_h = draw(1, 24);
    c.in_w = draw(1, 60);
    c.kernel_h = draw(1, 5);
    c.kernel_w = draw(1, 5);
    c.stride_h = draw(1, 3);
    c.stride_w = draw(1, 9) == 9 ? 8 : draw(1, 3);
    c.dilation_h = draw(1, 3);
    c.dilation_w = draw(1, 3);
    c.pad_top = draw(0, 4);
    c.pad_left = draw(0, 4);
    if (draw(0, 1) == 0) c.clamp_min = 0.0F;
    if (draw(0, 1) == 0) c.clamp_max = 0.5F;
    if (!complete(rng, draw(0, 4), draw(0, 4), p)) continue;
    const std::vector<float> whole = run_conv(table(), p);
    expect_near(whole, plain_conv(p.args), 1e-5, p);
    ASSERT_EQ(run_conv_in_parts(table(), p, draw(1, 9)), whole) << p.describe();
    if (HasFatalFailure()) return;
    ++tried;
  }
}

// Rows of outputs far apart: several panels at a time.
TEST_P(ConvOnEachIsa, LargeImagesMatchPlainLoopsInAnyParts) {
  std::mt19937 rng(88004);
  for (const std::int64_t stride : {1, 2}) {
    ConvProblem p;
    Conv& c = p.args;
    c.in_channels = 2;
    c.out_channels = 14;
    c.in_h = 89 * stride;
    c.in_w = 107 * stride;
    c.kernel_h = c.kernel_w = 3;
    c.stride_h = c.stride_w = stride;
    c.pad_top = c.pad_left = 1;
    c.clamp_min = 0.0F;
    ASSERT_TRUE(complete(rng, 1, 1, p));
    ASSERT_GT(p.positions(), 9000);
    const std::vector<float> whole = run_conv(table(), p);
    expect_near(whole, plain_conv(p.args), 1e-5, p);
    ASSERT_EQ(run_conv_in_parts(table(), p, 5), whole) << p.describe();
  }
}

// More channels and taps than one pass over a panel sums.
TEST_P(ConvOnEachIsa, LongSumsMatchPlainLoops) {
  std::mt19937 rng(88002);
  ConvProblem p;
  Conv& c = p.args;
  c.in_channels = 70;
  c.out_channels = 9;
  c.in_h = 9;
  c.in_w = 13;
  c.kernel_h = c.kernel_w = 3;
  c.pad_top = c.pad_left = 1;
  ASSERT_TRUE(complete(rng, 1, 1, p));
  expect_near(run_conv(table(), p), plain_conv(c), 1e-4, p);
}

// `part` channels at a time, and bands one after the other or all at once.
std::vector<float> run_winograd(const KernelTable& table, const ConvProblem& p, std::int64_t part, bool by_bands) {
  const std::vector<float> transformed = transform_winograd_weight(p.args);
  std::vector<float> output(static_cast<std::size_t>(p.args.out_channels * p.positions()), -7.0F);
  Conv args = p.args;
  args.weight = nullptr;
  args.output = output.data();
  const std::int64_t num_bands = winograd_bands(args);
  const std::int64_t part_bands = by_bands ? 1 : num_bands;
  for (std::int64_t first = 0; first < args.out_channels; first += part) {
    for (std::int64_t band = 0; band < num_bands; band += part_bands) {
      std::vector<float> scratch = nan_scratch(winograd_scratch_bytes(args));
      table.winograd(args, transformed.data(),
                     {first, std::min(args.out_channels, first + part), band, band + part_bands}, scratch.data());
    }
  }
  return output;
}

// Errors are measured against the largest output, as those of whole networks are: 5e-6 of it.
TEST_P(ConvOnEachIsa, WinogradMatchesPlainLoopsInAnyParts) {
  std::mt19937 rng(88003);
  const auto draw = [&rng](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  for (int tried = 0; tried < 24;) {
    ConvProblem p;
    Conv& c = p.args;
    c.in_channels = draw(8, 20);
    c.out_channels = draw(16, 40);
    c.in_h = draw(12, 60);
    c.in_w = draw(12, 140);
    c.kernel_h = c.kernel_w = 3;
    c.pad_top = draw(0, 2);
    c.pad_left = draw(0, 2);
    if (draw(0, 1) == 0) c.clamp_min = 0.0F;
    if (draw(0, 1) == 0) c.clamp_max = 9.0F;
    if (!complete(rng, draw(0, 2), draw(0, 2), p) || !suits_winograd(c)) continue;
    const std::vector<float> expected = plain_conv(c);
    const float largest = *std::ranges::max_element(expected, {}, [](float v) { return std::abs(v); });
    const std::vector<float> whole = run_winograd(table(), p, c.out_channels, false);
    expect_near(whole, expected, 5e-6 * double{std::max(1.0F, std::abs(largest))}, p);
    ASSERT_EQ(run_winograd(table(), p, kWinogradRows, true), whole) << p.describe();
    if (HasFatalFailure()) return;
    ++tried;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

TEST(Winograd, SuitsOnlyWhatItComputes) {
  Conv c;
  c.in_channels = 64;
  c.out_channels = 64;
  c.in_h = c.in_w = c.out_h = c.out_w = 28;
  c.kernel_h = c.kernel_w = 3;
  c.pad_top = c.pad_left = 1;
  EXPECT_TRUE(suits_winograd(c));
  EXPECT_EQ(winograd_bands(c), 1);
  for (const auto change :
       {+[](Conv& x) { x.kernel_w = 5; }, +[](Conv& x) { x.stride_h = 2; }, +[](Conv& x) { x.dilation_w = 2; },
        +[](Conv& x) { x.in_channels = 3; }, +[](Conv& x) { x.pad_left = 3; }, +[](Conv& x) { x.out_w = 2; },
        +[](Conv& x) { x.in_channels = std::int64_t{1} << 40; }}) {
    Conv other = c;
    change(other);
    EXPECT_FALSE(suits_winograd(other));
  }
}

}  // namespace
}  // namespace halfstep::kernels
