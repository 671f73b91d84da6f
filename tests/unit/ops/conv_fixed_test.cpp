// conv_fixed_test.cpp: Conv and ConvTranspose on codes against their definition in wide integers.
#include <gtest/gtest.h>

#include "conv_draw.hpp"
#include "conv_run_node.hpp"
#include "ops/linear/conv_int.hpp"
#include "product_draw.hpp"
#include "product_oracle.hpp"

namespace halfstep::ops {
namespace {

using conv_testing::draw_problem;
using conv_testing::Geometry;
using conv_testing::Ints;
using conv_testing::kAllArithmetics;
using conv_testing::make_node;
using conv_testing::problem_of;
using conv_testing::what_of;
using product_testing::Draw;
using product_testing::expect_exact;
using product_testing::Oracle;
using product_testing::Outcome;
using product_testing::Problem;
using product_testing::run_fixed;

// x on steps of 0.5 around 10, w on steps of 0.25, y on steps of 0.25 around 3: the factor is 0.5 * 0.25 / 0.25 = 0.5.
TEST(ConvFixed, ThreeCasesByHand) {
  Problem p;
  p.node = make_node("Conv", 2);
  p.operands = {{Shape{1, 1, 2, 2}, *Encoding::per_tensor(unsigned_grid(8), {0.5, 10}),
                 Tensor::of<std::uint8_t>({1, 1, 2, 2}, {10, 12, 14, 9}), std::nullopt},
                {Shape{1, 1, 2, 2}, *Encoding::per_tensor(signed_grid(8), {0.25, 0}),
                 Tensor::of<std::int8_t>({1, 1, 2, 2}, {1, 2, 3, 4}),
                 Tensor::of<float>({1, 1, 2, 2}, {0.25F, 0.5F, 0.75F, 1.0F})}};
  p.y_shape = Shape{1, 1, 1, 1};
  p.y = *Encoding::per_tensor(unsigned_grid(8), {0.25, 3});
  using Codes = std::vector<std::int64_t>;
  // 1 * 0 + 2 * 2 + 3 * 4 + 4 * -1 = 12, halved 6, and the zero point.
  EXPECT_EQ(run_fixed(p, &lower_conv_fixed)->codes, (Codes{9}));
  // A row of padding on top is real 0, code 10: 3 * 0 + 4 * 2 = 8, halved 4.
  p.node.attributes.set("pads", Ints{1, 0, 0, 0});
  p.y_shape = Shape{1, 1, 2, 1};
  EXPECT_EQ(run_fixed(p, &lower_conv_fixed)->codes, (Codes{7, 9}));
  // A bias of one step of 0.125 makes the sums 9 and 13, 4.5 and 6.5 output steps: ties.
  p.node.inputs.push_back(2);
  p.operands.push_back({Shape{1}, *Encoding::per_tensor(signed_grid(32), {0.125, 0}),
                        Tensor::of<std::int32_t>({1}, {1}), Tensor::of<float>({1}, {0.125F})});
  EXPECT_EQ(run_fixed(p, &lower_conv_fixed)->codes, (Codes{8, 10}));  // q31_single: up.
  p.options.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_EQ(run_fixed(p, &lower_conv_fixed)->codes, (Codes{7, 9}));
}

class ConvFixedDrawn : public testing::TestWithParam<bool> {};

TEST_P(ConvFixedDrawn, MatchesTheDefinition) {
  std::mt19937 rng(GetParam() ? 77 : 11);
  const auto lower = GetParam() ? &lower_conv_transpose_fixed : &lower_conv_fixed;
  int narrow = 0;
  int wide = 0;
  int ties = 0;
  for (int trial = 0; trial < 900; ++trial) {
    const Problem p =
        draw_problem(rng, GetParam(), kAllArithmetics[static_cast<std::size_t>(trial) % kAllArithmetics.size()], 64);
    const Oracle oracle(p);
    ++(oracle.bits() == 32 ? narrow : wide);
    for (std::int64_t out = 0; out < std::min<std::int64_t>(50, p.y_shape.num_elements()); ++out) {
      ties += oracle.is_tie(out) ? 1 : 0;
    }
    expect_exact(p, oracle, lower, what_of(p, trial));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(narrow, 100);
  EXPECT_GT(wide, 25);
  EXPECT_GT(ties, 500);
}

TEST_P(ConvFixedDrawn, RaisesScalesWhereAccumulatorsMustBeNarrow) {
  std::mt19937 rng(GetParam() ? 177 : 111);
  const auto lower = GetParam() ? &lower_conv_transpose_fixed : &lower_conv_fixed;
  std::int64_t raised = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const Problem p =
        draw_problem(rng, GetParam(), kAllArithmetics[static_cast<std::size_t>(trial) % kAllArithmetics.size()], 32);
    const Oracle oracle(p);
    raised += oracle.num_raised();
    expect_exact(p, oracle, lower, what_of(p, trial));
    if (HasFatalFailure()) return;
    const Result<Outcome> outcome = run_fixed(p, lower);
    EXPECT_EQ(outcome->facts.warnings.size(), oracle.num_raised() > 0 ? 1U : 0U);
  }
  EXPECT_GT(raised, 50);
}

INSTANTIATE_TEST_SUITE_P(Problems, ConvFixedDrawn, testing::Values(false, true));

// Sizes at which tiles, strips and bands are cut.
TEST(ConvFixed, LargerShapesMatchTheDefinition) {
  std::mt19937 rng(5);
  const auto geometry = [](std::int64_t groups, std::int64_t in, std::int64_t out, Ints extents, std::int64_t kernel,
                           std::int64_t stride, bool transpose) {
    const std::size_t axes = extents.size();
    return Geometry{.transpose = transpose,
                    .num_axes = static_cast<int>(axes),
                    .batch = 1,
                    .groups = groups,
                    .group_in = in,
                    .group_out = out,
                    .in = std::move(extents),
                    .kernel = Ints(axes, kernel),
                    .stride = Ints(axes, stride),
                    .dilation = Ints(axes, 1),
                    .pad_begin = Ints(axes, kernel / 2),
                    .pad_end = Ints(axes, kernel / 2),
                    .per_channel_input = false};
  };
  const std::vector<Geometry> geometries = {
      geometry(1, 3, 100, {28, 28}, 2, 1, false), geometry(1, 7, 9, {2500}, 1, 1, false),
      geometry(1, 300, 5, {9, 9}, 3, 1, false),   geometry(2, 1, 1, {300, 120}, 3, 1, false),
      geometry(2, 1, 2, {150, 133}, 3, 2, false), geometry(1, 5, 120, {11, 70}, 2, 2, true),
      geometry(2, 4, 3, {30, 20}, 4, 2, true),
  };
  for (const Geometry& g : geometries) {
    for (const IntGrid x_grid : {unsigned_grid(8), unsigned_grid(16)}) {
      Draw d{rng, false};
      Problem p = problem_of(g, d.activation(g.x_shape(), d.encoding(x_grid, false)),
                             d.weight(g.w_shape(), d.encoding(signed_grid(8), true)));
      p.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
      d.output(p, 1);
      expect_exact(p, Oracle(p), g.transpose ? &lower_conv_transpose_fixed : &lower_conv_fixed, g.describe());
    }
  }
}

// One weight of 32767 under x up to 65535: 2147385345, which leaves 98302 for the bias.
TEST(ConvFixed, ProofHoldsExactlyUpToTheEdgeOfInt32) {
  for (const std::int32_t bias : {98302, -98302, 98303, -98303}) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      const Geometry g{
          .num_axes = 1, .in = {3}, .kernel = {1}, .stride = {1}, .dilation = {1}, .pad_begin = {0}, .pad_end = {0}};
      const Shape shape{1, 1, 3};
      Problem p =
          problem_of(g,
                     {shape, *Encoding::per_tensor(unsigned_grid(16), {1.0, 0}),
                      Tensor::of<std::uint16_t>(shape, {65535, 65534, 0}), std::nullopt},
                     {Shape{1, 1, 1}, *Encoding::per_tensor(signed_grid(16), {0.5, 0}),
                      Tensor::of<std::int16_t>(Shape{1, 1, 1}, {static_cast<std::int16_t>(bias < 0 ? -32767 : 32767)}),
                      Tensor::of<float>(Shape{1, 1, 1}, {bias < 0 ? -16383.5F : 16383.5F})});
      p.operands.push_back({Shape{1}, *Encoding::per_tensor(signed_grid(32), {0.5, 0}),
                            Tensor::of<std::int32_t>(Shape{1}, {bias}), Tensor(TensorType{DType::kFloat32, Shape{1}})});
      p.node.inputs.push_back(9);
      p.options.arithmetic = arithmetic;
      p.y = *Encoding::per_tensor(signed_grid(16), {0x1p15, 3});
      const Oracle oracle(p);
      EXPECT_EQ(oracle.bits(), std::abs(bias) == 98302 ? 32 : 64);
      expect_exact(p, oracle, &lower_conv_fixed, "bias " + std::to_string(bias));
    }
  }
}

