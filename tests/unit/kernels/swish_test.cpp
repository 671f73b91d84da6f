// swish_test.cpp: the bound that swish.hpp states, against double libm, and that place and neighbours change no bit.
#include "kernels/swish.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

class SwishOnEachIsa : public EachIsa {};

TEST_P(SwishOnEachIsa, ErrorsStayWithinTheStatedBound) {
  std::vector<float> x;
  for (int i = -880'000; i <= 1'200'000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
  for (float small = 1e-3F; small > 0.0F; small *= 0.37F) x.insert(x.end(), {small, -small});
  for (const float alpha : {1.0F, 1.702F, -1.0F}) {
    std::vector<float> y(x.size());
    table().swish(x.data(), y.data(), static_cast<std::int64_t>(x.size()), alpha);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at{alpha * x[i]};
      const double expected = double{x[i]} / (1.0 + std::exp(-at));
      const double bound = at < -88.0 ? 1e-35 : 4e-7 * std::fabs(expected);
      ASSERT_LE(std::fabs(double{y[i]} - expected), bound + std::numeric_limits<float>::denorm_min()) << x[i];
    }
  }
}

TEST_P(SwishOnEachIsa, EndsOfTheRange) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{kInfinity, 3e38F, -3e38F, -0.0F, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> y(x.size());
  table().swish(x.data(), y.data(), static_cast<std::int64_t>(x.size()), 1.0F);
  EXPECT_EQ(y[0], kInfinity);
  EXPECT_EQ(y[1], 3e38F);
  EXPECT_EQ(y[2], 0.0F);
  EXPECT_EQ(y[3], 0.0F);
  EXPECT_TRUE(std::signbit(y[3]));
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_TRUE(std::isnan(y[5]));
}

TEST_P(SwishOnEachIsa, PlaceAndNeighboursChangeNoBit) {
  std::mt19937 rng(99017);
  const std::vector<float> x = random_floats(rng, 67, -9.0F, 9.0F);
  std::vector<float> whole(x.size());
  table().swish(x.data(), whole.data(), static_cast<std::int64_t>(x.size()), 1.0F);
  for (std::size_t first = 0; first < x.size(); ++first) {
    for (std::size_t count = 0; count <= x.size() - first; ++count) {
      std::vector<float> part(x.begin() + static_cast<std::ptrdiff_t>(first),
                              x.begin() + static_cast<std::ptrdiff_t>(first + count));
      table().swish(part.data(), part.data(), static_cast<std::int64_t>(count), 1.0F);  // In place.
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(part[i], whole[first + i]) << first << " " << count;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, SwishOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
