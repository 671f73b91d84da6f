// binary_fixed_test.cpp: Mul, Div, Min, Max and PRelu on codes against 128-bit arithmetic.
#include <algorithm>

#include "element_oracle.hpp"

namespace halfstep::ops {
namespace {

Encoding per_tensor(IntGrid grid, double scale, std::int32_t zero_point) {
  return Encoding::per_tensor(grid, {scale, zero_point}).value();
}

/// What the oracles see of one element of one operand.
struct Element {
  Wide centred = 0;  ///< q - z.
  double scale = 1.0;
  Wide reach = 0;  ///< Largest |q - z| of the type.
};

Element element_of(const ElementProblem& p, std::size_t k, std::int64_t at) {
  const CodeOperand& operand = p.operands[k];
  const QuantParams& x = params_for(*operand.encoding, at, p.shape, operand.shape.rank());
  Element element{operand.q[source_of(at, p.shape, operand.shape)] - x.zero_point, x.scale, 0};
  visit_dtype(storage_dtype(operand.encoding->grid()), [&]<class T>() {
    element.reach = std::max<Wide>(static_cast<Wide>(std::numeric_limits<T>::max()) - x.zero_point,
                                   x.zero_point - static_cast<Wide>(std::numeric_limits<T>::lowest()));
  });
  return element;
}

const QuantParams& output_of(const ElementProblem& p, std::int64_t at) {
  return params_for(p.output, at, p.shape, p.shape.rank());
}

std::int64_t oracle_mul(const ElementProblem& p, std::int64_t at, int* ties) {
  const Element a = element_of(p, 0, at);
  const Element b = element_of(p, 1, at);
  const QuantParams& y = output_of(p, at);
  // One width for all channels: the widest decides.
  bool wide = false;
  for (std::int64_t i = 0; i < p.shape.num_elements(); ++i) {
    wide = wide || element_of(p, 0, i).reach * element_of(p, 1, i).reach > std::numeric_limits<std::int32_t>::max();
  }
  const OracleFactor f = oracle_factor(a.scale * b.scale, y.scale, p.arithmetic);
  return on_grid(y.zero_point + oracle_rescale(a.centred * b.centred, f, p.arithmetic, wide, ties), p.output.grid());
}

std::int64_t oracle_div(const ElementProblem& p, std::int64_t at, int* ties) {
  const Element a = element_of(p, 0, at);
  Element b = element_of(p, 1, at);
  const QuantParams& y = output_of(p, at);
  const IntGrid grid = p.output.grid();
  if (p.operands[1].constant) {
    const double c = static_cast<double>(static_cast<std::int64_t>(b.centred)) * b.scale;
    const OracleFactor f = oracle_factor(std::fabs(1.0 / c) * (a.scale / y.scale), 1.0, p.arithmetic);
    const Wide acc = c < 0 ? -a.centred : a.centred;
    return on_grid(y.zero_point + oracle_rescale(acc, f, p.arithmetic, false, ties), grid);
  }
  if (b.centred == 0) return a.centred == 0 ? y.zero_point : a.centred > 0 ? grid.q_max : grid.q_min;
  if (b.centred < 0) {
    b.centred = -b.centred;
  } else {
    b.scale = -b.scale;
  }
  const OracleFactor f = oracle_factor(a.scale / std::fabs(b.scale), y.scale, p.arithmetic);
  if (f.bits > 60) return y.zero_point;
  const Wide numerator = b.scale < 0 ? a.centred * f.m : -a.centred * f.m;
  return on_grid(y.zero_point + divided(numerator, b.centred * (Wide{1} << f.bits), tie_of(p.arithmetic), ties), grid);
}

std::int64_t oracle_extreme(const ElementProblem& p, std::int64_t at, int* ties) {
  const QuantParams& y = output_of(p, at);
  std::vector<Wide> rescaled;
  for (std::size_t k = 0; k < p.operands.size(); ++k) {
    const Element x = element_of(p, k, at);
    rescaled.push_back(
        oracle_rescale(x.centred, oracle_factor(x.scale, y.scale, p.arithmetic), p.arithmetic, false, ties));
  }
  const auto [low, high] = std::minmax_element(rescaled.begin(), rescaled.end());
  return on_grid(y.zero_point + (p.type == "Min" ? *low : *high), p.output.grid());
}

std::int64_t oracle_prelu(const ElementProblem& p, std::int64_t at, int* ties) {
  const Element x = element_of(p, 0, at);
  const QuantParams& y = output_of(p, at);
  const CodeOperand& slopes = p.operands[1];
  double slope = 0.0;
  if (slopes.encoding) {
    const Element s = element_of(p, 1, at);
    slope = static_cast<double>(static_cast<std::int64_t>(s.centred)) * s.scale;
  } else {
    slope = static_cast<double>(slopes.real[source_of(at, p.shape, slopes.shape)]);
  }
  const double factor = x.centred < 0 ? slope : 1.0;
  const OracleFactor f = oracle_factor(std::fabs(factor) * (x.scale / y.scale), 1.0, p.arithmetic);
  const Wide acc = factor < 0.0 ? -x.centred : x.centred;
  return on_grid(y.zero_point + oracle_rescale(acc, f, p.arithmetic, false, ties), p.output.grid());
}

using Oracle = std::int64_t (*)(const ElementProblem&, std::int64_t, int*);

void expect_oracle(const ElementProblem& problem, Oracle oracle, int* ties = nullptr) {
  const auto actual = run_fixed(problem);
  ASSERT_TRUE(actual.ok()) << actual.error().message;
  for (std::size_t i = 0; i < actual->size(); ++i) {
    ASSERT_EQ((*actual)[i], oracle(problem, static_cast<std::int64_t>(i), ties))
        << problem.type << " element " << i << " of " << to_string(problem.shape) << " under "
        << name_of(problem.arithmetic);
  }
}

/// Operand 0 covers [-4, 4] or so, the others [-other, other], the output [-out, out].
ElementProblem random_problem(Draw& draw, Arithmetic arithmetic, const std::string& type, std::int64_t count,
                              double other, double out) {
  Shape shape = draw.shape();
  if (shape.num_elements() > 210) shape = {2, 3, 5};  // oracle_mul looks at all elements for each.
  const bool channels = shape.rank() > 1 && draw.chance(30);
  const auto extent = channels ? static_cast<std::size_t>(shape[1]) : 0;
  const auto steps_of = [](IntGrid grid) { return static_cast<double>(grid.q_max - grid.q_min); };
  const IntGrid y_grid = draw.grid();
  ElementProblem problem{
      .type = type,
      .operands = {},
      .shape = shape,
      .output = draw.encoding(y_grid, 2.0 * out / steps_of(y_grid), arithmetic, 1, draw.chance(50) ? extent : 0),
      .arithmetic = arithmetic};
  for (std::int64_t k = 0; k < count; ++k) {
    const IntGrid grid = draw.grid();
    const Shape own = k == 0 ? shape : draw.broadcastable(shape);
    const int axis = own.rank() - shape.rank() + 1;
    const bool per_channel = channels && axis >= 0 && own[axis] == shape[1] && draw.chance(50);
    const double near = (k == 0 ? 8.0 : 2.0 * other) / steps_of(grid);
    problem.operands.push_back({.shape = own,
                                .encoding = draw.encoding(grid, near, arithmetic, axis, per_channel ? extent : 0),
                                .q = draw.codes(own, grid),
                                .real = {}});
  }
  return problem;
}

// a on steps of 0.5, b on steps of 0.25, y on steps of 1.
TEST(BinaryFixed, ThreeCasesByHand) {
  const auto codes = [](const char* type, std::vector<std::int64_t> a, std::vector<std::int64_t> b, std::int32_t zero,
                        Arithmetic arithmetic) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    return run_fixed({.type = type,
                      .operands = {{shape, *Encoding::per_tensor(unsigned_grid(8), {0.5, 0}), std::move(a), {}},
                                   {shape, *Encoding::per_tensor(unsigned_grid(8), {0.25, 0}), std::move(b), {}}},
                      .shape = shape,
                      .output = *Encoding::per_tensor(unsigned_grid(8), {1.0, zero}),
                      .arithmetic = arithmetic})
        .value();
  };
  using Codes = std::vector<std::int64_t>;
  // 7 * 6 / 8 = 5.25,  4 * 5 / 8 = 2.5 is a tie,  255 * 255 / 8 is beyond the grid.
  EXPECT_EQ(codes("Mul", {7, 4, 255}, {6, 5, 255}, 0, Arithmetic::kQ31Single), (Codes{5, 3, 255}));
  EXPECT_EQ(codes("Mul", {7, 4, 255}, {6, 5, 255}, 0, Arithmetic::kShiftHalfEven), (Codes{5, 2, 255}));
  // 3.5 / 1.5 = 2.33,  0 / 0 is 0,  1.5 / 0 is the end of the grid; the zero point is 1.
  EXPECT_EQ(codes("Div", {7, 0, 3}, {6, 0, 0}, 1, Arithmetic::kQ31Single), (Codes{3, 1, 255}));
}

TEST(BinaryFixed, ProductsMatchTheWideOracle) {
  Draw draw(41);
  for (const Arithmetic arithmetic : kAllArithmetics) {
    int ties = 0;
    for (int i = 0; i < 80; ++i) {
      ElementProblem problem = random_problem(draw, arithmetic, "Mul", 2, 2.0, 4.0);
      problem.operands[1].constant = draw.chance(30);
      if (draw.chance(30)) swap_operands(problem);
      expect_oracle(problem, oracle_mul, &ties);
    }
    if (needs_power_of_two(arithmetic)) {
      EXPECT_GT(ties, 10);
    }
  }
}

// s_a * s_b / s_y = 2^-3: every product that is an odd multiple of 4 is a tie.
TEST(BinaryFixed, EveryProductOfBytesMatchesTheWideOracle) {
  std::vector<std::int64_t> a;
  std::vector<std::int64_t> b;
  for (std::int64_t i = -128; i < 128; ++i) {
    for (std::int64_t j = -128; j < 128; ++j) {
      a.push_back(i);
      b.push_back(j);
    }
  }
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (const double scale_y : {0.5, 0.321}) {
      if (scale_y != 0.5 && needs_power_of_two(arithmetic)) continue;
      const ElementProblem problem{.type = "Mul",
                                   .operands = {{{65536}, per_tensor(signed_grid(8), 0.25, -3), a, {}},
                                                {{65536}, per_tensor(signed_grid(8), 0.25, 5), b, {}}},
                                   .shape = {65536},
                                   .output = per_tensor(signed_grid(8), scale_y, 7),
                                   .arithmetic = arithmetic};
      const auto actual = run_fixed(problem);
      ASSERT_TRUE(actual.ok());
      int ties = 0;
      const OracleFactor f = oracle_factor(0.0625, problem.output.params()[0].scale, arithmetic);
      for (std::size_t i = 0; i < a.size(); ++i) {
        const Wide acc = oracle_rescale((a[i] + 3) * (b[i] - 5), f, arithmetic, false, &ties);
        ASSERT_EQ((*actual)[i], on_grid(7 + acc, signed_grid(8)));
      }
      if (scale_y == 0.5) {
        EXPECT_GT(ties, arithmetic == Arithmetic::kQ31Double ? 10000 : 1000);
      }
    }
  }
}