// Four numbers -32768 make a pair of products that leaves int32 by one.
TEST(ConvFixed, LowestNumbersOfSixteenBitsDoNotWrap) {
  for (const std::int64_t channels : {1, 2, 3, 6}) {
    const Geometry g{.num_axes = 1,
                     .group_in = channels,
                     .group_out = 2,
                     .in = {40},
                     .kernel = {1},
                     .stride = {1},
                     .dilation = {1},
                     .pad_begin = {0},
                     .pad_end = {0}};
    Tensor x(TensorType{DType::kInt16, g.x_shape()});
    std::fill_n(x.mutable_data<std::int16_t>(), x.num_elements(), std::int16_t{-32768});
    Tensor w(TensorType{DType::kInt16, g.w_shape()});
    std::fill_n(w.mutable_data<std::int16_t>(), w.num_elements(), std::int16_t{-32768});
    Problem p = problem_of(g, {g.x_shape(), *Encoding::per_tensor(signed_grid(16), {1.0, 0}), x, std::nullopt},
                           {g.w_shape(), *Encoding::per_tensor(signed_grid(16), {1.0, 0}), w,
                            Tensor(TensorType{DType::kFloat32, g.w_shape()})});
    p.y = *Encoding::per_tensor(signed_grid(16), {0x1p18, 0});
    expect_exact(p, Oracle(p), &lower_conv_fixed, std::to_string(channels));
  }
}

