// encoding_set_test.cpp: (E1) applied to tensors.
#include "encoding/encoding_set.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace halfstep {
namespace {

Encoding tensor_encoding(IntGrid grid, double scale, std::int32_t zero_point) {
  return *Encoding::per_tensor(grid, {scale, zero_point});
}

// 0.5 and 1.5 steps round to 0 and 2 whatever the zero point is: rounding comes before it is added.
TEST(Quantize, TiesRoundToEvenBeforeTheZeroPointIsAdded) {
  const Tensor real = Tensor::of<float>({4}, {0.5F, 1.5F, -0.5F, -1.5F});
  const Tensor codes = quantize(real, tensor_encoding({0, 255}, 1.0, 101));
  EXPECT_TRUE(identical(codes, Tensor::of<std::uint8_t>({4}, {101, 103, 101, 99})));
}

TEST(Quantize, SaturatesInfinitiesAndLargeValues) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor real = Tensor::of<float>({4}, {inf, -inf, 3e38F, -3e38F});
  EXPECT_TRUE(identical(quantize(real, tensor_encoding({-127, 127}, 1e-6, 0)),
                        Tensor::of<std::int8_t>({4}, {127, -127, 127, -127})));
  EXPECT_TRUE(identical(quantize(real, tensor_encoding({0, 65535}, 1.0, 7)),
                        Tensor::of<std::uint16_t>({4}, {65535, 0, 65535, 0})));
  const std::int32_t low = std::numeric_limits<std::int32_t>::min();
  const std::int32_t high = std::numeric_limits<std::int32_t>::max();
  EXPECT_TRUE(identical(quantize(real, tensor_encoding(signed_grid(32), 1.0, 0)),
                        Tensor::of<std::int32_t>({4}, {high, low, high, low})));
}

TEST(Quantize, PicksTheSmallestStorage) {
  const Tensor real = Tensor::of<float>({1}, {1.0F});
  EXPECT_EQ(quantize(real, tensor_encoding({-7, 7}, 1.0, 0)).dtype(), DType::kInt8);
  EXPECT_EQ(quantize(real, tensor_encoding({0, 15}, 1.0, 0)).dtype(), DType::kUint8);
  EXPECT_EQ(quantize(real, tensor_encoding({-32768, 32767}, 1.0, 0)).dtype(), DType::kInt16);
  EXPECT_EQ(quantize(real, tensor_encoding(signed_grid(32), 1.0, 0)).dtype(), DType::kInt32);
}

TEST(Quantize, UsesEachChannelsScale) {
  // [2, 3, 2], channels on axis 1.
  const Tensor real = Tensor::of<float>({2, 3, 2}, {1, 2, 1, 2, 1, 2, -1, -2, -1, -2, -1, -2});
  const Encoding encoding = *Encoding::per_channel({-127, 127}, 1, {{1.0, 0}, {0.5, 0}, {0.25, 10}});
  const Tensor codes = quantize(real, encoding);
  EXPECT_TRUE(identical(codes, Tensor::of<std::int8_t>({2, 3, 2}, {1, 2, 2, 4, 14, 18, -1, -2, -2, -4, 6, 2})));
  EXPECT_TRUE(identical(dequantize(codes, encoding), real));
}

// Oracle: the quotient of float32 numbers, rounded to float32, then by nearbyint.
TEST(QuantizeProperty, MatchesTheDefinitionElementByElement) {
  std::mt19937_64 rng(20240601);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (const IntGrid grid : {IntGrid{0, 255}, IntGrid{-127, 127}, IntGrid{-8, 7}, IntGrid{0, 65535}}) {
    for (const float scale : {0.037F, 0.5F, 1e-4F}) {
      const std::int32_t zero_point = grid.q_min + (grid.q_max - grid.q_min) / 3;
      std::vector<float> values(1000);
      for (std::size_t i = 0; i < values.size(); ++i) {
        // Every second value is a tie of the grid.
        values[i] = i % 2 == 0 ? normal(rng) : (std::floor(normal(rng) * 10.0F) + 0.5F) * scale;
      }
      const Encoding encoding = tensor_encoding(grid, scale, zero_point);
      const Tensor codes = quantize(Tensor::of<float>({1000}, std::span<const float>(values)), encoding);
      const std::vector<std::int64_t> q = to_int64s(codes);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float steps = std::nearbyint(values[i] / scale);
        const double expected = std::fmin(std::fmax(static_cast<double>(steps) + zero_point, grid.q_min), grid.q_max);
        ASSERT_EQ(q[i], static_cast<std::int64_t>(expected)) << values[i] << " / " << scale;
      }
      const Tensor real = dequantize(codes, encoding);
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_EQ(real.data<float>()[i], static_cast<float>(q[i] - zero_point) * scale);
      }
      EXPECT_TRUE(identical(quantize(real, encoding), codes)) << "not idempotent";
    }
  }
}

