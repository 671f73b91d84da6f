// unary_fixed_test.cpp: every entry of every table against the float operator, and against integers where those decide.
#include <algorithm>
#include <set>

#include "element_oracle.hpp"
#include "ops/elementwise/unary_real.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {
namespace {

struct Case {
  std::string type;
  float low;  ///< Of the operand; the functions are meant here, or have no value at all.
  float high;
  Attrs attrs = {};
  std::vector<float> scalars = {};  ///< Constant operands 1, 2, ...
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"Abs", -3, 2},
      {"Acos", -1, 1},
      {"Acosh", 0, 9},
      {"Asin", -1.2F, 1.2F},
      {"Asinh", -5, 5},
      {"Atan", -8, 8},
      {"Atanh", -0.9F, 0.9F},
      {"Ceil", -4, 4},
      {"Celu", -4, 4, {{"alpha", 0.7F}}},
      {"Clip", -3, 9, {}, {-1.5F, 6.0F}},
      {"Cos", -7, 7},
      {"Cosh", -4, 4},
      {"Elu", -6, 3, {{"alpha", 1.3F}}},
      {"Erf", -3, 3},
      {"Exp", -6, 3},
      {"Floor", -4, 4},
      {"Gelu", -5, 5},
      {"Gelu", -5, 5, {{"approximate", std::string("tanh")}}},
      {"HardSigmoid", -5, 5},
      {"HardSwish", -6, 6},
      {"LeakyRelu", -5, 5, {{"alpha", 0.1F}}},
      {"Log", -1, 8},
      {"Mish", -6, 6},
      {"Neg", -2, 3},
      {"Pow", -3, 3, {}, {2.0F}},
      {"Pow", -1, 6, {}, {0.5F}},
      {"Pow", -2, 2, {}, {3.0F}},
      {"Reciprocal", 0, 20},
      {"Relu", -3, 3},
      {"Round", -4, 4},
      {"Selu", -5, 3},
      {"Shrink", -3, 3, {{"lambd", 0.75F}, {"bias", 0.5F}}},
      {"Sigmoid", -9, 9},
      {"Sign", -2, 2},
      {"Sin", -6, 6},
      {"Sinh", -4, 4},
      {"Softplus", -7, 7},
      {"Softsign", -20, 20},
      {"Sqrt", -1, 9},
      {"Swish", -8, 8, {{"alpha", 1.2F}}},
      {"Tan", -1.4F, 1.4F},
      {"Tanh", -4, 4},
      {"ThresholdedRelu", -1, 4, {{"alpha", 1.0F}}},
  };
  return all;
}

Encoding encoding_of(IntGrid grid, double low, double high) {
  const double steps = static_cast<double>(grid.q_max - grid.q_min);
  const double scale = static_cast<double>(static_cast<float>((std::max(high, 0.0) - std::min(low, 0.0)) / steps));
  const auto zero_point = grid.q_min + static_cast<std::int32_t>(std::round(-std::min(low, 0.0) / scale));
  return Encoding::per_tensor(grid, {scale, std::min(zero_point, grid.q_max)}).value();
}

std::vector<std::int64_t> all_codes(IntGrid grid) {
  std::vector<std::int64_t> q;
  for (std::int64_t code = grid.q_min; code <= grid.q_max; ++code) q.push_back(code);
  return q;
}

ElementProblem problem_of(const Case& c, const Encoding& x, const Encoding& y) {
  const std::vector<std::int64_t> q = all_codes(x.grid());
  const Shape shape = {static_cast<std::int64_t>(q.size())};
  ElementProblem problem{
      .type = c.type, .attrs = c.attrs, .operands = {{shape, x, q, {}}}, .shape = shape, .output = y};
  for (const float scalar : c.scalars) problem.operands.push_back({{}, std::nullopt, {}, {scalar}});
  return problem;
}

/// The float operator on what the codes mean.
std::vector<float> float_results(const Case& c, const Encoding& x) {
  std::vector<float> reals;
  for (const std::int64_t q : all_codes(x.grid())) {
    const QuantParams& p = x.params()[0];
    reals.push_back(static_cast<float>(p.scale) * static_cast<float>(q - p.zero_point));
  }
  Operands operands = {floats({static_cast<std::int64_t>(reals.size())}, reals)};
  for (const float scalar : c.scalars) operands.emplace_back(floats({}, {scalar}));
  return to_floats(run(c.type, c.attrs, operands).view());
}

