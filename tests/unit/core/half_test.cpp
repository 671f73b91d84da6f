// half_test.cpp: half precision, every pattern of bits and every border between two.
#include "core/half.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep {
namespace {

TEST(Half, EveryNumberComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if ((bits & 0x7c00U) == 0x7c00U && (bits & 0x3ffU) != 0) {
      EXPECT_TRUE(std::isnan(float_of_half(half)));
      EXPECT_TRUE(std::isnan(rounded_to_half(float_of_half(half))));
    } else {
      EXPECT_EQ(half_of(float_of_half(half)), half) << bits;
    }
  }
}

TEST(Half, RoundsToTheNearestHalvesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7bffU; ++bits) {
    const float low = float_of_half(static_cast<std::uint16_t>(bits));
    const float high = float_of_half(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // Exact in float32.
    EXPECT_EQ(half_of(middle), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(half_of(std::nextafter(middle, low)), bits);
    EXPECT_EQ(half_of(std::nextafter(middle, high)), bits + 1);
  }
}

TEST(Half, OverflowsToInfinity) {
  EXPECT_EQ(rounded_to_half(65519.0F), 65504.0F);
  EXPECT_EQ(rounded_to_half(65520.0F), std::numeric_limits<float>::infinity());
  EXPECT_EQ(rounded_to_half(-1e30F), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(rounded_to_half(-1e-30F)));
}

}  // namespace
}  // namespace halfstep
