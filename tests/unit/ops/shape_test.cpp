// shape_test.cpp: contract under test: src/ops/shape*.cpp, against the ONNX rules.
#include <limits>

#include "unit/ops/movement_run.hpp"

namespace halfstep::ops {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Shape reshaped(Shape from, Ints to, std::int64_t allow_zero = 0) {
  return run("Reshape", {{"allowzero", allow_zero}}, {counting(std::move(from)), ints(to)}).shape();
}

TEST(Reshape, ZeroCopiesAndMinusOneSolves) {
  EXPECT_EQ(reshaped({2, 3, 4}, {0, -1}), (Shape{2, 12}));
  EXPECT_EQ(reshaped({2, 3, 4}, {4, 0, -1}), (Shape{4, 3, 2}));
  EXPECT_EQ(reshaped({1}, {}), Shape{});
  EXPECT_EQ(reshaped({0, 3}, {3, 0}, 1), (Shape{3, 0}));
  EXPECT_EQ(reshaped({0, 3}, {0, 5}), (Shape{0, 5}));
  expect_same(run("Reshape", {}, {counting({2, 2}), ints({4})}), floats({4}, {0, 1, 2, 3}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  const Tensor x = counting({2, 3});
  EXPECT_EQ(error_of("Reshape", {}, {x, ints({4, -1})}), "cannot reshape [2, 3] to [4, -1]");
  EXPECT_NE(error_of("Reshape", {}, {x, ints({-1, -1})}), "ok");
  EXPECT_NE(error_of("Reshape", {}, {x, ints({6, 1, 0})}), "ok");
  EXPECT_NE(error_of("Reshape", {}, {x, ints({-2, -3})}), "ok");
  EXPECT_NE(error_of("Reshape", {}, {x, ints({kMax, kMax})}), "ok");
  EXPECT_NE(error_of("Reshape", {}, {floats({0}, {}), ints({0, -1})}), "ok");
  EXPECT_NE(error_of("Reshape", {}, {x, ints(Ints(100, 1))}), "ok");
}

TEST(Flatten, SplitsAtTheAxis) {
  EXPECT_EQ(run("Flatten", {}, {counting({2, 3, 4})}).shape(), (Shape{2, 12}));
  EXPECT_EQ(run("Flatten", {{"axis", std::int64_t{0}}}, {counting({2, 3})}).shape(), (Shape{1, 6}));
  EXPECT_EQ(run("Flatten", {{"axis", std::int64_t{-1}}}, {counting({2, 3, 4})}).shape(), (Shape{6, 4}));
  EXPECT_EQ(run("Flatten", {{"axis", std::int64_t{2}}}, {counting({2, 3})}).shape(), (Shape{6, 1}));
  EXPECT_EQ(run("Flatten", {{"axis", std::int64_t{0}}}, {floats({}, {1})}).shape(), (Shape{1, 1}));
  EXPECT_NE(error_of("Flatten", {{"axis", std::int64_t{3}}}, {counting({2, 3})}), "ok");
  EXPECT_NE(error_of("Flatten", {{"axis", kMin}}, {counting({2, 3})}), "ok");
}

TEST(Squeeze, RemovesOnes) {
  EXPECT_EQ(run("Squeeze", {}, {counting({1, 2, 1})}).shape(), Shape{2});
  EXPECT_EQ(run("Squeeze", {}, {counting({1, 2, 1}), ints({-1})}).shape(), (Shape{1, 2}));
  EXPECT_THAT(error_of("Squeeze", {}, {counting({1, 2, 1}), ints({1})}), HasSubstr("cannot squeeze axis 1"));
  EXPECT_TRUE(infer_types("Squeeze", {}, {counting({1}), ints({0})})->data_dependent);
}

TEST(Unsqueeze, AddsOnes) {
  EXPECT_EQ(run("Unsqueeze", {}, {counting({2, 3}), ints({0, -1})}).shape(), (Shape{1, 2, 3, 1}));
  EXPECT_EQ(run("Unsqueeze", {}, {counting({2}), ints(Ints{})}).shape(), Shape{2});
  EXPECT_NE(error_of("Unsqueeze", {}, {counting({2}), ints({0, -3})}), "ok");
  EXPECT_NE(error_of("Unsqueeze", {}, {counting({2}), ints({2})}), "ok");
}

TEST(Dropout, IsIdentityWithAMaskOfOnes) {
  const Tensor x = counting({3});
  const auto outputs = run_all("Dropout", {}, {x, floats({}, {0.75F})}, 2);
  expect_same(outputs[0], x);
  expect_same(outputs[1], bools({1, 1, 1}));
  Tensor yes(TensorType{DType::kBool, {}});
  yes.mutable_data<bool>()[0] = true;
  expect_same(run_all("Dropout", {}, {x, floats({}, {0.0F}), yes}, 2)[0], x);
  const auto random = try_run("Dropout", {}, {x, std::nullopt, yes});
  ASSERT_FALSE(random.ok());
  EXPECT_EQ(random.error().code, ErrorCode::kUnsupported);
}

TEST(BitCast, KeepsTheBits) {
  expect_same(run("BitCast", {{"to", std::int64_t{6}}}, {floats({1}, {1.0F})}),
              Tensor::of<std::int32_t>({1}, {0x3f800000}));
  EXPECT_NE(error_of("BitCast", {{"to", std::int64_t{7}}}, {floats({1}, {1.0F})}), "ok");
}

TEST(ShapeOp, IsKnownWithoutValues) {
  const auto inferred = infer_types("Shape", {{"start", std::int64_t{-2}}}, {counting({2, 3, 4})});
  ASSERT_TRUE(inferred.ok());
  ASSERT_TRUE(inferred->values.at(0).has_value());
  expect_same(*inferred->values[0], ints({3, 4}));
  expect_same(run("Shape", {{"end", kMin}}, {counting({2, 3})}), ints(Ints{}));
  expect_same(run("Shape", {{"start", kMax}}, {counting({2, 3})}), ints(Ints{}));
  expect_same(run("Size", {}, {counting({2, 3})}), ints({}, {6}));
}

TEST(ConstantOfShape, FillsWithTheValue) {
  expect_same(run("ConstantOfShape", {}, {ints({2})}), floats({2}, {0, 0}));
  expect_same(run("ConstantOfShape", {{"value", ints({7})}}, {ints(Ints{})}), ints({}, {7}));
  EXPECT_NE(error_of("ConstantOfShape", {}, {ints({-1})}), "ok");
  EXPECT_NE(error_of("ConstantOfShape", {}, {ints({kMax, 2})}), "ok");
}

TEST(Range, CountsUpAndDown) {
  const auto range = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return Operands{ints({}, {a}), ints({}, {b}), ints({}, {c})};
  };
  expect_same(run("Range", {}, range(1, 6, 2)), ints({1, 3, 5}));
  expect_same(run("Range", {}, range(10, 4, -2)), ints({10, 8, 6}));
  expect_same(run("Range", {}, range(3, 3, 1)), ints(Ints{}));
  expect_same(run("Range", {}, range(kMin, kMax, kMax)), ints({kMin, -1, kMax - 1}));
  expect_same(run("Range", {}, range(kMax, kMin, kMin)), ints({kMax, -1}));
  EXPECT_NE(error_of("Range", {}, range(kMin, kMax, 1)), "ok");
  EXPECT_EQ(error_of("Range", {}, range(0, 1, 0)), "delta is 0");
  expect_same(run("Range", {}, {floats({}, {0}), floats({}, {1}), floats({}, {0.3F})}),
              floats({4}, {0.0F, 0.3F, 0.3F * 2.0F, 0.3F * 3.0F}));
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_NE(error_of("Range", {}, {floats({}, {0}), floats({}, {inf}), floats({}, {1})}), "ok");
  EXPECT_NE(error_of("Range", {}, {floats({}, {0}), floats({}, {3e38F}), floats({}, {1e-38F})}), "ok");
}

TEST(EyeLike, PlacesTheDiagonal) {
  expect_same(run("EyeLike", {{"k", std::int64_t{1}}}, {counting({2, 3})}), floats({2, 3}, {0, 1, 0, 0, 0, 1}));
  expect_same(run("EyeLike", {{"k", kMin}, {"dtype", std::int64_t{6}}}, {counting({1, 2})}),
              Tensor::of<std::int32_t>({1, 2}, {0, 0}));
  expect_same(run("EyeLike", {{"k", std::int64_t{-1}}}, {counting({2, 2})}), floats({2, 2}, {0, 0, 1, 0}));
  EXPECT_NE(error_of("EyeLike", {}, {counting({2})}), "ok");
}

}  // namespace
}  // namespace halfstep::ops
