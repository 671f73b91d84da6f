// logic_test.cpp: comparisons, Boolean and bitwise operators, shifts, Where.
#include <limits>
#include <string>

#include "movement_run.hpp"

namespace halfstep::ops {
namespace {

template <class T>
Tensor of(std::initializer_list<T> values) {
  return Tensor::of<T>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Logic, Boolean) {
  const Tensor a = bools({0, 0, 1, 1});
  const Tensor b = bools({0, 1, 0, 1});
  expect_same(run("And", {}, {a, b}), bools({0, 0, 0, 1}));
  expect_same(run("Or", {}, {a, b}), bools({0, 1, 1, 1}));
  expect_same(run("Xor", {}, {a, b}), bools({0, 1, 1, 0}));
  expect_same(run("Equal", {}, {a, b}), bools({1, 0, 0, 1}));
  expect_same(run("Not", {}, {a}), bools({1, 1, 0, 0}));
}

// A file may store true as any byte other than 0.
TEST(Logic, AnyByteOtherThanZeroIsTrue) {
  Tensor odd(TensorType{DType::kBool, {2}});
  odd.mutable_bytes()[0] = std::byte{2};
  odd.mutable_bytes()[1] = std::byte{255};
  expect_same(run("And", {}, {odd, bools({1, 1})}), bools({1, 1}));
  expect_same(run("Equal", {}, {odd, bools({1, 1})}), bools({1, 1}));
  expect_same(run("Not", {}, {odd}), bools({0, 0}));
  expect_same(run("Where", {}, {odd, ints({1, 2}), ints({3, 4})}), ints({1, 2}));
}

TEST(Logic, ComparisonsWithNanAreFalse) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = floats({4}, {1, 2, 3, nan});
  const Tensor b = floats({4}, {2, 2, 2, nan});
  expect_same(run("Less", {}, {a, b}), bools({1, 0, 0, 0}));
  expect_same(run("LessOrEqual", {}, {a, b}), bools({1, 1, 0, 0}));
  expect_same(run("Greater", {}, {a, b}), bools({0, 0, 1, 0}));
  expect_same(run("GreaterOrEqual", {}, {a, b}), bools({0, 1, 1, 0}));
  expect_same(run("Equal", {}, {a, b}), bools({0, 1, 0, 0}));
}

TEST(Logic, Bitwise) {
  const auto a = of<std::int16_t>({0x0F0F, -1});
  const auto b = of<std::int16_t>({0x00FF, 0x1234});
  expect_same(run("BitwiseAnd", {}, {a, b}), of<std::int16_t>({0x000F, 0x1234}));
  expect_same(run("BitwiseOr", {}, {a, b}), of<std::int16_t>({0x0FFF, -1}));
  expect_same(run("BitwiseXor", {}, {a, b}), of<std::int16_t>({0x0FF0, static_cast<std::int16_t>(~0x1234)}));
}

TEST(Logic, ShiftsBeyondTheWidthLeaveOnlyTheSign) {
  const Attrs left = {{"direction", std::string("LEFT")}};
  const Attrs right = {{"direction", std::string("RIGHT")}};
  expect_same(run("BitShift", left, {of<std::uint8_t>({200, 1, 1}), of<std::uint8_t>({1, 7, 8})}),
              of<std::uint8_t>({144, 128, 0}));
  expect_same(run("BitShift", right, {of<std::uint64_t>({16, 16}), of<std::uint64_t>({3, 64})}),
              of<std::uint64_t>({2, 0}));
  expect_same(run("BitShift", right, {of<std::int8_t>({-8, -8, 8, -8}), of<std::int8_t>({1, 8, 8, -1})}),
              of<std::int8_t>({-4, -1, 0, -1}));
  expect_same(
      run("BitShift", left, {of<std::int32_t>({1, 3, 1}), of<std::int32_t>({31, 31, -1})}),
      of<std::int32_t>({std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min(), 0}));
  EXPECT_NE(error_of("BitShift", {}, {of<std::uint8_t>({1}), of<std::uint8_t>({1})}), "ok");
}

TEST(Logic, WhereBroadcastsAllThree) {
  Tensor condition(TensorType{DType::kBool, {2, 1}});
  condition.mutable_bytes()[0] = std::byte{1};
  expect_same(run("Where", {}, {condition, floats({3}, {1, 2, 3}), floats({}, {9})}),
              floats({2, 3}, {1, 2, 3, 9, 9, 9}));
  expect_same(run("Where", {}, {bools({1, 0}), bools({0, 0}), bools({1, 1})}), bools({0, 1}));
  EXPECT_NE(error_of("Where", {}, {condition, floats({1}, {1}), ints({1})}), "ok");
  EXPECT_NE(error_of("Where", {}, {ints({1}), ints({1}), ints({1})}), "ok");
}

}  // namespace
}  // namespace halfstep::ops