TEST(BinaryFixed, QuotientsMatchTheWideOracle) {
  Draw draw(42);
  for (const Arithmetic arithmetic : kAllArithmetics) {
    int ties = 0;
    for (int i = 0; i < 80; ++i) {
      ElementProblem problem = random_problem(draw, arithmetic, "Div", 2, 1e3, 1e3);
      problem.operands[0].constant = draw.chance(30);
      // Small numbers on both sides make zero divisors and ties.
      for (CodeOperand& operand : problem.operands) {
        const IntGrid grid = operand.encoding->grid();
        const std::int64_t zero = operand.encoding->params()[0].zero_point;
        for (std::int64_t& q : operand.q) {
          if (draw.chance(60)) q = std::clamp<std::int64_t>(zero + draw.integer(-4, 4), grid.q_min, grid.q_max);
        }
      }
      if (draw.chance(20)) {
        swap_operands(problem);
        problem.operands[1].constant = false;
      }
      expect_oracle(problem, oracle_div, &ties);
    }
    if (needs_power_of_two(arithmetic)) {
      EXPECT_GT(ties, 10);
    }
  }
}

// 3 / 2, -3 / 2, 5 / 2, 3 / -2 steps; division by zero by the sign of the dividend, and 0 / 0.
TEST(BinaryFixed, QuotientTiesAndZeroDivisors) {
  const auto quotients = [](Arithmetic arithmetic) {
    return run_fixed({.type = "Div",
                      .operands = {{{7}, per_tensor(signed_grid(8), 0.5, 1), {4, -2, 6, 4, 2, 0, 1}, {}},
                                   {{7}, per_tensor(signed_grid(8), 0.5, 3), {5, 5, 5, 1, 3, 3, 3}, {}}},
                      .shape = {7},
                      .output = per_tensor(signed_grid(8), 1.0, 10),
                      .arithmetic = arithmetic})
        .value();
  };
  using Codes = std::vector<std::int64_t>;
  EXPECT_EQ(quotients(Arithmetic::kShiftHalfUp), (Codes{12, 9, 13, 9, 127, -128, 10}));
  EXPECT_EQ(quotients(Arithmetic::kShiftHalfAway), (Codes{12, 8, 13, 8, 127, -128, 10}));
  EXPECT_EQ(quotients(Arithmetic::kShiftHalfEven), (Codes{12, 8, 12, 8, 127, -128, 10}));
  EXPECT_EQ(quotients(Arithmetic::kQ31Double), (Codes{12, 9, 13, 9, 127, -128, 10}));
}