TEST(CheckFits, NamesAxisAndChannels) {
  const Encoding encoding = *Encoding::per_channel({-127, 127}, 1, {{1.0, 0}, {0.5, 0}});
  EXPECT_TRUE(check_fits(encoding, {5, 2}).ok());
  EXPECT_EQ(check_fits(encoding, {2, 5}).error().message, "the encoding has 2 channels, axis 1 of [2, 5] has 5");
  EXPECT_FALSE(check_fits(encoding, {2}).ok());
  EXPECT_TRUE(check_fits(tensor_encoding({0, 255}, 1.0, 0), {}).ok());
}

TEST(ProvenanceText, ReadsAsASentencePart) {
  EXPECT_EQ(to_string({Origin::kCalibrated, "min-max"}), "calibrated (min-max)");
  EXPECT_EQ(to_string({Origin::kShared, "x"}), "same as 'x'");
  EXPECT_EQ(to_string({Origin::kWeights, ""}), "from its values");
}

// K = 5 in blocks of 2 along axis 0 of [5, 2]: three rows of scales, the last for one row of the tensor.
TEST(Quantize, BlocksAlongTheFirstAxis) {
  const Encoding encoding =
      *Encoding::per_block(signed_grid(4), 0, 2, {{1, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 0}, {6, 0}});
  const Tensor codes = Tensor::of<std::int8_t>({5, 2}, {1, 1, 2, 2, 1, 1, 2, 2, 1, 1});
  const Tensor real = Tensor::of<float>({5, 2}, {1, 2, 2, 4, 3, 0, 6, 4, 5, 6});
  EXPECT_TRUE(identical(dequantize(codes, encoding), real));
  EXPECT_TRUE(identical(quantize(real, encoding), codes));
  EXPECT_EQ(scale_shape(encoding, real.shape()), (Shape{3, 2}));
}

TEST(Quantize, BlocksAlongTheLastAxisAndOneBetween) {
  const Encoding last = *Encoding::per_block(signed_grid(8), 1, 2, {{1, 0}, {2, 0}, {3, 0}, {4, 0}});
  const Tensor ones = Tensor::of<std::int8_t>({2, 3}, {1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(identical(dequantize(ones, last), Tensor::of<float>({2, 3}, {1, 1, 2, 3, 3, 4})));
  const Encoding middle = *Encoding::per_block(signed_grid(8), 1, 2, {{1, 0}, {2, 0}, {3, 0}, {4, 0}});
  const Tensor cube = Tensor::of<std::int8_t>({2, 2, 1}, {1, 1, 1, 1});
  EXPECT_FALSE(check_fits(middle, cube.shape()).ok());
  const Tensor pairs = Tensor::of<std::int8_t>({1, 3, 2}, {1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(identical(dequantize(pairs, middle), Tensor::of<float>({1, 3, 2}, {1, 2, 1, 2, 3, 4})));
}

TEST(CheckFits, CountsBlocks) {
  const Encoding encoding = *Encoding::per_block(signed_grid(4), 1, 32, {{1, 0}, {2, 0}});
  EXPECT_TRUE(check_fits(encoding, Shape{1, 33}).ok());
  EXPECT_TRUE(check_fits(encoding, Shape{2, 32}).ok());
  EXPECT_EQ(check_fits(encoding, Shape{2, 33}).error().message,
            "the encoding has 2 scales, blocks of 32 along axis 1 of [2, 33] need 4");
  EXPECT_EQ(check_fits(encoding, Shape{33}).error().message, "the encoding's block axis is 1, the tensor's shape [33]");
}

}  // namespace
}  // namespace halfstep
