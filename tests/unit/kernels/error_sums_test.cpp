// error_sums_test.cpp: sums against plain ones in the same order, and the same bits on every instruction set.
#include "kernels/error_sums.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

ErrorLanes plain_lanes(const std::vector<float>& reference, const std::vector<float>& other) {
  ErrorLanes lanes;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const std::size_t lane = i % ErrorLanes::kCount;
    const double r = reference[i];
    const double o = other[i];
    lanes.reference_squared[lane] += r * r;
    lanes.other_squared[lane] += o * o;
    lanes.product[lane] += r * o;
    lanes.error_squared[lane] += (o - r) * (o - r);
    lanes.max_abs_error[lane] = std::max(lanes.max_abs_error[lane], std::abs(o - r));
  }
  return lanes;
}

class ErrorSumsOnEachIsa : public EachIsa {};

// Exponents far apart, so that products and differences use all bits of a double.
TEST_P(ErrorSumsOnEachIsa, TheBitsOfPlainLoopsForEveryLength) {
  std::mt19937 rng(77);
  for (const std::int64_t count : {0, 1, 7, 8, 9, 64, 1000, 1003}) {
    std::vector<float> reference = random_floats(rng, count);
    std::vector<float> other = random_floats(rng, count);
    for (std::size_t i = 0; i < other.size(); ++i) {
      reference[i] = std::ldexp(reference[i], static_cast<int>(rng() % 40) - 20);
      other[i] = rng() % 3 == 0 ? reference[i] : std::ldexp(other[i], static_cast<int>(rng() % 40) - 20);
    }
    ErrorLanes lanes;
    // In two calls, the first a multiple of eight pairs.
    const std::int64_t half = count / 16 * 8;
    table().add_errors(reference.data(), other.data(), half, lanes);
    table().add_errors(reference.data() + half, other.data() + half, count - half, lanes);
    const ErrorLanes expected = plain_lanes(reference, other);
    EXPECT_EQ(std::memcmp(&lanes, &expected, sizeof lanes), 0) << count;
    ErrorLanes first;
    ErrorLanes same;
    table().add_errors_of_two(reference.data(), other.data(), reference.data(), count, first, same);
    const ErrorLanes expected_same = plain_lanes(reference, reference);
    EXPECT_EQ(std::memcmp(&first, &expected, sizeof first), 0) << count;
    EXPECT_EQ(std::memcmp(&same, &expected_same, sizeof same), 0) << count;
  }
}

TEST_P(ErrorSumsOnEachIsa, WhatIsNotFiniteShowsInTheSquares) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> reference(20, 1.0F);
    std::vector<float> other(20, 1.0F);
    other[13] = bad;
    ErrorLanes lanes;
    table().add_errors(reference.data(), other.data(), 20, lanes);
    EXPECT_FALSE(std::isfinite(lanes.other_squared[5]));
    EXPECT_TRUE(std::isfinite(lanes.reference_squared[5]));
  }
}

TEST_P(ErrorSumsOnEachIsa, BoundsAreInsideAndNanIsNot) {
  std::vector<float> x(100, 0.5F);
  EXPECT_EQ(table().count_outside(x.data(), 100, 0.5F, 0.5F), 0);
  x[3] = 0.6F;
  x[50] = -0.1F;
  x[98] = std::numeric_limits<float>::quiet_NaN();
  x[99] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(table().count_outside(x.data(), 100, 0.0F, 0.5F), 4);
  EXPECT_EQ(table().count_outside(x.data(), 0, 0.0F, 0.5F), 0);
}

INSTANTIATE_TEST_SUITE_P(Isas, ErrorSumsOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
