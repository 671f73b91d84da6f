// weighted_sum_fixed_test.cpp: Add, Sub, Sum, Mean and BatchNormalization on codes against 128-bit sums.
#include <algorithm>
#include <map>
#include <utility>

#include "element_oracle.hpp"

namespace halfstep::ops {
namespace {

constexpr std::int64_t kLargestMultiplier = (std::int64_t{1} << 31) - 1;

double as_factor(double real, Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kFloatHalfEven ? static_cast<double>(static_cast<float>(real)) : real;
}

/// The number of fractional bits per the formula of weighted_sum_fixed.hpp, which is the same for equal arguments.
int oracle_bits(const std::vector<double>& factors, const std::vector<std::int64_t>& reach) {
  static std::map<std::pair<std::vector<double>, std::vector<std::int64_t>>, int> known;
  int& bits = known[{factors, reach}];
  if (bits != 0) return bits;
  for (bits = 60; bits >= 1; --bits) {
    Wide worst = 0;
    bool fits = true;
    for (std::size_t k = 0; k < factors.size(); ++k) {
      const Wide m = scaled(std::fabs(factors[k]), bits);
      fits = fits && m <= kLargestMultiplier;
      worst += m * reach[k];
    }
    if (fits && worst < Wide{1} << 62) return bits;
  }
  ADD_FAILURE() << "no number of fractional bits will do";
  return bits = 1;
}

/// The sum of weight_k * operand_k at element `at`, for operands of codes.
std::int64_t oracle_sum(const ElementProblem& p, std::int64_t at, const std::vector<double>& weights, int* ties) {
  const QuantParams& y = params_for(p.output, at, p.shape, p.shape.rank());
  std::vector<double> factors;
  std::vector<std::int64_t> centred;
  std::vector<std::int64_t> reach;
  for (std::size_t k = 0; k < p.operands.size(); ++k) {
    const CodeOperand& operand = p.operands[k];
    const QuantParams& x = params_for(*operand.encoding, at, p.shape, operand.shape.rank());
    factors.push_back(as_factor(weights[k] * (x.scale / y.scale), p.arithmetic));
    centred.push_back(operand.q[source_of(at, p.shape, operand.shape)] - x.zero_point);
    const DType dtype = storage_dtype(operand.encoding->grid());
    const std::int64_t values = size_in_bytes(dtype) == 1 ? 256 : 65536;
    const std::int64_t lowest = is_signed(operand.encoding->grid()) ? -values / 2 : 0;
    reach.push_back(std::max(lowest + values - 1 - x.zero_point, x.zero_point - lowest));
  }
  const int bits = oracle_bits(factors, reach);
  Wide sum = 0;
  for (std::size_t k = 0; k < factors.size(); ++k) sum += scaled(factors[k], bits) * centred[k];
  return on_grid(y.zero_point + divided(sum, Wide{1} << bits, tie_of(p.arithmetic), ties), p.output.grid());
}

std::vector<double> weights_of(const std::string& type, std::size_t count) {
  std::vector<double> weights(count, type == "Mean" ? 1.0 / static_cast<double>(count) : 1.0);
  if (type == "Sub") weights[1] = -1.0;
  return weights;
}

void expect_oracle(const ElementProblem& problem, int* ties = nullptr) {
  const auto actual = run_fixed(problem);
  ASSERT_TRUE(actual.ok()) << actual.error().message;
  const std::vector<double> weights = weights_of(problem.type, problem.operands.size());
  for (std::size_t i = 0; i < actual->size(); ++i) {
    ASSERT_EQ((*actual)[i], oracle_sum(problem, static_cast<std::int64_t>(i), weights, ties))
        << problem.type << " element " << i << " of " << to_string(problem.shape) << " under "
        << name_of(problem.arithmetic);
  }
}

ElementProblem random_problem(Draw& draw, Arithmetic arithmetic, const std::string& type) {
  const Shape shape = draw.shape();
  const bool channels = shape.rank() > 1 && draw.chance(25);
  const auto extent = channels ? static_cast<std::size_t>(shape[1]) : 0;
  const IntGrid y_grid = draw.grid();
  const double y_steps = static_cast<double>(y_grid.q_max - y_grid.q_min);
  ElementProblem problem{.type = type,
                         .operands = {},
                         .shape = shape,
                         .output = draw.encoding(y_grid, 4.0 / y_steps, arithmetic, 1, draw.chance(50) ? extent : 0),
                         .arithmetic = arithmetic};
  const std::int64_t count = type == "Add" || type == "Sub" ? 2 : draw.integer(1, 4);
  for (std::int64_t k = 0; k < count; ++k) {
    const IntGrid grid = draw.grid();
    const Shape own = k == 0 ? shape : draw.broadcastable(shape);
    const int axis = own.rank() - shape.rank() + 1;
    const bool per_channel = channels && axis >= 0 && own[axis] == shape[1] && draw.chance(50);
    const double steps = static_cast<double>(grid.q_max - grid.q_min);
    problem.operands.push_back(
        {.shape = own,
         .encoding = draw.encoding(grid, 3.0 / steps, arithmetic, axis, per_channel ? extent : 0),
         .q = draw.codes(own, grid),
         .real = {},
         .constant = k > 0 && draw.chance(30)});
  }
  if (draw.chance(30)) swap_operands(problem);
  return problem;
}

// a on steps of 0.5, b on steps of 0.25, y on steps of 0.5 around 10.
TEST(WeightedSumFixed, ThreeCasesByHand) {
  const auto codes = [](const char* type) {
    return run_fixed({.type = type,
                      .operands = {{{3}, *Encoding::per_tensor(unsigned_grid(8), {0.5, 0}), {10, 9, 200}, {}},
                                   {{3}, *Encoding::per_tensor(unsigned_grid(8), {0.25, 0}), {4, 1, 200}, {}}},
                      .shape = {3},
                      .output = *Encoding::per_tensor(unsigned_grid(8), {0.5, 10})})
        .value();
  };
  using Codes = std::vector<std::int64_t>;
  // 5 + 1 = 6 is 12 steps;  4.5 + 0.25 = 4.75 is 9.5, a tie, up;  100 + 50 is beyond the grid.
  EXPECT_EQ(codes("Add"), (Codes{22, 20, 255}));
  // 5 - 1 = 4 is 8 steps;  4.25 is 8.5, up;  50 is 100 steps.
  EXPECT_EQ(codes("Sub"), (Codes{18, 19, 110}));
}

TEST(WeightedSumFixed, RandomProblemsMatchTheWideOracle) {
  Draw draw(20261121);
  for (const std::string type : {"Add", "Sub", "Sum", "Mean"}) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      int ties = 0;
      for (int i = 0; i < 60; ++i) expect_oracle(random_problem(draw, arithmetic, type), &ties);
      if (needs_power_of_two(arithmetic)) {
        EXPECT_GT(ties, 100) << type;
      }
    }
  }
}

