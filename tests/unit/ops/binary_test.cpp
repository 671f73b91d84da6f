// binary_test.cpp: arithmetic on two or more tensors: wrapping, division, mixed types, NaN.
#include <cmath>
#include <limits>

#include "movement_run.hpp"

namespace halfstep::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor row(const std::vector<float>& values) { return floats({static_cast<std::int64_t>(values.size())}, values); }

template <class T>
Tensor of(std::initializer_list<T> values) {
  return Tensor::of<T>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Binary, IntegersWrap) {
  expect_same(run("Add", {}, {of<std::int8_t>({127, -128}), of<std::int8_t>({1, -1})}), of<std::int8_t>({-128, 127}));
  expect_same(run("Sub", {}, {of<std::uint16_t>({0}), of<std::uint16_t>({1})}), of<std::uint16_t>({65535}));
  expect_same(run("Mul", {}, {of<std::uint16_t>({65535}), of<std::uint16_t>({65535})}), of<std::uint16_t>({1}));
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  expect_same(run("Mul", {}, {ints({kMax}), ints({2})}), ints({-2}));
}

TEST(Binary, DivisionTruncatesAndRefusesZero) {
  expect_same(run("Div", {}, {ints({7, -7, 7, -7}), ints({2, 2, -2, -2})}), ints({3, -3, -3, 3}));
  constexpr auto kMin = std::numeric_limits<std::int32_t>::min();
  expect_same(run("Div", {}, {of<std::int32_t>({kMin}), of<std::int32_t>({-1})}), of<std::int32_t>({kMin}));
  EXPECT_EQ(error_of("Div", {}, {ints({1, 2}), ints({1, 0})}), "integer division by zero");
  EXPECT_EQ(error_of("Mod", {}, {ints({1, 2}), ints({0})}), "integer modulo by zero");
  // No element, no division.
  expect_same(run("Div", {}, {ints({0, 1}, {}), ints({0})}), ints({0, 1}, {}));
  EXPECT_EQ(to_floats(run("Div", {}, {row({1}), row({0})}).view())[0], kInfinity);
}

TEST(Binary, ModTakesTheSignOfDivisorOrDividend) {
  const Tensor a = ints({-4, 7, 5, 4, -7, 8});
  const Tensor b = ints({2, -3, 8, -2, 3, 5});
  expect_same(run("Mod", {}, {a, b}), ints({0, -2, 5, 0, 2, 3}));
  expect_same(run("Mod", {{"fmod", std::int64_t{1}}}, {a, b}), ints({0, 1, 5, 0, -1, 3}));
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  expect_same(run("Mod", {}, {ints({kMin}), ints({-1})}), ints({0}));
  expect_same(run("Mod", {}, {of<std::int8_t>({-128}), of<std::int8_t>({127})}), of<std::int8_t>({126}));
  const auto real = to_floats(run("Mod", {}, {row({5, -5, 5, -5}), row({3, 3, -3, kInfinity})}).view());
  EXPECT_EQ(real, (std::vector<float>{2, 1, -1, kInfinity}));
}

TEST(Binary, PowTakesMixedTypes) {
  expect_same(run("Pow", {}, {row({2, -3, 9}), ints({3, 2, 0})}), row({8, 9, 1}));
  expect_same(run("Pow", {}, {ints({2, -3, 9}), row({3, 2, 0.5F})}), ints({8, 9, 3}));
  expect_same(run("Pow", {}, {ints({2, 1, -1, -1, 0, 3}), ints({-1, -5, -3, -4, 0, 4})}), ints({0, 1, -1, 1, 1, 81}));
  expect_same(run("Pow", {}, {of<std::int32_t>({3}), of<std::uint8_t>({21})}),
              of<std::int32_t>({static_cast<std::int32_t>(10460353203LL)}));
  for (const float exponent : {2.0F, 1.0F, 3.0F, -1.0F, 0.5F}) {
    const auto y = to_floats(run("Pow", {}, {row({0.5F, 2, 7.5F}), floats({}, {exponent})}).view());
    EXPECT_NEAR(y[2] / std::pow(7.5F, exponent), 1.0F, 3e-7F) << exponent;
  }
}

TEST(Binary, MinAndMaxPropagateNan) {
  for (const char* op : {"Min", "Max"}) {
    EXPECT_TRUE(std::isnan(to_floats(run(op, {}, {row({kNan}), row({1})}).view())[0])) << op;
    EXPECT_TRUE(std::isnan(to_floats(run(op, {}, {row({1}), row({kNan})}).view())[0])) << op;
  }
}

TEST(Binary, AnyNumberOfOperandsBroadcast) {
  const Tensor column = floats({2, 1}, {1, 5});
  const Tensor line = row({2, 4, 6});
  const Tensor scalar = floats({}, {3});
  expect_same(run("Max", {}, {column, line, scalar}), floats({2, 3}, {3, 4, 6, 5, 5, 6}));
  expect_same(run("Min", {}, {column, line, scalar}), floats({2, 3}, {1, 1, 1, 2, 3, 3}));
  expect_same(run("Sum", {}, {column, line, scalar}), floats({2, 3}, {6, 8, 10, 10, 12, 14}));
  expect_same(run("Mean", {}, {column, line, scalar}),
              floats({2, 3}, {2, 8.0F / 3, 10.0F / 3, 10.0F / 3, 4, 14.0F / 3}));
  expect_same(run("Sum", {}, {line}), line);
}

TEST(Binary, SlopeBroadcastsToTheOperandOnly) {
  const Tensor x = floats({2, 2, 1}, {-1, 2, -3, -4});
  expect_same(run("PRelu", {}, {x, floats({2, 1}, {0.5F, 0.25F})}), floats({2, 2, 1}, {-0.5F, 2, -1.5F, -1}));
  EXPECT_NE(error_of("PRelu", {}, {x, floats({1, 1, 3}, {1, 1, 1})}), "ok");
}

TEST(Binary, RefusesOperandsThatDoNotFit) {
  EXPECT_EQ(error_of("Add", {}, {row({1}), ints({1})}), "operand 0 is float32 but operand 1 is int64");
  EXPECT_EQ(error_of("Add", {}, {row({1, 2}), row({1, 2, 3})}), "shapes [2] and [3] do not broadcast");
  EXPECT_NE(error_of("Add", {}, {bools({1}), bools({1})}), "ok");
  EXPECT_NE(error_of("Sum", {}, {}), "ok");
  EXPECT_NE(error_of("Mean", {}, {row({1}), std::nullopt}), "ok");
}

}  // namespace
}  // namespace halfstep::ops