void expect_one_step(const Case& c, IntGrid x_grid, IntGrid y_grid) {
  const Encoding x = encoding_of(x_grid, static_cast<double>(c.low), static_cast<double>(c.high));
  const std::vector<float> reals = float_results(c, x);
  double low = 0.0;
  double high = 0.0;
  for (const float real : reals) {
    if (!std::isfinite(real)) continue;
    low = std::min(low, static_cast<double>(real));
    high = std::max(high, static_cast<double>(real));
  }
  const Encoding y = encoding_of(y_grid, low, high);
  const QuantParams& p = y.params()[0];
  const auto codes = run_fixed(problem_of(c, x, y));
  ASSERT_TRUE(codes.ok()) << c.type << ": " << codes.error().message;
  for (std::size_t i = 0; i < reals.size(); ++i) {
    double expected = p.zero_point;  // Of NaN.
    if (!std::isnan(reals[i])) {
      expected = std::clamp(static_cast<double>(reals[i]) / p.scale + p.zero_point, static_cast<double>(y_grid.q_min),
                            static_cast<double>(y_grid.q_max));
    }
    ASSERT_LE(std::fabs(static_cast<double>((*codes)[i]) - expected), 1.0) << c.type << " of code index " << i;
  }
}

TEST(UnaryFixed, ThreeCasesByHand) {
  const auto codes = [](const char* type, Attrs attrs, Encoding x, std::vector<std::int64_t> q, Encoding y,
                        Arithmetic arithmetic) {
    const Shape shape{static_cast<std::int64_t>(q.size())};
    return run_fixed({.type = type,
                      .attrs = std::move(attrs),
                      .operands = {{shape, std::move(x), std::move(q), {}}},
                      .shape = shape,
                      .output = std::move(y),
                      .arithmetic = arithmetic})
        .value();
  };
  using Codes = std::vector<std::int64_t>;
  const Encoding tenths = *Encoding::per_tensor(signed_grid(8), {0.1, 0});
  const Encoding ones = *Encoding::per_tensor(signed_grid(8), {1.0, 0});
  // sigmoid(0) = 1/2 is 128 steps of 1/256;  sigmoid(12.7) is 256 of them, one beyond the grid;  sigmoid(-12.8) is 0.
  EXPECT_EQ(codes("Sigmoid", {}, tenths, {0, 127, -128}, *Encoding::per_tensor(unsigned_grid(8), {1.0 / 256, 0}),
                  Arithmetic::kQ31Single),
            (Codes{128, 255, 0}));
  // Half of -5 and -3 are ties: -2.5 and -1.5.
  EXPECT_EQ(codes("LeakyRelu", {{"alpha", 0.5F}}, ones, {7, -5, -3}, ones, Arithmetic::kShiftHalfUp),
            (Codes{7, -2, -1}));
  EXPECT_EQ(codes("LeakyRelu", {{"alpha", 0.5F}}, ones, {7, -5, -3}, ones, Arithmetic::kShiftHalfEven),
            (Codes{7, -2, -2}));
  EXPECT_EQ(codes("LeakyRelu", {{"alpha", 0.5F}}, ones, {7, -5, -3}, ones, Arithmetic::kShiftHalfAway),
            (Codes{7, -3, -2}));
}

TEST(UnaryFixed, EveryEntryIsWithinAStepOfTheFloatOperator) {
  for (const Case& c : cases()) {
    expect_one_step(c, signed_grid(8), unsigned_grid(8));
    expect_one_step(c, unsigned_grid(8), signed_grid(16));
    expect_one_step(c, unsigned_grid(16), signed_grid(8));
    expect_one_step(c, signed_grid(16), unsigned_grid(16));
  }
}

