// Contract under test: core/shape.hpp.
#include "core/shape.hpp"

#include <gtest/gtest.h>

namespace halfstep {
namespace {

TEST(CheckShape, RefusesWhatWouldOverflow) {
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_FALSE(check_shape(Shape{huge, huge}, DType::kInt8).ok());
  EXPECT_FALSE(check_shape(Shape{huge, 4, 0}, DType::kInt8).ok());
  EXPECT_FALSE(check_shape(Shape{2, -1}, DType::kFloat32).ok());
}

TEST(CheckShape, LimitIsInBytes) {
  EXPECT_TRUE(check_shape(Shape{kMaxTensorBytes}, DType::kInt8).ok());
  EXPECT_FALSE(check_shape(Shape{kMaxTensorBytes + 1}, DType::kInt8).ok());
  EXPECT_TRUE(check_shape(Shape{kMaxTensorBytes / 4}, DType::kFloat32).ok());
  EXPECT_FALSE(check_shape(Shape{kMaxTensorBytes / 4 + 1}, DType::kFloat32).ok());
}

TEST(Broadcast, AlignsAtTheLastAxis) {
  EXPECT_EQ(*broadcast(Shape{3, 1}, Shape{4}), (Shape{3, 4}));
  EXPECT_EQ(*broadcast(Shape{}, Shape{2, 2}), (Shape{2, 2}));
  EXPECT_EQ(*broadcast(Shape{1, 0}, Shape{5, 1}), (Shape{5, 0}));
  EXPECT_FALSE(broadcast(Shape{3}, Shape{4}).ok());
}

TEST(NormalizeAxis, AcceptsBothEnds) {
  EXPECT_EQ(*normalize_axis(-3, 3), 0);
  EXPECT_EQ(*normalize_axis(2, 3), 2);
  EXPECT_FALSE(normalize_axis(3, 3).ok());
  EXPECT_FALSE(normalize_axis(-4, 3).ok());
  EXPECT_FALSE(normalize_axis(0, 0).ok());
}

TEST(StridesOf, IsRowMajor) { EXPECT_EQ(strides_of(Shape{2, 3, 4}), (std::vector<std::int64_t>{12, 4, 1})); }

}  // namespace
}  // namespace halfstep
