// exact_sum_test.cpp: the same for any order, and read back as written.
#include "calib/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace halfstep::calib {
namespace {

TEST(ExactSum, CancelsWhatADoubleWouldLose) {
  ExactSum sum;
  sum.add(1e90);
  sum.add(1.0);
  sum.add(std::ldexp(1.0, -298));
  sum.add(-1e90);
  EXPECT_EQ(sum.value(), 1.0);
  sum.add(-1.0);
  EXPECT_EQ(sum.value(), std::ldexp(1.0, -298));
  sum.add(-std::ldexp(3.0, -298));
  EXPECT_EQ(sum.value(), -std::ldexp(1.0, -297));
}

TEST(ExactSum, AnyOrderAndSplitGiveTheSameAndAreReadBack) {
  std::mt19937_64 rng(5);
  std::normal_distribution<double> normal;
  std::uniform_int_distribution<int> exponent(-120, 120);
  std::vector<double> terms(500);
  for (double& term : terms) {
    const auto x = static_cast<float>(std::ldexp(normal(rng), exponent(rng)));
    term = (rng() & 1) != 0 ? static_cast<double>(x) : static_cast<double>(x) * x;
  }
  ExactSum whole;
  long double near = 0.0L;
  for (const double term : terms) {
    whole.add(term);
    near += term;
  }
  EXPECT_NEAR(whole.value() / static_cast<double>(near), 1.0, 1e-12);
  for (int round = 0; round < 10; ++round) {
    std::shuffle(terms.begin(), terms.end(), rng);
    ExactSum a;
    ExactSum b;
    for (std::size_t i = 0; i < terms.size(); ++i) (i % 3 == 0 ? a : b).add(terms[i]);
    a.merge(b);
    ASSERT_EQ(a, whole);
  }
  for (const double value : {whole.value(), -whole.value(), 0.0, 1.0, -1.0, std::ldexp(-1.0, -298)}) {
    ExactSum sum;
    sum.add(value);
    EXPECT_EQ(ExactSum::parse(sum.to_string()), sum) << sum.to_string();
    EXPECT_NEAR(sum.value(), value, std::abs(value) * 1e-15);
  }
  EXPECT_EQ(ExactSum::parse(whole.to_string()), whole);
}

TEST(ExactSum, OtherTextIsNoSum) {
  for (const char* text : {"", "0", "0x", "-0x", "0xg", "0x1 ", "--0x1", "0x-1", "1.5"}) {
    EXPECT_FALSE(ExactSum::parse(text)) << text;
  }
  EXPECT_FALSE(ExactSum::parse("0x" + std::string(200, 'f')));
}

}  // namespace
}  // namespace halfstep::calib
