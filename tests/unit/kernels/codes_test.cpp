// codes_test.cpp: centred codes, pairs of rows and tables, on every instruction set.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "each_isa.hpp"
#include "kernels/requantize.hpp"

namespace halfstep::kernels {
namespace {

constexpr std::array<std::size_t, 13> kCounts = {0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 257, 700};

template <class Q>
std::vector<Q> random_codes(std::mt19937& rng, std::size_t count) {
  std::vector<Q> codes(count);
  for (Q& code : codes) code = static_cast<Q>(rng());
  if (count > 1) {
    codes.front() = std::numeric_limits<Q>::min();
    codes.back() = std::numeric_limits<Q>::max();
  }
  return codes;
}

class CodesOnEachIsa : public EachIsa {
 protected:
  template <class Q>
  void expect_centred(std::initializer_list<std::int32_t> zero_points) {
    std::mt19937 rng(4011);
    constexpr std::int16_t kUntouched = 12345;
    for (const std::size_t count : kCounts) {
      const auto size = static_cast<std::int64_t>(count);
      const std::vector<Q> even = random_codes<Q>(rng, count);
      const std::vector<Q> odd = random_codes<Q>(rng, count);
      for (const std::int32_t zero_point : zero_points) {
        std::vector<std::int16_t> centred(count + 1, kUntouched);
        table().centre_codes(even.data(), dtype_of<Q>(), size, zero_point, centred.data());
        std::vector<std::int16_t> pairs(2 * count + 1, kUntouched);
        table().centre_pairs(even.data(), odd.data(), dtype_of<Q>(), size, zero_point, pairs.data());
        std::vector<std::int16_t> halves(2 * count + 1, kUntouched);
        table().centre_pairs(even.data(), nullptr, dtype_of<Q>(), size, zero_point, halves.data());
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(centred[i], even[i] - zero_point) << i << " of " << count;
          ASSERT_EQ(pairs[2 * i], even[i] - zero_point) << i << " of " << count;
          ASSERT_EQ(pairs[2 * i + 1], odd[i] - zero_point) << i << " of " << count;
          ASSERT_EQ(halves[2 * i], even[i] - zero_point) << i << " of " << count;
          ASSERT_EQ(halves[2 * i + 1], 0) << i << " of " << count;
        }
        ASSERT_EQ(centred.back(), kUntouched);
        // Three rows, the last without a gap behind it.
        std::vector<Q> rows = random_codes<Q>(rng, 3 * count + 10);
        rows.resize(3 * count + 10);
        std::vector<std::int16_t> planes(3 * count + 4, kUntouched);
        table().centre_rows(rows.data(), dtype_of<Q>(), 3, size, size + 5, zero_point, planes.data(), size + 2);
        for (std::size_t i = 0; i < planes.size(); ++i) {
          const std::size_t row = i / (count + 2);
          const std::size_t column = i % (count + 2);
          const std::int32_t expected = column < count ? rows[row * (count + 5) + column] - zero_point : kUntouched;
          ASSERT_EQ(planes[i], expected) << i << " of " << count;
        }
        ASSERT_EQ(pairs.back(), kUntouched);
        ASSERT_EQ(halves.back(), kUntouched);
      }
    }
  }

  template <class X, class Y>
  void expect_looked_up() {
    std::mt19937 rng(4012);
    const std::vector<Y> entries = random_codes<Y>(rng, std::size_t{1} << (8 * sizeof(X)));
    for (const std::size_t count : kCounts) {
      std::vector<X> q_x = random_codes<X>(rng, count);
      for (std::size_t i = 0; i < count && count > 256; ++i) q_x[i] = static_cast<X>(i);  // Every 8-bit code.
      std::vector<Y> q_y(count + 1, Y{77});
      table().look_up(q_x.data(), dtype_of<X>(), static_cast<std::int64_t>(count), entries.data(), dtype_of<Y>(),
                      q_y.data());
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(q_y[i], entries[static_cast<std::size_t>(q_x[i] - std::numeric_limits<X>::min())]) << i;
      }
      ASSERT_EQ(q_y.back(), Y{77});
    }
  }
};

TEST_P(CodesOnEachIsa, CentredCodesAreExact) {
  expect_centred<std::uint8_t>({0, 1, 128, 255});
  expect_centred<std::int8_t>({-128, -1, 0, 127});
  expect_centred<std::uint16_t>({32768});
  expect_centred<std::int16_t>({0});
}

TEST_P(CodesOnEachIsa, TablesOfEveryTypeAreReadAtTheRightEntry) {
  expect_looked_up<std::uint8_t, std::uint8_t>();
  expect_looked_up<std::int8_t, std::int8_t>();
  expect_looked_up<std::uint8_t, std::uint16_t>();
  expect_looked_up<std::int8_t, std::int16_t>();
  expect_looked_up<std::uint16_t, std::uint8_t>();
  expect_looked_up<std::int16_t, std::int8_t>();
  expect_looked_up<std::uint16_t, std::int16_t>();
  expect_looked_up<std::int16_t, std::uint16_t>();
}

INSTANTIATE_TEST_SUITE_P(Isas, CodesOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