Encoding per_tensor(IntGrid grid, double scale, std::int32_t zero_point) {
  return Encoding::per_tensor(grid, {scale, zero_point}).value();
}

// Operands of 2^-4 a step, output of 2^-3: every odd sum is a tie.
TEST(WeightedSumFixed, EveryPairOfBytesMatchesTheWideOracle) {
  std::vector<std::int64_t> all(256);
  for (std::size_t i = 0; i < 256; ++i) all[i] = static_cast<std::int64_t>(i) - 128;
  std::vector<std::int64_t> a;
  std::vector<std::int64_t> b;
  for (const std::int64_t q : all) {
    a.insert(a.end(), 256, q);
    b.insert(b.end(), all.begin(), all.end());
  }
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const double scale_y : {0.125, 0.1}) {
      if (scale_y == 0.1 && needs_power_of_two(arithmetic)) continue;
      for (const char* type : {"Add", "Sub"}) {
        int ties = 0;
        expect_oracle(
            {.type = type,
             .operands = {{{256, 256}, per_tensor(signed_grid(8), 0.0625, -3), a, {}},
                          {{256, 256}, per_tensor(signed_grid(8), scale_y == 0.125 ? 0.0625 : 0.0371, 5), b, {}}},
             .shape = {256, 256},
             .output = per_tensor(signed_grid(8), scale_y, 7),
             .arithmetic = arithmetic},
            &ties);
        if (scale_y == 0.125) {
          EXPECT_EQ(ties, 32768);
        }
      }
    }
  }
}

