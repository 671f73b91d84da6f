// matmul_fixed_test.cpp: MatMul and Gemm on codes against their definition in wide integers.
#include <gtest/gtest.h>

#include <array>

#include "conv_run_node.hpp"
#include "ops/linear/matmul_int.hpp"
#include "product_draw.hpp"
#include "product_oracle.hpp"

namespace halfstep::ops {
namespace {

using conv_testing::make_node;
using product_testing::draw;
using product_testing::Draw;
using product_testing::expect_exact;
using product_testing::Operand;
using product_testing::Oracle;
using product_testing::Outcome;
using product_testing::Problem;
using product_testing::run_fixed;

constexpr std::array kAll = {Arithmetic::kFloatHalfEven, Arithmetic::kQ31Single,     Arithmetic::kQ31Double,
                             Arithmetic::kShiftHalfUp,   Arithmetic::kShiftHalfEven, Arithmetic::kShiftHalfAway};

enum class Right { kConstant, kActivation };

Operand right_operand(Draw& d, Right right, const Shape& shape, int channel_axis) {
  if (right == Right::kActivation) return d.activation(shape, d.encoding(d.activation_grid(), false));
  const IntGrid grid = d.weight_grid();
  const bool symmetric = draw(d.rng, 0, 2) != 0;
  if (channel_axis < 0 || draw(d.rng, 0, 1) == 0) return d.weight(shape, d.encoding(grid, symmetric));
  return d.weight(shape, d.encoding(grid, symmetric, channel_axis, shape[channel_axis]));
}

struct Sizes {
  std::int64_t m, k, n;
};

Problem gemm_problem(Draw& d, Right right, Sizes s, Arithmetic arithmetic) {
  Problem p;
  p.node = make_node("Gemm", 2);
  const bool trans_a = draw(d.rng, 0, 3) == 0;
  const bool trans_b = draw(d.rng, 0, 1) == 0;
  p.node.attributes.set("transA", std::int64_t{trans_a ? 1 : 0});
  p.node.attributes.set("transB", std::int64_t{trans_b ? 1 : 0});
  p.options.arithmetic = arithmetic;
  p.operands = {d.activation(trans_a ? Shape{s.k, s.m} : Shape{s.m, s.k}, d.encoding(d.activation_grid(), false)),
                right_operand(d, right, trans_b ? Shape{s.n, s.k} : Shape{s.k, s.n}, trans_b ? 0 : 1)};
  p.y_shape = Shape{s.m, s.n};
  p.num_channels = right == Right::kConstant ? s.n : 1;
  p.channel_of = [right, s](std::int64_t out) { return right == Right::kConstant ? out % s.n : 0; };
  p.terms = [=](std::int64_t out, std::vector<std::pair<std::int64_t, std::int64_t>>& terms) {
    for (std::int64_t k = 0; k < s.k; ++k) {
      terms.emplace_back(trans_a ? k * s.m + out / s.n : out / s.n * s.k + k,
                         trans_b ? out % s.n * s.k + k : k * s.n + out % s.n);
    }
  };
  if (right == Right::kConstant) {
    p.weights_of = [=](std::int64_t c) {
      std::vector<std::int64_t> weights;
      for (std::int64_t k = 0; k < s.k; ++k) weights.push_back(trans_b ? c * s.k + k : k * s.n + c);
      return weights;
    };
  }
  if (draw(d.rng, 0, 3) == 0) {
    p.alpha = d.power_of_two ? 0.25 : 0.37;
    if (right == Right::kConstant && draw(d.rng, 0, 1) == 0) p.alpha = -p.alpha;
    p.node.attributes.set("alpha", static_cast<float>(p.alpha));
    p.alpha = static_cast<double>(static_cast<float>(p.alpha));
  }
  p.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
  if (right == Right::kConstant && draw(d.rng, 0, 2) != 0) {
    if (draw(d.rng, 0, 2) == 0) {
      p.beta = 0.5;
      p.node.attributes.set("beta", 0.5F);
    }
    const Problem without = p;
    const Oracle oracle(without);
    std::vector<double> scales;
    for (std::int64_t c = 0; c < s.n; ++c) scales.push_back(oracle.acc_scale(c));
    const bool scalar = draw(d.rng, 0, 3) == 0;
    p.bias_step = scalar ? 0 : 1;
    const Shape shape = scalar ? Shape{1} : (draw(d.rng, 0, 1) == 0 ? Shape{s.n} : Shape{1, s.n});
    p.operands.push_back(d.bias(shape, scales));
    p.node.inputs.push_back(9);
  }
  d.output(p, right == Right::kConstant ? 1 : -1);
  return p;
}

Problem matmul_problem(Draw& d, Right right, Sizes s, Arithmetic arithmetic) {
  Problem p;
  p.node = make_node("MatMul", 2);
  p.options.arithmetic = arithmetic;
  const std::int64_t heads = draw(d.rng, 1, 3);
  const std::int64_t batch = draw(d.rng, 1, 2);
  const bool a_heads = draw(d.rng, 0, 1) == 0;
  const bool b_heads = draw(d.rng, 0, 1) == 0;
  const Shape a = a_heads ? Shape{batch, heads, s.m, s.k} : Shape{batch, 1, s.m, s.k};
  const Shape b = b_heads ? Shape{heads, s.k, s.n} : Shape{s.k, s.n};
  p.operands = {d.activation(a, d.encoding(d.activation_grid(), false)), right_operand(d, right, b, b.rank() - 1)};
  const std::int64_t y_heads = a_heads || b_heads ? heads : 1;
  const std::int64_t b_matrices = b_heads ? heads : 1;
  p.y_shape = Shape{batch, y_heads, s.m, s.n};
  const std::int64_t channels = right == Right::kConstant ? b_matrices * s.n : 1;
  p.num_channels = channels;
  p.channel_of = [=](std::int64_t out) {
    const std::int64_t head = out / (s.m * s.n) % y_heads;
    return (head % b_matrices * s.n + out % s.n) % channels;
  };
  p.terms = [=](std::int64_t out, std::vector<std::pair<std::int64_t, std::int64_t>>& terms) {
    const std::int64_t head = out / (s.m * s.n) % y_heads;
    const std::int64_t a_matrix = out / (s.m * s.n * y_heads) * (a_heads ? heads : 1) + (a_heads ? head : 0);
    const std::int64_t b_matrix = b_heads ? head : 0;
    for (std::int64_t k = 0; k < s.k; ++k) {
      terms.emplace_back((a_matrix * s.m + out / s.n % s.m) * s.k + k, (b_matrix * s.k + k) * s.n + out % s.n);
    }
  };
  if (right == Right::kConstant) {
    p.weights_of = [=](std::int64_t c) {
      std::vector<std::int64_t> weights;
      for (std::int64_t k = 0; k < s.k; ++k) weights.push_back((c / s.n * s.k + k) * s.n + c % s.n);
      return weights;
    };
  }
  p.y = *Encoding::per_tensor(unsigned_grid(8), {1.0, 0});
  d.output(p, right == Right::kConstant ? 3 : -1);
  return p;
}

// x on steps of 0.5 around 128, w on steps of 0.25: a sum counts in 0.125.
TEST(MatMulFixed, ThreeCasesByHand) {
  Problem p;
  p.node = make_node("Gemm", 2);
  p.operands = {{Shape{3, 2}, *Encoding::per_tensor(unsigned_grid(8), {0.5, 128}),
                 Tensor::of<std::uint8_t>({3, 2}, {130, 120, 131, 128, 255, 0}), std::nullopt},
                {Shape{2, 1}, *Encoding::per_tensor(signed_grid(8), {0.25, 0}),
                 Tensor::of<std::int8_t>({2, 1}, {3, -2}), Tensor::of<float>({2, 1}, {0.75F, -0.5F})}};
  p.y_shape = Shape{3, 1};
  // 2 * 3 + -8 * -2 = 22,  3 * 3 + 0 = 9,  127 * 3 + -128 * -2 = 637.
  // Output steps of 1, factor 0.125:  2.75 -> 3,  1.125 -> 1,  79.625 -> 80.
  p.y = *Encoding::per_tensor(signed_grid(8), {1.0, 0});
  EXPECT_EQ(run_fixed(p, &lower_gemm_fixed)->codes, (std::vector<std::int64_t>{3, 1, 80}));
  // Output steps of 0.25, factor 0.5:  11,  4.5 is a tie,  318.5 is beyond the grid.
  p.y = *Encoding::per_tensor(signed_grid(8), {0.25, 0});
  EXPECT_EQ(run_fixed(p, &lower_gemm_fixed)->codes, (std::vector<std::int64_t>{11, 5, 127}));  // q31_single: up.
  p.options.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_EQ(run_fixed(p, &lower_gemm_fixed)->codes, (std::vector<std::int64_t>{11, 4, 127}));
}

class MatMulFixedDrawn : public testing::TestWithParam<std::tuple<bool, Right>> {};

TEST_P(MatMulFixedDrawn, MatchesTheDefinition) {
  const auto [is_gemm, right] = GetParam();
  std::mt19937 rng(is_gemm ? 21 : 22);
  const auto lower = is_gemm ? &lower_gemm_fixed : &lower_matmul_fixed;
  int wide = 0;
  for (int trial = 0; trial < 600; ++trial) {
    const Arithmetic arithmetic = kAll[static_cast<std::size_t>(trial) % kAll.size()];
    Draw d{rng, needs_power_of_two(arithmetic) || draw(rng, 0, 3) == 0};
    const Sizes s{draw(rng, 1, 20), draw(rng, 1, 24), draw(rng, 1, 20)};
    const Problem p = is_gemm ? gemm_problem(d, right, s, arithmetic) : matmul_problem(d, right, s, arithmetic);
    const Oracle oracle(p);
    wide += oracle.bits() == 64 ? 1 : 0;
    expect_exact(p, oracle, lower,
                 "trial " + std::to_string(trial) + " " + to_string(p.operands[0].shape) + " " +
                     to_string(p.operands[1].shape) + " " + std::string(name_of(arithmetic)));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(wide, 10);
}

INSTANTIATE_TEST_SUITE_P(Problems, MatMulFixedDrawn,
                         testing::Combine(testing::Bool(), testing::Values(Right::kConstant, Right::kActivation)));

// Sizes at which tiles and strips are cut, and a vector.
TEST(MatMulFixed, LargerShapesMatchTheDefinition) {
  std::mt19937 rng(8);
  for (const Sizes s : {Sizes{1, 1280, 1000}, Sizes{197, 65, 130}, Sizes{900, 7, 12}, Sizes{10, 3000, 33}}) {
    for (const Right right : {Right::kConstant, Right::kActivation}) {
      Draw d{rng, false};
      const Problem p = gemm_problem(d, right, s, Arithmetic::kQ31Single);
      expect_exact(p, Oracle(p), &lower_gemm_fixed, to_string(p.y_shape));
      const Problem q = matmul_problem(d, right, s, Arithmetic::kQ31Double);
      expect_exact(q, Oracle(q), &lower_matmul_fixed, to_string(q.y_shape));
    }
  }
}

Problem two_activations(std::int64_t k, IntGrid a, IntGrid b) {
  Problem p;
  p.node = make_node("MatMul", 2);
  std::mt19937 rng(2);
  Draw d{rng, false};
  p.operands = {d.activation(Shape{1, k}, *Encoding::per_tensor(a, {1.0, a.q_min})),
                d.activation(Shape{k, 1}, *Encoding::per_tensor(b, {1.0, b.q_min}))};
  visit_dtype(storage_dtype(a),
              [&]<class T>() { std::fill_n(p.operands[0].codes->mutable_data<T>(), k, static_cast<T>(a.q_max)); });
  visit_dtype(storage_dtype(b),
              [&]<class T>() { std::fill_n(p.operands[1].codes->mutable_data<T>(), k, static_cast<T>(b.q_max)); });
  p.y_shape = Shape{1, 1};
  p.y = *Encoding::per_tensor(signed_grid(16), {0x1p17, 0});
  p.num_channels = 1;
  p.channel_of = [](std::int64_t) { return 0; };
  p.terms = [k](std::int64_t, std::vector<std::pair<std::int64_t, std::int64_t>>& terms) {
    for (std::int64_t i = 0; i < k; ++i) terms.emplace_back(i, i);
  };
  return p;
}

// 255 * 255 * 33025 = 2147450625 < 2^31 <= 255 * 255 * 33026.
TEST(MatMulFixed, TwoActivationsAreProvedFromTheirGrids) {
  for (const std::int64_t k : {33025, 33026}) {
    Problem p = two_activations(k, unsigned_grid(8), unsigned_grid(8));
    const Oracle oracle(p);
    EXPECT_EQ(oracle.bits(), k == 33025 ? 32 : 64);
    expect_exact(p, oracle, &lower_matmul_fixed, std::to_string(k));
    p.options.accumulator_bits = 32;
    const Result<Outcome> narrow = run_fixed(p, &lower_matmul_fixed);
    EXPECT_EQ(narrow.ok(), k == 33025);
    if (!narrow.ok()) {
      EXPECT_EQ(narrow.error().code, ErrorCode::kUnsupported);
    }
  }
}

// All numbers -32768 on both sides: pairs of products leave int32 by one.
TEST(MatMulFixed, LowestNumbersOfSixteenBitsDoNotWrap) {
  for (const std::int64_t k : {1, 2, 5}) {
    Problem p = two_activations(k, signed_grid(16), signed_grid(16));
    for (Operand& operand : p.operands) {
      operand.encoding = *Encoding::per_tensor(signed_grid(16), {1.0, 0});
      std::fill_n(operand.codes->mutable_data<std::int16_t>(), k, std::int16_t{-32768});
    }
    expect_exact(p, Oracle(p), &lower_matmul_fixed, std::to_string(k));
  }
}

// A constant on the left is read as codes, whatever the node's own operand holds.
TEST(MatMulFixed, ConstantLeftOperandIsReplacedByItsCodes) {
  Problem p = two_activations(6, signed_grid(8), unsigned_grid(8));
  p.operands[0].real = Tensor(TensorType{DType::kFloat32, Shape{1, 6}});
  p.y = *Encoding::per_tensor(signed_grid(16), {16.0, 0});
  expect_exact(p, Oracle(p), &lower_matmul_fixed, "constant left");
}

std::string refusal(const Problem& p, Result<FixedForm> (*lower)(const FixedArgs&)) {
  const Result<Outcome> outcome = run_fixed(p, lower);
  EXPECT_TRUE(!outcome.ok());
  if (outcome.ok()) return "";
  EXPECT_EQ(outcome.error().code, ErrorCode::kUnsupported);
  return outcome.error().message;
}

TEST(MatMulFixed, RefusesWhatHasNoIntegerForm) {
  Problem p = two_activations(2, unsigned_grid(8), unsigned_grid(8));
  p.operands[0].encoding = *Encoding::per_channel(unsigned_grid(8), 1, {{1.0, 0}, {2.0, 0}});
  EXPECT_EQ(refusal(p, &lower_matmul_fixed), "operand 0 has an encoding for each channel");
  p = two_activations(2, unsigned_grid(8), unsigned_grid(8));
  p.operands[1].encoding.reset();
  EXPECT_EQ(refusal(p, &lower_matmul_fixed), "operand 1 has no encoding");
  p = two_activations(2, unsigned_grid(8), unsigned_grid(8));
  p.y.reset();
  EXPECT_EQ(refusal(p, &lower_matmul_fixed), "the output has no encoding");
  p = two_activations(2, unsigned_grid(8), unsigned_grid(8));
  p.node = make_node("Gemm", 3);
  p.operands.push_back({Shape{1}, std::nullopt, std::nullopt, Tensor(TensorType{DType::kFloat32, Shape{1}})});
  EXPECT_EQ(refusal(p, &lower_gemm_fixed), "a bias is added to the product of two activations");
  std::mt19937 rng(4);
  Draw d{rng, false};
  p = two_activations(2, unsigned_grid(8), unsigned_grid(8));
  p.node = make_node("Gemm", 2);
  p.operands[1] = d.weight(Shape{2, 1}, d.encoding(signed_grid(8), true));
  p.node.attributes.set("alpha", 0.0F);
  EXPECT_EQ(refusal(p, &lower_gemm_fixed), "alpha is 0, or alpha or beta is not finite");
}

}  // namespace
}  // namespace halfstep::ops
