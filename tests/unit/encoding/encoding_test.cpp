// encoding_test.cpp: grids and the rules that make an Encoding valid.
#include "encoding/encoding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep {
namespace {

TEST(Grids, HaveTheirWidths) {
  EXPECT_EQ(signed_grid(8), (IntGrid{-128, 127}));
  EXPECT_EQ(narrow_signed_grid(8), (IntGrid{-127, 127}));
  EXPECT_EQ(unsigned_grid(8), (IntGrid{0, 255}));
  EXPECT_EQ(signed_grid(4), (IntGrid{-8, 7}));
  EXPECT_EQ(unsigned_grid(16), (IntGrid{0, 65535}));
  EXPECT_EQ(signed_grid(32),
            (IntGrid{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()}));
}

TEST(Grids, StorageIsTheSmallestThatHolds) {
  EXPECT_EQ(storage_bits({-7, 7}), 4);
  EXPECT_EQ(storage_bits({0, 15}), 4);
  EXPECT_EQ(storage_bits({0, 16}), 8);
  EXPECT_EQ(storage_bits({-128, 127}), 8);
  EXPECT_EQ(storage_bits({-128, 128}), 16);
  EXPECT_EQ(storage_bits({0, 65535}), 16);
  EXPECT_EQ(storage_bits({-32769, 0}), 32);
  EXPECT_EQ(storage_bits(signed_grid(32)), 32);
}

TEST(Encoding, RefusesWhatIsNotAGrid) {
  EXPECT_FALSE(Encoding::per_tensor({3, 3}, {1.0, 3}).ok());
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {0.0, 0}).ok());
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {-1.0, 0}).ok());
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {std::numeric_limits<double>::quiet_NaN(), 0}).ok());
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {1e-60, 0}).ok());  // 0 as a float32.
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {1e60, 0}).ok());
  EXPECT_FALSE(Encoding::per_tensor({0, 255}, {1.0, 256}).ok());
  EXPECT_FALSE(Encoding::per_channel({0, 255}, -1, {{1.0, 0}}).ok());
  EXPECT_FALSE(Encoding::per_channel({0, 255}, 0, {}).ok());
  const auto bad_channel = Encoding::per_channel({0, 255}, 0, {{1.0, 0}, {1.0, -1}});
  ASSERT_FALSE(bad_channel.ok());
  EXPECT_EQ(bad_channel.error().message, "zero point -1 of channel 1 lies outside the grid [0, 255]");
}

TEST(Encoding, RefusesGridsThatLeaveFloat32) {
  const double largest = largest_scale({-128, 127}, 0);
  EXPECT_TRUE(std::isfinite(static_cast<float>(largest * -128.0)));
  const float next = std::nextafter(static_cast<float>(largest), std::numeric_limits<float>::max());
  EXPECT_FALSE(std::isfinite(static_cast<float>(static_cast<double>(next) * -128.0)));
  const Result<Encoding> beyond = Encoding::per_tensor({-128, 127}, {3e36, 0});
  ASSERT_FALSE(beyond.ok());
  EXPECT_NE(beyond.error().message.find("overflows float32"), std::string::npos);
  EXPECT_FALSE(Encoding::per_channel({0, 255}, 0, {{1.0, 0}, {1.4e36, 255}}).ok());
  EXPECT_TRUE(Encoding::per_tensor(signed_grid(32), {1e30, 0}).ok());
}

TEST(Encoding, RoundsScalesToFloat32) {
  const Encoding encoding = *Encoding::per_tensor({0, 255}, {0.1, 0});
  EXPECT_EQ(encoding.params()[0].scale, static_cast<double>(0.1F));
}

TEST(Encoding, KnowsItsRealRange) {
  const Encoding encoding = *Encoding::per_channel({-127, 127}, 1, {{0.5, 0}, {0.25, 27}});
  EXPECT_EQ(encoding.real_min(0), -63.5);
  EXPECT_EQ(encoding.real_max(1), 25.0);
  EXPECT_EQ(encoding.real_min(1), -38.5);
}

TEST(Encoding, PowerOfTwoNeedsZeroPoint0) {
  EXPECT_TRUE(Encoding::per_tensor({-128, 127}, {0.0078125, 0})->is_power_of_two());
  EXPECT_FALSE(Encoding::per_tensor({-128, 127}, {0.0078125, 1})->is_power_of_two());
  EXPECT_FALSE(Encoding::per_tensor({-128, 127}, {0.01, 0})->is_power_of_two());
}

TEST(Encoding, BlocksAreNoChannels) {
  const Encoding encoding = *Encoding::per_block(signed_grid(4), 0, 32, {{0.5, 0}, {0.25, 1}});
  EXPECT_EQ(encoding.axis(), std::nullopt);
  EXPECT_EQ(encoding.block_axis(), 0);
  EXPECT_EQ(encoding.block_size(), 32);
  EXPECT_FALSE(encoding.is_per_tensor());
  EXPECT_NE(encoding, *Encoding::per_block(signed_grid(4), 0, 16, {{0.5, 0}, {0.25, 1}}));
  EXPECT_NE(encoding, *Encoding::per_channel(signed_grid(4), 0, {{0.5, 0}, {0.25, 1}}));
  EXPECT_EQ(Encoding::per_tensor(signed_grid(4), {0.5, 0})->block_size(), 0);
  EXPECT_EQ(Encoding::per_block(signed_grid(4), -1, 32, {{0.5, 0}}).error().message, "the block axis -1 is negative");
  EXPECT_EQ(Encoding::per_block(signed_grid(4), 0, 0, {{0.5, 0}}).error().message, "the block size 0 is not positive");
  EXPECT_EQ(Encoding::per_block(signed_grid(4), 0, 8, {{0.5, 0}, {0.0, 0}}).error().message,
            "the scale of block 1 is not a finite positive float32");
}

}  // namespace
}  // namespace halfstep