// 1 step and 0 steps of 2^-4 are half a step of 2^-3; -1 likewise: hand-computed.
TEST(WeightedSumFixed, TiesFollowTheRule) {
  const auto halves = [](Arithmetic arithmetic) {
    return run_fixed({.type = "Add",
                      .operands = {{{4}, per_tensor(signed_grid(8), 0.0625, 0), {1, -1, 3, -3}, {}},
                                   {{}, per_tensor(signed_grid(8), 0.0625, 9), {9}, {}}},
                      .shape = {4},
                      .output = per_tensor(signed_grid(8), 0.125, 0),
                      .arithmetic = arithmetic})
        .value();
  };
  using Codes = std::vector<std::int64_t>;
  EXPECT_EQ(halves(Arithmetic::kShiftHalfUp), (Codes{1, 0, 2, -1}));
  EXPECT_EQ(halves(Arithmetic::kShiftHalfAway), (Codes{1, -1, 2, -2}));
  EXPECT_EQ(halves(Arithmetic::kShiftHalfEven), (Codes{0, 0, 2, -2}));
  EXPECT_EQ(halves(Arithmetic::kFloatHalfEven), (Codes{0, 0, 2, -2}));
  EXPECT_EQ(halves(Arithmetic::kQ31Single), (Codes{1, 0, 2, -1}));
  EXPECT_EQ(halves(Arithmetic::kQ31Double), (Codes{1, 0, 2, -1}));
}

// 3 sums of 1/3 step are exact to the last of many fractional bits: mean of {3, 3, 3} = 3.
TEST(WeightedSumFixed, MeanOfEqualCodesIsThatCode) {
  for (const Arithmetic arithmetic : kAllArithmetics) {
    const Encoding grid = per_tensor(unsigned_grid(8), 0.25, 100);
    std::vector<std::int64_t> q(256);
    for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<std::int64_t>(i);
    const CodeOperand x{{256}, grid, q, {}};
    const auto mean =
        run_fixed({.type = "Mean", .operands = {x, x, x}, .shape = {256}, .output = grid, .arithmetic = arithmetic});
    EXPECT_EQ(mean.value(), q);
  }
}

// The fused clamp: [0, 6] at 0.1 a step and zero point -128 is [-128, -68].
TEST(WeightedSumFixed, TheFusedClampNarrowsTheGrid) {
  const auto clamped =
      run_fixed({.type = "Add",
                 .operands = {{{3}, per_tensor(signed_grid(8), 0.1, 0), {-50, 30, 127}, {}},
                              {{3}, per_tensor(signed_grid(8), 0.1, 0), {0, 5, 0}, {}}},
                 .shape = {3},
                 .output = per_tensor(signed_grid(8), 0.1, -128),
                 .clamp = graph::FusedClamp{.min = 0.0F, .max = 6.0F, .node_name = "", .pre_name = ""}});
  EXPECT_EQ(clamped.value(), (std::vector<std::int64_t>{-128, -93, -68}));
}

// A mask of -infinity saturates; 0 and finite numbers are added with F fractional bits.
TEST(WeightedSumFixed, RealConstantsAreAddedInFractionalBits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const ElementProblem problem{.type = "Add",
                               .operands = {{{4}, per_tensor(signed_grid(8), 0.5, 0), {100, 100, 100, 101}, {}},
                                            {{4}, std::nullopt, {}, {0.0F, -kInfinity, 1.25F, -3.4e38F}}},
                               .shape = {4},
                               .output = per_tensor(signed_grid(8), 0.5, 10)};
  // 1.25 is 2.5 steps: 112.5, halves up.
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{110, -128, 113, -128}));
  ElementProblem with_nan = problem;
  with_nan.operands[1].real[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(run_fixed(with_nan).error().message, "operand 1 holds a NaN");
  ElementProblem without_output = problem;
  without_output.arithmetic = Arithmetic::kShiftHalfUp;
  without_output.output = per_tensor(signed_grid(8), 0.3, 0);
  EXPECT_EQ(run_fixed(without_output).error().code, ErrorCode::kUnsupported);
}

// Each addend as the nearest multiple of 2^-F is exact to 2^-F / 2: within one code of the real sum, and nearly always
// the nearest code.
TEST(WeightedSumFixed, RealConstantsStayCloseToTheRealSum) {
  Draw draw(7);
  for (int i = 0; i < 200; ++i) {
    ElementProblem problem = random_problem(draw, Arithmetic::kQ31Single, draw.chance(50) ? "Add" : "Sub");
    CodeOperand& second = problem.operands[1];
    second.encoding.reset();
    second.real.clear();
    for (std::size_t k = 0; k < second.q.size(); ++k) second.real.push_back(static_cast<float>(draw.real(-1.0, 1.0)));
    const auto actual = run_fixed(problem);
    ASSERT_TRUE(actual.ok()) << actual.error().message;
    for (std::int64_t at = 0; at < problem.shape.num_elements(); ++at) {
      const CodeOperand& first = problem.operands[0];
      const QuantParams& x = params_for(*first.encoding, at, problem.shape, first.shape.rank());
      const QuantParams& y = params_for(problem.output, at, problem.shape, problem.shape.rank());
      const double a = x.scale * static_cast<double>(first.q[source_of(at, problem.shape, first.shape)] - x.zero_point);
      const double b = static_cast<double>(second.real[source_of(at, problem.shape, second.shape)]);
      const double steps = (problem.type == "Add" ? a + b : a - b) / y.scale + y.zero_point;
      const double limited = std::clamp(steps, static_cast<double>(problem.output.grid().q_min),
                                        static_cast<double>(problem.output.grid().q_max));
      ASSERT_LE(std::fabs(static_cast<double>((*actual)[static_cast<std::size_t>(at)]) - limited), 0.5 + 1e-4);
    }
  }
}

