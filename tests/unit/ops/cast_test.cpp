// cast_test.cpp: conversions between element types, out of range included.
#include "ops/elementwise/cast.hpp"

#include <limits>

#include "movement_run.hpp"

namespace halfstep::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Attrs to(std::int64_t number) { return {{"to", number}}; }

TEST(Cast, RealsLoseTheirFractionAndSaturate) {
  const Tensor x = floats({6}, {1.9F, -1.9F, 300, -300, kInfinity, kNan});
  expect_same(run("Cast", to(3), {x}), Tensor::of<std::int8_t>({6}, {1, -1, 127, -128, 127, 0}));
  expect_same(run("Cast", to(2), {x}), Tensor::of<std::uint8_t>({6}, {1, 0, 255, 0, 255, 0}));
  const Tensor large = floats({4}, {3e9F, -3e9F, 1e19F, -kInfinity});
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(to_int64s(run("Cast", to(7), {large})), (Ints{3000000000, -3000000000, kMax, kMin}));
  EXPECT_EQ(to_int64s(run("Cast", to(6), {large})), (Ints{2147483647, -2147483648, 2147483647, -2147483648}));
}

TEST(Cast, IntegersWrap) {
  expect_same(run("Cast", to(3), {ints({200, -129, 256})}), Tensor::of<std::int8_t>({3}, {-56, 127, 0}));
  expect_same(run("Cast", to(1), {ints({-7, 16777217})}), floats({2}, {-7, 16777216}));
}

TEST(Cast, BoolIsZeroOrNot) {
  expect_same(run("Cast", to(9), {floats({4}, {0, -0.0F, 0.1F, kNan})}), bools({0, 0, 1, 1}));
  expect_same(run("Cast", to(9), {ints({0, 256})}), bools({0, 1}));
  expect_same(run("Cast", to(1), {bools({0, 1})}), floats({2}, {0, 1}));
  expect_same(run("Cast", to(7), {bools({0, 1})}), ints({0, 1}));
}

TEST(Cast, LikeTakesTheTypeOfOperandOne) {
  expect_same(run("CastLike", {}, {floats({2}, {1.5F, 2.5F}), ints({0})}), ints({1, 2}));
}

TEST(Cast, NamesTypesItDoesNotKnow) {
  EXPECT_EQ(error_of("Cast", to(8), {ints({1})}), "cast to element type string is not supported");
  EXPECT_EQ(error_of("Cast", to(17), {ints({1})}), "cast to element type float8e4m3fn is not supported");
  EXPECT_EQ(error_of("Cast", to(22), {ints({1})}), "cast to element type int4 is not supported");
  EXPECT_NE(error_of("Cast", to(-5), {ints({1})}), "ok");
  EXPECT_NE(error_of("Cast", {}, {ints({1})}), "ok");
}

}  // namespace
}  // namespace halfstep::ops