TEST(BinaryFixed, QuotientsByConstantsMatchTheWideOracle) {
  Draw draw(43);
  for (const Arithmetic arithmetic : kAllArithmetics) {
    for (int i = 0; i < 60; ++i) {
      ElementProblem problem = random_problem(draw, arithmetic, "Div", 2, 3.0, 3.0);
      problem.operands[1].constant = true;
      problem.operands[1].encoding = draw.encoding(signed_grid(8), 0.05, arithmetic);
      const std::int64_t zero = problem.operands[1].encoding->params()[0].zero_point;
      for (std::int64_t& q : problem.operands[1].q) {
        q = draw.integer(-128, 127);
        if (q == zero) q = zero == 127 ? 126 : zero + 1;
      }
      expect_oracle(problem, oracle_div);
    }
  }
}

TEST(BinaryFixed, RealConstantsBecomeFactors) {
  const CodeOperand x{{4}, per_tensor(signed_grid(8), 0.5, 2), {2, 4, 7, -8}, {}};
  const auto with = [&x](const char* type, bool constant_first, std::vector<float> c) {
    const Shape shape = c.size() == 1 ? Shape{} : Shape{4};
    ElementProblem problem{.type = type,
                           .operands = {x, {shape, std::nullopt, {}, std::move(c)}},
                           .shape = {4},
                           .output = per_tensor(signed_grid(8), 0.25, 1)};
    if (constant_first) swap_operands(problem);
    return run_fixed(problem);
  };
  using Codes = std::vector<std::int64_t>;
  // (q - 2) * 2 steps times the constant: {0, 4, 10, -20}.
  EXPECT_EQ(with("Mul", false, {0.125F}).value(), (Codes{1, 2, 2, -1}));  // {0, 0.5, 1.25, -2.5}
  EXPECT_EQ(with("Mul", true, {-0.125F}).value(), (Codes{1, 1, 0, 4}));   // {0, -0.5, -1.25, 2.5}
  EXPECT_EQ(with("Mul", false, {1, 2, 3, -4}).value(), (Codes{1, 9, 31, 81}));
  EXPECT_EQ(with("Div", false, {8.0F}).value(), (Codes{1, 2, 2, -1}));
  EXPECT_EQ(with("Div", false, {8, -8, 2, 1}).value(), (Codes{1, 1, 6, -19}));
  // 1 / x for x = {0, 1, 2.5, -5}: infinite, 4 steps, 1.6, -0.8.
  EXPECT_EQ(with("Div", true, {1.0F}).value(), (Codes{127, 5, 3, 0}));
  EXPECT_EQ(with("Div", true, {-1.0F}).value(), (Codes{-128, -3, -1, 2}));
  EXPECT_EQ(with("Div", false, {0.0F}).error().message, "the divisor holds a 0");
  EXPECT_EQ(with("Div", true, {1, 2, 3, 4}).error().message, "the dividend is a tensor of constants without codes");
  EXPECT_EQ(with("Mul", false, {1e30F}).error().code, ErrorCode::kUnsupported);
}