// A factor of 2^20 beside one of 2^-20 leaves no exact integers; without the shift rules it is a matter of precision.
TEST(WeightedSumFixed, ShiftRulesRefuseWhatIsNotExact) {
  ElementProblem problem{.type = "Add",
                         .operands = {{{1}, per_tensor(signed_grid(8), 0x1p20, 0), {1}, {}},
                                      {{1}, per_tensor(signed_grid(8), 0x1p-20, 0), {1}, {}}},
                         .shape = {1},
                         .output = per_tensor(signed_grid(8), 1.0, 0),
                         .arithmetic = Arithmetic::kShiftHalfEven};
  EXPECT_EQ(run_fixed(problem).error().message, "the scales of the operands are too far apart for exact shifts");
  problem.arithmetic = Arithmetic::kQ31Single;
  EXPECT_EQ(run_fixed(problem).value(), std::vector<std::int64_t>{127});
}

// The widest sums there are: 16-bit operands, a factor near 2^30, every code at its end.
TEST(WeightedSumFixed, ExtremeFactorsSaturateInsteadOfOverflowing) {
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const double scale_y : {0x1p-29, 0x1p-13, 0x1p30, 0x1p60}) {
      const CodeOperand a{{2}, per_tensor(signed_grid(16), 1.0, -32768), {-32768, 32767}, {}};
      const CodeOperand b{{2}, per_tensor(signed_grid(16), 1.0, 32767), {32767, -32768}, {}};
      for (const char* type : {"Add", "Sub"}) {
        expect_oracle({.type = type,
                       .operands = {a, b},
                       .shape = {2},
                       .output = per_tensor(signed_grid(16), scale_y, 12),
                       .arithmetic = arithmetic});
      }
    }
  }
}

TEST(WeightedSumFixed, TheSameTensorMayBeBothOperands) {
  const CodeOperand x{{300}, per_tensor(unsigned_grid(8), 0.02, 7), Draw(3).codes({300}, unsigned_grid(8)), {}};
  for (const char* type : {"Add", "Sub"}) {
    expect_oracle({.type = type, .operands = {x, x}, .shape = {300}, .output = per_tensor(signed_grid(8), 0.04, -9)});
  }
}

TEST(WeightedSumFixed, TheOutputMayLieInTheFirstOperandsStorage) {
  Draw draw(4);
  for (const IntGrid grid : {signed_grid(8), unsigned_grid(16)}) {
    const double scale = grid.q_min < 0 ? 0.02 : 0.0001;
    const CodeOperand x{{3, 700}, per_tensor(grid, scale, 7), draw.codes({3, 700}, grid), {}};
    for (const Shape& shape : {Shape{3, 700}, Shape{700}, Shape{3, 1}}) {
      const CodeOperand other{shape, per_tensor(grid, scale, 3), draw.codes(shape, grid), {}};
      expect_oracle({.type = "Sub",
                     .operands = {x, other},
                     .shape = {3, 700},
                     .output = per_tensor(grid, 1.7 * scale, 9),
                     .in_place = true});
    }
  }
}

TEST(WeightedSumFixed, OperandsWithoutEncodingAreRefused) {
  ElementProblem problem{.type = "Add",
                         .operands = {{{1}, per_tensor(signed_grid(8), 1.0, 0), {1}, {}},
                                      {{1}, per_tensor(signed_grid(32), 1.0, 0), {1}, {}}},
                         .shape = {1},
                         .output = per_tensor(signed_grid(8), 1.0, 0)};
  EXPECT_EQ(run_fixed(problem).error().message, "operand 1 is on a grid of more than 16 bits");
  // As a constant its codes become real numbers.
  problem.operands[1].constant = true;
  problem.operands[1].q = {20};
  EXPECT_EQ(run_fixed(problem).value(), std::vector<std::int64_t>{21});
}

