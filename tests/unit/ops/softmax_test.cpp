// softmax_test.cpp: contract under test: Softmax, LogSoftmax, Hardmax.
#include <cmath>
#include <cstdint>
#include <limits>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

graph::Attribute number(std::int64_t value) { return value; }

// Oracle: the exponential in double precision, over everything a difference
// from the maximum can be. Few ulps, never a jump.
TEST(Softmax, ExponentialIsWithinTwoUlps) {
  constexpr std::int64_t kCount = 20001;
  Tensor x(TensorType{DType::kFloat32, {kCount, 2}});
  for (std::int64_t i = 0; i < kCount; ++i) {
    x.mutable_data<float>()[2 * i + 1] = -80.0F * static_cast<float>(i) / static_cast<float>(kCount - 1);
  }
  const Tensor y = run("Softmax", {}, {x});
  for (std::int64_t i = 0; i < kCount; ++i) {
    const double e = std::exp(static_cast<double>(x.data<float>()[2 * i + 1]));
    const double expected = e / (1.0 + e);
    ASSERT_NEAR(static_cast<double>(y.data<float>()[2 * i + 1]), expected, expected * 4e-7) << i;
  }
}

TEST(Softmax, EqualValuesShareEvenlyAndMaskedOnesGetNothing) {
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  expect_same(run("Softmax", {}, {floats({4}, {7, kMasked, 7, kMasked})}), floats({4}, {0.5F, 0, 0.5F, 0}));
  expect_same(run("Softmax", {}, {floats({2}, {1e30F, -1e30F})}), floats({2}, {1, 0}));
}

// Column c of [2, 20] holds c twice, so every entry is one half.
TEST(Softmax, AnyAxis) {
  Tensor x(TensorType{DType::kFloat32, {2, 20}});
  for (std::int64_t i = 0; i < 40; ++i) x.mutable_data<float>()[i] = static_cast<float>(i % 20);
  expect_same(run("Softmax", {{"axis", number(0)}}, {x}), floats({2, 20}, std::vector<float>(40, 0.5F)));
}

TEST(Softmax, LogarithmOfTheSame) {
  const Tensor y = run("LogSoftmax", {}, {floats({2}, {0, std::log(3.0F)})});
  EXPECT_NEAR(y.values<float>()[0], -std::log(4.0F), 1e-6F);
  EXPECT_NEAR(y.values<float>()[1], std::log(0.75F), 1e-6F);
}

TEST(Softmax, HardmaxMarksTheFirstLargest) {
  expect_same(run("Hardmax", {}, {floats({2, 3}, {1, 3, 3, 2, 0, 1})}), floats({2, 3}, {0, 1, 0, 1, 0, 0}));
  expect_same(run("Hardmax", {{"axis", number(0)}}, {floats({2, 2}, {1, 3, 2, 3})}), floats({2, 2}, {0, 1, 1, 0}));
}

TEST(Softmax, EmptyInputIsEmptyAndBadAxesAreErrors) {
  expect_same(run("Softmax", {}, {floats({2, 0}, {})}), floats({2, 0}, {}));
  EXPECT_THAT(error_of("Softmax", {{"axis", number(2)}}, {floats({1, 1}, {1})}), HasSubstr("axis 2"));
  EXPECT_THAT(error_of("Softmax", {}, {floats({}, {1})}), HasSubstr("axis -1"));
  EXPECT_THAT(error_of("Softmax", {}, {ints({1})}), HasSubstr("expected float32"));
}

}  // namespace
}  // namespace halfstep::ops