TEST(UnaryFixed, EveryUnaryOperatorIsInTheCasesAbove) {
  std::set<std::string> known;
  for (const Case& c : cases()) known.insert(c.type);
  for (const OpDef& op : all_ops()) {
    const Tensor x = floats({1}, {0.0F});
    const graph::Node node = node_of(std::string(op.type), {}, {x}, 1);
    const std::array<const TensorType*, 1> types = {&x.type()};
    const std::array<const Tensor*, 1> values = {nullptr};
    if (op.domain == "" && real_function(NodeArgs{node, types, values}).ok()) {
      EXPECT_EQ(known.count(std::string(op.type)), 1U) << op.type;
      EXPECT_TRUE(op.has_integer_form) << op.type;
      EXPECT_NE(op.lower_fixed, nullptr) << op.type;
    }
  }
  for (const std::string& type : known) EXPECT_NE(find_op("", type)->lower_fixed, nullptr) << type;
}

// s_y = 2 s_x: every odd (q - z) is a tie. slope_above and slope_below are in halves: 2 is slope 1.
TEST(UnaryFixed, PiecewiseLinearTablesAreExactAtTies) {
  struct Line {
    Case c;
    int above;  ///< Slopes in quarters.
    int below;
  };
  const Line lines[] = {{{"Relu", 0, 0}, 4, 0},
                        {{"Abs", 0, 0}, 4, -4},
                        {{"Neg", 0, 0}, -4, -4},
                        {{"LeakyRelu", 0, 0, {{"alpha", 0.25F}}}, 4, 1},
                        {{"Clip", 0, 0, {}, {-1e6F, 1e6F}}, 4, 4},
                        {{"Pow", 0, 0, {}, {1.0F}}, 4, 4},
                        {{"Elu", 0, 0, {{"alpha", 0.0F}}}, 4, 0}};
  for (const double unit : {0.1, 0.25, 3.7}) {
    const Encoding x = Encoding::per_tensor(signed_grid(8), {unit, 3}).value();
    const Encoding y = Encoding::per_tensor(signed_grid(8), {2.0 * x.params()[0].scale, -5}).value();
    for (const Line& line : lines) {
      for (const Arithmetic arithmetic : kAllArithmetics) {
        ElementProblem problem = problem_of(line.c, x, y);
        problem.arithmetic = arithmetic;
        const auto codes = run_fixed(problem).value();
        int ties = 0;
        for (std::int64_t q = -128; q <= 127; ++q) {
          const Wide eighths = (q - 3) * (q < 3 ? line.below : line.above);
          const Wide expected = -5 + divided(eighths, 8, tie_of(arithmetic), &ties);
          ASSERT_EQ(codes[static_cast<std::size_t>(q + 128)], on_grid(expected, signed_grid(8)))
              << line.c.type << " of " << q << " under " << name_of(arithmetic);
        }
        EXPECT_GE(ties, 32) << line.c.type;
      }
    }
  }
}

// Ten steps of the float32 number 0.1 are a little more than 1, but mean 1; they are rounded to float32 first.
TEST(UnaryFixed, StepsThatMeanAnIntegerAreOne) {
  const Encoding x = Encoding::per_tensor(signed_grid(8), {0.1, 0}).value();
  const Encoding y = Encoding::per_tensor(signed_grid(8), {1.0, 0}).value();
  EXPECT_EQ(run_fixed(problem_of({"Ceil", 0, 0}, x, y)).value()[128 + 10], 1);
  EXPECT_EQ(run_fixed(problem_of({"ThresholdedRelu", 0, 0}, x, y)).value()[128 + 10], 0);
  EXPECT_EQ(run_fixed(problem_of({"ThresholdedRelu", 0, 0}, x, y)).value()[128 + 11], 1);
  const Encoding seven = Encoding::per_tensor(signed_grid(8), {0.7, 0}).value();  // A little less than 0.7.
  EXPECT_EQ(run_fixed(problem_of({"Floor", 0, 0}, seven, y)).value()[128 + 10], 7);
}