TEST(WeightedSumFixed, BatchNormalizationStaysCloseToTheRealNumbers) {
  Draw draw(11);
  for (int i = 0; i < 60; ++i) {
    const Arithmetic arithmetic = kAllArithmetics[i % 6];
    const Shape shape = {2, 5, 3, 11};
    const IntGrid grid = draw.grid();
    const IntGrid y_grid = draw.grid();
    const double x_near = 4.0 / static_cast<double>(grid.q_max - grid.q_min);
    const double y_near = 8.0 / static_cast<double>(y_grid.q_max - y_grid.q_min);
    ElementProblem problem{.type = "BatchNormalization",
                           .operands = {{shape,
                                         draw.encoding(grid, x_near, arithmetic, 1, draw.chance(30) ? 5 : 0),
                                         draw.codes(shape, grid),
                                         {}}},
                           .shape = shape,
                           .output = draw.encoding(y_grid, y_near, arithmetic, 1, draw.chance(30) ? 5 : 0),
                           .arithmetic = arithmetic};
    for (int parameter = 0; parameter < 4; ++parameter) {
      std::vector<float> values;
      for (int c = 0; c < 5; ++c) {
        values.push_back(static_cast<float>(parameter == 3 ? draw.real(0.1, 2.0) : draw.real(-2.0, 2.0)));
      }
      problem.operands.push_back({{5}, std::nullopt, {}, values});
    }
    const auto actual = run_fixed(problem);
    ASSERT_TRUE(actual.ok()) << actual.error().message;
    for (std::int64_t at = 0; at < shape.num_elements(); ++at) {
      const auto c = static_cast<std::size_t>(at / 33 % 5);
      const auto parameter = [&](std::size_t k) { return static_cast<double>(problem.operands[k].real[c]); };
      const double weight = parameter(1) / std::sqrt(parameter(4) + static_cast<double>(1e-5F));
      const double offset = parameter(2) - parameter(3) * weight;
      const QuantParams& x = params_for(*problem.operands[0].encoding, at, shape, 4);
      const QuantParams& y = params_for(problem.output, at, shape, 4);
      const std::int64_t centred = problem.operands[0].q[static_cast<std::size_t>(at)] - x.zero_point;
      const double factor = as_factor(weight * (x.scale / y.scale), arithmetic);
      const double steps = factor * static_cast<double>(centred) + offset / y.scale + y.zero_point;
      const double limited = std::clamp(steps, static_cast<double>(y_grid.q_min), static_cast<double>(y_grid.q_max));
      ASSERT_LE(std::fabs(static_cast<double>((*actual)[static_cast<std::size_t>(at)]) - limited), 0.5 + 1e-4)
          << name_of(arithmetic);
    }
  }
}

// Weights 0.5 and -2 (variances are 0.25, epsilon 0), offsets 0.125 and 0; in steps of 0.25: half a step, and none.
TEST(WeightedSumFixed, BatchNormalizationRoundsOnceWithItsOffset) {
  ElementProblem problem{.type = "BatchNormalization",
                         .attrs = {{"epsilon", 0.0F}},
                         .operands = {{{1, 2, 3}, per_tensor(signed_grid(8), 0.25, -3), {-3, -2, 1, -3, -2, 1}, {}},
                                      {{2}, std::nullopt, {}, {0.25F, -1.0F}},
                                      {{2}, std::nullopt, {}, {0.125F, -0.5F}},
                                      {{2}, std::nullopt, {}, {0.0F, 0.25F}},
                                      {{2}, std::nullopt, {}, {0.25F, 0.25F}}},
                         .shape = {1, 2, 3},
                         .output = per_tensor(signed_grid(8), 0.25, 1)};
  // Channel 0: 1 + round({0.5, 1, 2.5}); channel 1: 1 + {0, -2, -8}: -2 * (x - 0.25) - 0.5 is -2x, in steps -2 (q + 3).
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{2, 2, 4, 1, -1, -7}));
  problem.arithmetic = Arithmetic::kShiftHalfEven;
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{1, 2, 3, 1, -1, -7}));
  problem.attrs.push_back({"training_mode", std::int64_t{1}});
  EXPECT_EQ(run_fixed(problem).error().message, "training_mode is 1");
}

}  // namespace
}  // namespace halfstep::ops