TEST(BinaryFixed, ExtremesMatchTheWideOracle) {
  Draw draw(44);
  for (const char* type : {"Min", "Max"}) {
    for (const Arithmetic arithmetic : kAllArithmetics) {
      int ties = 0;
      for (int i = 0; i < 50; ++i) {
        ElementProblem problem = random_problem(draw, arithmetic, type, draw.integer(1, 4), 4.0, 4.0);
        if (problem.operands.size() > 1) problem.operands[1].constant = draw.chance(50);
        expect_oracle(problem, oracle_extreme, &ties);
      }
      if (needs_power_of_two(arithmetic)) {
        EXPECT_GT(ties, 10);
      }
    }
  }
}

TEST(BinaryFixed, RealConstantsOfExtremesLieOnTheOutputsGrid) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ElementProblem problem{.type = "Min",
                         .operands = {{{2, 2}, per_tensor(signed_grid(8), 0.5, 0), {-3, 5, 12, 13}, {}},
                                      {{2, 1}, std::nullopt, {}, {0.7F, kInfinity}}},
                         .shape = {2, 2},
                         .output = per_tensor(signed_grid(8), 0.25, -1)};
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{-7, 2, 23, 25}));  // 0.7 is 2.8 steps.
  problem.type = "Max";
  EXPECT_EQ(run_fixed(problem).value(), (std::vector<std::int64_t>{2, 9, 127, 127}));
}