// log(-1) is no number: zero point; log(0) = -infinity: the lowest code.
TEST(UnaryFixed, WhatIsNoNumberHasACodeToo) {
  const Encoding x = Encoding::per_tensor(signed_grid(8), {1.0, 0}).value();
  const Encoding y = Encoding::per_tensor(signed_grid(8), {0.5, 20}).value();
  const auto log = run_fixed(problem_of({"Log", 0, 0}, x, y)).value();
  EXPECT_EQ(log[127], 20);
  EXPECT_EQ(log[128], -128);
  EXPECT_EQ(log[129], 20);
  const auto reciprocal = run_fixed(problem_of({"Reciprocal", 0, 0}, x, y)).value();
  EXPECT_EQ(reciprocal[128], 127);
  EXPECT_EQ(reciprocal[129], 22);
}

// A grid of 4 bits is stored in 8: codes outside it count as its ends. The fused clamp narrows the output.
TEST(UnaryFixed, CodesOutsideTheGridCountAsItsEnds) {
  ElementProblem problem{
      .type = "Neg",
      .operands = {{{4}, Encoding::per_tensor(signed_grid(4), {1.0, 0}).value(), {-100, -8, 7, 100}, {}}},
      .shape = {4},
      .output = Encoding::per_tensor(signed_grid(8), {1.0, 0}).value()};
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{8, 8, -7, -7}));
  problem.clamp = graph::FusedClamp{.min = -3.0F, .max = 6.0F, .node_name = "", .pre_name = ""};
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{6, 6, -3, -3}));
}

TEST(UnaryFixed, ChannelsHaveTablesOfTheirOwn) {
  const Encoding x = Encoding::per_channel(signed_grid(8), 1, {{1.0, 0}, {0.5, 1}, {2.0, -1}}).value();
  ElementProblem problem{.type = "Relu",
                         .operands = {{{2, 3, 2}, x, {-1, 3, 0, 9, 1, 2, 5, -5, 4, 4, -3, -1}, {}}},
                         .shape = {2, 3, 2},
                         .output = Encoding::per_tensor(unsigned_grid(8), {1.0, 10}).value()};
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{10, 13, 10, 14, 14, 16, 15, 10, 12, 12, 10, 10}));
  problem.output = Encoding::per_channel(unsigned_grid(8), 1, {{1.0, 0}, {1.0, 1}, {4.0, 2}}).value();
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{0, 3, 1, 5, 3, 4, 5, 0, 3, 3, 2, 2}));
  problem.output = Encoding::per_channel(unsigned_grid(8), 2, {{1.0, 0}, {1.0, 1}}).value();
  EXPECT_EQ(run_fixed(problem).error().message, "encodings are per channel along different axes");
  const std::vector<QuantParams> many(1000, QuantParams{1.0, 0});
  problem.operands[0] = {
      {1, 1000}, Encoding::per_channel(signed_grid(16), 1, many).value(), std::vector<std::int64_t>(1000, 0), {}};
  problem.shape = {1, 1000};
  problem.output = Encoding::per_tensor(unsigned_grid(8), {1.0, 10}).value();
  EXPECT_TRUE(run_fixed(problem).ok());
  problem.output = Encoding::per_tensor(unsigned_grid(16), {1.0, 10}).value();
  EXPECT_EQ(run_fixed(problem).error().message, "tables of 65536 entries for 1000 channels are too large");
}

TEST(UnaryFixed, OperandsMustBeConstantScalarsOrEncoded) {
  const Encoding grid = Encoding::per_tensor(signed_grid(8), {0.5, 0}).value();
  ElementProblem problem = problem_of({"Clip", 0, 0, {}, {-1.0F}}, grid, grid);
  problem.operands[1] = {{}, Encoding::per_tensor(signed_grid(8), {0.25, 0}).value(), {-6}, {}, true};
  EXPECT_EQ(run_fixed(problem).value()[0], -3);  // The encoded bound is -1.5.
  problem.operands[1].constant = false;
  EXPECT_EQ(run_fixed(problem).error().message, "operand 1 is no constant scalar");
  ElementProblem pow = problem_of({"Pow", 0, 0}, grid, grid);
  pow.operands.push_back({{2}, std::nullopt, {}, {1.0F, 2.0F}});
  EXPECT_EQ(run_fixed(pow).error().message, "operand 1 is no constant scalar");
}

}  // namespace
}  // namespace halfstep::ops
