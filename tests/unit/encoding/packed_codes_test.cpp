// Contract under test: encoding/packed_codes.hpp.
#include "encoding/packed_codes.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace halfstep {
namespace {

Tensor counting_codes(const Shape& shape) {
  Tensor codes(TensorType{DType::kInt8, shape});
  for (std::int64_t i = 0; i < codes.num_elements(); ++i) {
    codes.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i % 16 - 8);
  }
  return codes;
}

/// Number `i` of the slice that begins at byte `begin`.
int code_at(const std::string& packed, std::int64_t begin, std::int64_t i) {
  const auto byte = static_cast<unsigned char>(packed[static_cast<std::size_t>(begin + i / 2)]);
  const int nibble = i % 2 == 0 ? byte & 0xF : byte >> 4;
  return nibble < 8 ? nibble : nibble - 16;
}

TEST(Pack4Bits, LowHalfFirstAndNegativesInTwosComplement) {
  const Tensor codes = Tensor::of<std::int8_t>({3}, {-8, 7, -1});
  EXPECT_EQ(pack_4_bits(codes, std::nullopt), std::string("\x78\x0F", 2));
  const Tensor unsigned_codes = Tensor::of<std::uint8_t>({2}, {15, 1});
  EXPECT_EQ(pack_4_bits(unsigned_codes, std::nullopt), std::string("\x1F", 1));
}

// A 3x3 kernel of three input channels: 27 codes a channel.
TEST(Pack4Bits, EachChannelBeginsAtAByte) {
  const Tensor codes = counting_codes({2, 3, 3, 3});
  const std::string packed = pack_4_bits(codes, 0);
  ASSERT_EQ(packed.size(), 28U);
  for (std::int64_t channel = 0; channel < 2; ++channel) {
    for (std::int64_t i = 0; i < 27; ++i) {
      EXPECT_EQ(code_at(packed, channel * 14, i), codes.data<std::int8_t>()[channel * 27 + i]);
    }
    EXPECT_EQ(static_cast<unsigned char>(packed[static_cast<std::size_t>(channel * 14 + 13)]) >> 4, 0);
  }
  EXPECT_EQ(pack_4_bits(codes, std::nullopt).size(), 27U);
}

TEST(Pack4Bits, ChannelsAlongAnInnerAxisAreGathered) {
  const Tensor codes = counting_codes({3, 2, 2});
  const std::string packed = pack_4_bits(codes, 1);
  ASSERT_EQ(packed.size(), 6U);
  for (std::int64_t channel = 0; channel < 2; ++channel) {
    for (std::int64_t i = 0; i < 6; ++i) {
      EXPECT_EQ(code_at(packed, channel * 3, i), codes.data<std::int8_t>()[i / 2 * 4 + channel * 2 + i % 2]);
    }
  }
}

}  // namespace
}  // namespace halfstep