TEST(BinaryFixed, TheOutputMayLieInTheFirstOperandsStorage) {
  Draw draw(46);
  for (const auto& [type, oracle] : {std::pair<const char*, Oracle>{"Mul", oracle_mul}, {"Div", oracle_div}}) {
    for (int i = 0; i < 20; ++i) {
      ElementProblem problem = random_problem(draw, Arithmetic::kQ31Single, type, 2, 2.0, 4.0);
      problem.output =
          problem.operands[0].encoding->axis() ? per_tensor(signed_grid(8), 0.05, 3) : *problem.operands[0].encoding;
      problem.in_place = storage_dtype(problem.output.grid()) == storage_dtype(problem.operands[0].encoding->grid());
      expect_oracle(problem, oracle);
    }
  }
}

TEST(BinaryFixed, PReluMatchesTheWideOracle) {
  Draw draw(45);
  for (const Arithmetic arithmetic : kAllArithmetics) {
    int ties = 0;
    for (int i = 0; i < 60; ++i) {
      ElementProblem problem = random_problem(draw, arithmetic, "PRelu", 2, 1.0, 4.0);
      CodeOperand& slope = problem.operands[1];
      slope.constant = true;
      if (draw.chance(50)) {
        slope.encoding.reset();
        for (std::size_t k = 0; k < slope.q.size(); ++k) {
          slope.real.push_back(draw.chance(30) ? 0.25F : static_cast<float>(draw.real(-0.5, 0.5)));
        }
      }
      expect_oracle(problem, oracle_prelu, &ties);
    }
    if (needs_power_of_two(arithmetic)) {
      EXPECT_GT(ties, 10);
    }
  }
  ElementProblem problem{.type = "PRelu",
                         .operands = {{{1}, per_tensor(signed_grid(8), 0.5, 0), {1}, {}},
                                      {{1}, per_tensor(signed_grid(8), 0.5, 0), {1}, {}}},
                         .shape = {1},
                         .output = per_tensor(signed_grid(8), 0.25, -1)};
  EXPECT_EQ(run_fixed(problem).error().message, "the slope is no constant");
}

}  // namespace
}  // namespace halfstep::ops
