// vector_math_test.cpp: the error bounds that vector_math.hpp states, against double libm.
#include "ops/shared/vector_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

namespace halfstep::ops::vector_math {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Largest relative error of f over [low, high]: an even sweep, and a sweep over
// the bit patterns, which is dense at small values. Below the smallest normal
// number an error counts relative to that number.
template <class F, class Oracle>
double worst_error(F f, Oracle oracle, float low, float high) {
  double worst = 0.0;
  const auto check = [&](float x) {
    const double expected = oracle(static_cast<double>(x));
    const double scale = std::max(std::fabs(expected), double{std::numeric_limits<float>::min()});
    const double error = std::fabs(static_cast<double>(f(x)) - expected) / scale;
    worst = error <= worst ? worst : error;  // NaN wins.
  };
  constexpr int kSteps = 200'000;
  for (int i = 0; i <= kSteps; ++i) check(low + (high - low) * static_cast<float>(i) / kSteps);
  for (std::uint32_t bits = 0; bits < 0x7F800000U; bits += 40'009) {
    const auto x = std::bit_cast<float>(bits);
    if (x <= high && x >= low) check(x);
    if (-x >= low && -x <= high) check(-x);
  }
  return worst;
}

double normal_distribution(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }

TEST(VectorMath, ErrorsStayWithinTheStatedBounds) {
  constexpr double kTwoUlp = 2.4e-7;
  EXPECT_LT(worst_error([](float x) { return exp(x); }, [](double x) { return std::exp(x); }, -87.0F, 88.7F), kTwoUlp);
  EXPECT_LT(worst_error([](float x) { return log(x); }, [](double x) { return std::log(x); }, 1e-45F, 3e38F), kTwoUlp);
  EXPECT_LT(
      worst_error([](float x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }, -87.0F, 100.0F),
      4e-7);
  EXPECT_LT(worst_error([](float x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -20.0F, 20.0F), 4e-7);
  EXPECT_LT(worst_error([](float x) { return erf(x); }, [](double x) { return std::erf(x); }, -7.0F, 7.0F), 3e-7);
  EXPECT_LT(
      worst_error([](float x) { return gelu(x); }, [](double x) { return x * normal_distribution(x); }, -13.0F, 20.0F),
      1e-6);
  EXPECT_LT(worst_error([](float x) { return softplus(x); }, [](double x) { return std::log1p(std::exp(x)); }, -87.0F,
                        100.0F),
            4e-7);
  EXPECT_LT(worst_error([](float x) { return mish(x); },
                        [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -80.0F, 100.0F),
            6e-7);
  EXPECT_LT(worst_error([](float x) { return detail::expm1_to_60(x); }, [](double x) { return std::expm1(x); }, -80.0F,
                        60.0F),
            kTwoUlp);
  const auto gelu_tanh_oracle = [](double x) {
    return x / (1 + std::exp(-2 * std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  };
  EXPECT_LT(worst_error([](float x) { return gelu_tanh(x); }, gelu_tanh_oracle, -3.0F, 20.0F), 1e-6);
}

TEST(VectorMath, SpecialValues) {
  EXPECT_EQ(exp(0.0F), 1.0F);
  EXPECT_EQ(exp(kInfinity), kInfinity);
  EXPECT_EQ(exp(-kInfinity), 0.0F);
  EXPECT_EQ(exp(3e38F), kInfinity);
  EXPECT_NEAR(exp(-100.0F) / 3.783e-44, 1.0, 0.02);  // A subnormal.
  EXPECT_EQ(log(1.0F), 0.0F);
  EXPECT_EQ(log(0.0F), -kInfinity);
  EXPECT_EQ(log(-0.0F), -kInfinity);
  EXPECT_EQ(log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log(-1.0F)));
  EXPECT_EQ(sigmoid(kInfinity), 1.0F);
  EXPECT_EQ(sigmoid(-kInfinity), 0.0F);
  EXPECT_EQ(sigmoid(0.0F), 0.5F);
  EXPECT_EQ(tanh(kInfinity), 1.0F);
  EXPECT_EQ(tanh(-kInfinity), -1.0F);
  EXPECT_TRUE(std::signbit(tanh(-0.0F)));
  EXPECT_EQ(erf(3e38F), 1.0F);
  EXPECT_EQ(erf(-kInfinity), -1.0F);
  EXPECT_TRUE(std::signbit(erf(-0.0F)));
  EXPECT_EQ(gelu(kInfinity), kInfinity);
  EXPECT_EQ(gelu(-3e38F), 0.0F);
  EXPECT_EQ(gelu_tanh(-1e5F), 0.0F);
  EXPECT_EQ(softplus(kInfinity), kInfinity);
  EXPECT_EQ(softplus(-kInfinity), 0.0F);
  EXPECT_EQ(mish(3e38F), 3e38F);
  EXPECT_EQ(detail::expm1_to_60(-kInfinity), -1.0F);
}

TEST(VectorMath, NanGivesNan) {
  for (const float y :
       {exp(kNan), log(kNan), sigmoid(kNan), tanh(kNan), erf(kNan), gelu(kNan), gelu_tanh(kNan), softplus(kNan),
        mish(kNan), detail::expm1_to_60(kNan), at_most(kNan, 1.0F), at_least(kNan, 1.0F)}) {
    EXPECT_TRUE(std::isnan(y));
  }
}

// Whatever the length and the instruction set, the same bits as one call per element.
TEST(VectorMath, LoopsGiveTheBitsOfSingleCalls) {
  for (const std::int64_t count : {0, 1, 31, 32, 33, 100, 257}) {
    std::vector<float> x(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.37F * static_cast<float>(i) - 11.0F;
    std::vector<float> expected = x;
    for (float& v : expected) v = sigmoid(v);
    std::vector<float> y(x.size(), -1.0F);
    sigmoid(x.data(), y.data(), count);
    EXPECT_EQ(y, expected);
    std::vector<float> baseline(x.size(), -1.0F);
    detail::apply_blocks(x.data(), baseline.data(), count, [](float v) { return sigmoid(v); });
    EXPECT_EQ(baseline, expected);
    sigmoid(x.data(), x.data(), count);
    EXPECT_EQ(x, expected) << "in place";
  }
}

TEST(VectorMath, TwoOperandLoopsGiveTheBitsOfSingleCalls) {
  std::vector<float> a(77);
  std::iota(a.begin(), a.end(), -30.0F);
  std::vector<float> expected = a;
  for (float& v : expected) v = v * 0.3F - v;
  apply2(Stream{a.data()}, Same{0.3F}, a.data(), 77, [&](float x, float s) { return x * s - x; });
  EXPECT_EQ(a, expected);
}

}  // namespace
}  // namespace halfstep::ops::vector_math