// A padded copy would need 2^31 elements: columns need one.
TEST(ConvFixed, HugeDilationsNeedLittleScratch) {
  const std::int64_t dilation = (std::int64_t{1} << 31) - 2;
  const Geometry g{.num_axes = 2,
                   .groups = 2,
                   .in = {2, 3},
                   .kernel = {1, 2},
                   .stride = {1, 1},
                   .dilation = {1, dilation},
                   .pad_begin = {0, dilation - 1},
                   .pad_end = {0, 0}};
  std::mt19937 rng(3);
  Draw d{rng, false};
  Problem p = problem_of(g, d.activation(g.x_shape(), d.encoding(unsigned_grid(8), false)),
                         d.weight(g.w_shape(), d.encoding(signed_grid(8), true)));
  p.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
  d.output(p, 1);
  expect_exact(p, Oracle(p), &lower_conv_fixed, g.describe());
}

std::string refusal(const Problem& p) {
  const Result<Outcome> outcome = run_fixed(p, &lower_conv_fixed);
  EXPECT_TRUE(!outcome.ok());
  if (outcome.ok()) return "";
  EXPECT_EQ(outcome.error().code, ErrorCode::kUnsupported);
  return outcome.error().message;
}

TEST(ConvFixed, RefusesWhatHasNoIntegerForm) {
  std::mt19937 rng(1);
  Draw d{rng, false};
  const Geometry g{.num_axes = 1,
                   .group_in = 2,
                   .group_out = 2,
                   .in = {4},
                   .kernel = {1},
                   .stride = {1},
                   .dilation = {1},
                   .pad_begin = {0},
                   .pad_end = {0}};
  Problem good = problem_of(g, d.activation(g.x_shape(), d.encoding(unsigned_grid(8), false)),
                            d.weight(g.w_shape(), d.encoding(signed_grid(8), true)));
  good.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
  ASSERT_TRUE(run_fixed(good, &lower_conv_fixed).ok());

  Problem p = good;
  p.y.reset();
  EXPECT_EQ(refusal(p), "the output has no encoding");
  p = good;
  p.operands[1].encoding.reset();
  EXPECT_EQ(refusal(p), "operand 1 has no encoding");
  p = good;
  p.operands[1].real.reset();
  EXPECT_EQ(refusal(p), "the weight is not constant");
  p = good;
  p.operands[0].encoding = *Encoding::per_channel(unsigned_grid(8), 1, {{1.0, 0}, {2.0, 0}});
  EXPECT_EQ(refusal(p), "the input has an encoding for each channel, and a sum runs over 2 of them");
  p = good;
  p.operands[1].encoding = *Encoding::per_channel(signed_grid(8), 1, {{1.0, 0}, {2.0, 0}});
  EXPECT_EQ(refusal(p), "the weight's scales run along axis 1, over which the sums run");
  p = good;
  p.operands[1].encoding = *Encoding::per_channel(signed_grid(8), 0, {{1.0, 0}, {2.0, 0}, {2.0, 0}});
  EXPECT_EQ(refusal(p), "the weight has 3 scales, expected 2");
  p = good;
  p.operands.push_back({Shape{2}, *Encoding::per_tensor(signed_grid(32), {1.0, 0}),
                        Tensor(TensorType{DType::kInt32, Shape{2}}), std::nullopt});
  EXPECT_EQ(refusal(p), "the bias is not constant");
  p = good;
  p.operands.push_back({Shape{2}, std::nullopt, std::nullopt,
                        Tensor::of<float>(Shape{2}, {1.0F, std::numeric_limits<float>::quiet_NaN()})});
  EXPECT_EQ(refusal(p), "the bias contains NaN or infinity");
  p.operands[2].real = Tensor::of<float>(Shape{2}, {1.0F, 3e38F});
  p.operands[0].encoding = *Encoding::per_tensor(unsigned_grid(8), {1e-20, 0});
  EXPECT_EQ(refusal(p), "the bias or the sums exceed 64-bit accumulators");
  p = good;
  p.options.arithmetic = Arithmetic::kShiftHalfUp;
  EXPECT_NE(refusal(p).find("needs power-of-two scales"), std::string::npos);
}

}  // namespace
}  // namespace halfstep::ops
