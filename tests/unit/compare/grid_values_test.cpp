// Contract under test: compare/grid_values.hpp.
#include "compare/grid_values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "encoding/encoding_set.hpp"

namespace halfstep::compare {
namespace {

using testing::ElementsAre;

// Steps of 0.5 from -1 to 126.5.
Encoding halves() { return *Encoding::per_tensor({0, 255}, {0.5, 2}); }

std::vector<std::uint8_t> bytes_of(const Tensor& tensor) {
  return {tensor.values<std::uint8_t>().begin(), tensor.values<std::uint8_t>().end()};
}

TEST(GridValues, ClippedIsMoreThanHalfAStepOutside) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor real = Tensor::of<float>(Shape{7}, {-1.0F, -1.25F, -1.26F, 126.5F, 126.75F, 127.0F, nan});
  EXPECT_EQ(count_clipped(real.view(), halves()), 3);
}

TEST(GridValues, ClippedPerChannel) {
  const Encoding encoding = *Encoding::per_channel({0, 1}, 1, {{1.0, 0}, {10.0, 0}});
  const Tensor real = Tensor::of<float>(Shape{2, 2, 2}, {1.0F, 2.0F, 14.0F, 16.0F, -0.4F, -0.6F, -4.0F, -6.0F});
  EXPECT_EQ(count_clipped(real.view(), encoding), 4);
}

TEST(GridValues, ScaleOfSeveralChannelsIsTheirRootMeanSquare) {
  EXPECT_DOUBLE_EQ(rms_scale(halves()), 0.5);
  EXPECT_DOUBLE_EQ(rms_scale(*Encoding::per_channel({0, 1}, 0, {{1.0, 0}, {7.0, 0}})), 5.0);
}

TEST(GridValues, OffByCountsDistancesInClasses) {
  const Tensor real = Tensor::of<float>(Shape{8}, {-1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  const Tensor codes = Tensor::of<std::uint8_t>(Shape{8}, {0, 3, 0, 5, 6, 7, 10, 11});
  EXPECT_THAT(off_by(codes.view(), real.view(), halves()), ElementsAre(1, 1, 1, 2, 2, 1));
}

TEST(GridValues, OverwritingCodesAndRealNumbers) {
  const Tensor real = Tensor::of<float>(Shape{3}, {-5.0F, 0.3F, 1.0F});
  Tensor codes(TensorType{DType::kUint8, Shape{3}});
  EXPECT_TRUE(overwrite(real.view(), halves(), codes.mutable_view()));
  EXPECT_THAT(bytes_of(codes), ElementsAre(0, 3, 4));
  Tensor rounded(TensorType{DType::kFloat32, Shape{3}});
  EXPECT_TRUE(overwrite(real.view(), halves(), rounded.mutable_view()));
  EXPECT_THAT(rounded.values<float>(), ElementsAre(-1.0F, 0.5F, 1.0F));
}

TEST(GridValues, NothingIsWrittenWhereTypesDoNotFit) {
  const Tensor real = Tensor::of<float>(Shape{3}, {1.0F, 1.0F, 1.0F});
  Tensor wide(TensorType{DType::kInt16, Shape{3}});
  EXPECT_FALSE(overwrite(real.view(), halves(), wide.mutable_view()));
  Tensor longer(TensorType{DType::kUint8, Shape{4}});
  EXPECT_FALSE(overwrite(real.view(), halves(), longer.mutable_view()));
  EXPECT_FALSE(overwrite(real.view(), halves(), MutableView{}));
  EXPECT_THAT(bytes_of(longer), ElementsAre(0, 0, 0, 0));
}

// Longer than a piece, grids that change within pieces, and codes of all widths: as dequantizing first.
TEST(GridValues, ErrorsOfCodesAreThoseOfTheirRealNumbers) {
  const Shape shape{2, 3, 700};
  std::vector<float> reference;
  for (int i = 0; i < 4200; ++i) reference.push_back(std::sin(static_cast<float>(i)));
  const Tensor expected = Tensor::of<float>(shape, std::span<const float>(reference));
  const std::vector<QuantParams> params{{0.0625, 3}, {0.125, -4}, {0.25, 0}};
  for (const IntGrid grid : {IntGrid{-8, 7}, IntGrid{-128, 127}, IntGrid{-20000, 30000}, IntGrid{-100000, 100000}}) {
    for (const Encoding& encoding : {*Encoding::per_channel(grid, 1, params), *Encoding::per_tensor(grid, params[0])}) {
      const Tensor codes = quantize(expected, encoding);
      const Tensor real = dequantize(codes, encoding);
      ErrorSums plain;
      plain.add(reference, real.values<float>());
      const ErrorSums sums = errors_of(expected.view(), codes.view(), &encoding);
      EXPECT_EQ(sums.count, 4200);
      EXPECT_EQ(sums.error_squared, plain.error_squared);
      EXPECT_EQ(sums.product, plain.product);
      EXPECT_EQ(sums.max_abs_error, plain.max_abs_error);
      EXPECT_EQ(errors_of(expected.view(), real.view(), nullptr).error_squared, plain.error_squared);
      Tensor again(codes.type());
      EXPECT_TRUE(overwrite(expected.view(), encoding, again.mutable_view()));
      EXPECT_TRUE(identical(again, codes));
      EXPECT_EQ(off_by(codes.view(), expected.view(), encoding)[0], 4200);
    }
  }
}

}  // namespace
}  // namespace halfstep::compare
