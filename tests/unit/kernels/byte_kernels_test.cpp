// Contracts under test: kernels/byte_depthwise.hpp, kernels/byte_sum.hpp and max_pool() on codes, against the formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "each_isa.hpp"
#include "numerics/fixed_point.hpp"

namespace halfstep::kernels {
namespace {

using numerics::Rounding;

std::vector<std::uint8_t> random_bytes(std::mt19937& rng, std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng() % 3 == 0 ? 255 : rng());
  return bytes;
}

class ByteKernels : public EachIsa {};

struct DepthwiseCase {
  std::int64_t out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, dilation_h;
};

std::int32_t tap_of(const ByteDepthwise& d, std::int64_t i, std::int64_t j) {
  const std::int32_t group = d.filter[i * ((d.kernel_w + 3) / 4) + j / 4];
  return static_cast<std::int8_t>(group >> (8 * (j % 4)));
}

std::int32_t sum_of(const ByteDepthwise& d, std::int64_t y, std::int64_t x) {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < d.kernel_h; ++i) {
    for (std::int64_t j = 0; j < d.kernel_w; ++j) {
      sum += tap_of(d, i, j) * d.padded[(y * d.stride_h + i * d.dilation_h) * d.padded_stride + x * d.stride_w + j];
    }
  }
  return sum;
}

TEST_P(ByteKernels, DepthwiseSumsAndCodesAreThoseOfTheFormula) {
  if (table().byte_depthwise == nullptr) GTEST_SKIP() << "no dot products of bytes";
  std::mt19937 rng(1);
  const PanelShape shape = table().panel_shape();
  for (const DepthwiseCase& c : std::initializer_list<DepthwiseCase>{{7, 7, 3, 3, 1, 1, 1},
                                                                     {1, 1, 3, 3, 1, 1, 1},
                                                                     {20, 70, 3, 3, 1, 1, 1},
                                                                     {9, 33, 3, 3, 2, 2, 1},
                                                                     {5, 16, 3, 3, 2, 2, 1},
                                                                     {6, 21, 5, 5, 1, 1, 1},
                                                                     {6, 21, 5, 5, 2, 2, 1},
                                                                     {4, 9, 3, 1, 1, 1, 2},
                                                                     {4, 9, 1, 8, 2, 1, 1},
                                                                     {3, 40, 7, 7, 1, 2, 3}}) {
    ByteDepthwise d;
    d.out_h = c.out_h;
    d.out_w = c.out_w;
    d.kernel_h = c.kernel_h;
    d.kernel_w = c.kernel_w;
    d.stride_h = c.stride_h;
    d.stride_w = c.stride_w;
    d.dilation_h = c.dilation_h;
    d.padded_stride = (c.out_w - 1) * c.stride_w + c.kernel_w;
    const std::int64_t rows = (c.out_h - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
    const auto padded = random_bytes(rng, rows * d.padded_stride + kByteDepthwiseSlack);
    d.padded = padded.data();
    std::vector<std::int32_t> filter(static_cast<std::size_t>(c.kernel_h * ((c.kernel_w + 3) / 4)));
    for (std::int64_t i = 0; i < c.kernel_h; ++i) {
      for (std::int64_t j = 0; j < c.kernel_w; ++j) {
        const auto tap = static_cast<std::uint8_t>(rng() % 3 == 0 ? 0x80 : rng());
        filter[static_cast<std::size_t>(i * ((c.kernel_w + 3) / 4) + j / 4)] |=
            static_cast<std::int32_t>(static_cast<std::uint32_t>(tap) << (8 * (j % 4)));
      }
    }
    d.filter = filter.data();
    d.line_pitch = c.stride_w == 1 && c.stride_h == 1 ? d.padded_stride : shape.padded(c.out_w);
    const std::int64_t needed = (c.out_h - 1) * d.line_pitch + c.out_w;
    d.line_size = (needed + shape.columns - 1) / shape.columns * shape.columns;
    std::vector<std::int32_t> acc(static_cast<std::size_t>(d.line_size));
    d.acc = acc.data();
    table().byte_depthwise(d);
    for (std::int64_t y = 0; y < c.out_h; ++y) {
      for (std::int64_t x = 0; x < c.out_w; ++x) {
        ASSERT_EQ(acc[static_cast<std::size_t>(y * d.line_pitch + x)], sum_of(d, y, x)) << y << " " << x;
      }
    }
    for (const Rounding rounding : {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway}) {
      const numerics::Requantizer r{{(1 << 30) + 12345, 7}, -3, -128, 120, rounding};
      RowFinish finish;
      const std::int32_t bias = -1234;
      ASSERT_TRUE(make_row_finish(bias, r, DType::kInt8, finish));
      std::vector<std::int8_t> codes(static_cast<std::size_t>(d.line_size));
      d.finish = &finish;
      d.rounding = rounding;
      d.dtype = DType::kInt8;
      d.codes = codes.data();
      table().byte_depthwise(d);
      for (std::int64_t y = 0; y < c.out_h; ++y) {
        for (std::int64_t x = 0; x < c.out_w; ++x) {
          ASSERT_EQ(codes[static_cast<std::size_t>(y * d.line_pitch + x)],
                    numerics::requantize(sum_of(d, y, x) + bias, r));
        }
      }
    }
  }
}

TEST_P(ByteKernels, SumsRoundOnce) {
  std::mt19937 rng(2);
  for (const Rounding rounding : {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway}) {
    for (const std::int64_t count : {1, 15, 16, 300}) {
      const auto a = random_bytes(rng, count);
      const auto b = random_bytes(rng, count);
      std::vector<std::uint8_t> y(static_cast<std::size_t>(count + 1), 7);
      ByteSum s;
      // Multipliers of a few bits: ties are frequent.
      s.operands[0] = {a.data(), 0x80, 3 << 4};
      s.operands[1] = {b.data(), 0xFF, 5 << 3};
      s.fraction_bits = 6;
      s.base = (std::uint64_t{1} << 62) - 9000;
      s.offset = 20 - (std::int64_t{1} << 56);
      s.q_min = 3;
      s.q_max = 250;
      s.rounding = rounding;
      s.count = count;
      s.y = y.data();
      table().byte_sum(s);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const std::int64_t sum = (3 << 4) * std::int64_t{a[i] ^ 0x80} + (5 << 3) * std::int64_t{b[i] ^ 0xFF} - 9000;
        const std::int64_t q = numerics::rounding_shift_right<std::int64_t>(sum, 6, rounding) + 20;
        ASSERT_EQ(y[i], std::clamp<std::int64_t>(q, 3, 250)) << i;
      }
      EXPECT_EQ(y.back(), 7);
      s.y = const_cast<std::uint8_t*>(a.data());  // In place.
      table().byte_sum(s);
      EXPECT_TRUE(std::equal(a.begin(), a.end(), y.begin()));
    }
  }
}

template <class T>
void check_max_pool(const KernelTable& table, DType dtype, MaxPool p) {
  std::mt19937 rng(3);
  std::vector<T> in(static_cast<std::size_t>(p.planes * p.in_h * p.in_w));
  for (T& code : in) code = static_cast<T>(rng());
  std::vector<T> out(static_cast<std::size_t>(p.planes * p.out_h * p.out_w + 1), T{5});
  p.dtype = dtype;
  p.input = in.data();
  p.output = out.data();
  std::vector<T> scratch(max_pool_scratch_bytes(p) / sizeof(T));
  table.max_pool(p, scratch.data());
  const T* got = out.data();
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    for (std::int64_t y = 0; y < p.out_h; ++y) {
      for (std::int64_t x = 0; x < p.out_w; ++x) {
        T largest = std::numeric_limits<T>::lowest();
        for (std::int64_t i = 0; i < p.kernel_h; ++i) {
          for (std::int64_t j = 0; j < p.kernel_w; ++j) {
            const std::int64_t row = y * p.stride_h - p.pad_top + i;
            const std::int64_t column = x * p.stride_w - p.pad_left + j;
            if (row < 0 || row >= p.in_h || column < 0 || column >= p.in_w) continue;
            largest = std::max(largest, in[static_cast<std::size_t>((plane * p.in_h + row) * p.in_w + column)]);
          }
        }
        ASSERT_EQ(*got++, largest) << plane << " " << y << " " << x;
      }
    }
  }
  EXPECT_EQ(*got, T{5});
}

TEST_P(ByteKernels, MaxPoolOfCodes) {
  for (const std::int64_t width : {3, 13, 27, 55, 111}) {
    for (const std::int64_t stride : {1, 2}) {
      MaxPool p;
      p.planes = 2;
      p.in_h = 9;
      p.in_w = width;
      p.kernel_h = p.kernel_w = 3;
      p.stride_h = p.stride_w = stride;
      p.pad_top = p.pad_left = stride == 1 ? 1 : 0;
      p.out_h = (p.in_h + 2 * p.pad_top - 3) / stride + 1;
      p.out_w = (p.in_w + 2 * p.pad_left - 3) / stride + 1;
      check_max_pool<std::uint8_t>(table(), DType::kUint8, p);
      check_max_pool<std::int8_t>(table(), DType::kInt8, p);
      check_max_pool<std::uint16_t>(table(), DType::kUint16, p);
      check_max_pool<std::int16_t>(table(), DType::kInt16, p);
    }
  }
}

TEST_P(ByteKernels, CopyRowsFlipsAndKeepsWhatIsBetween) {
  std::mt19937 rng(4);
  for (const std::int64_t columns : {1, 3, 4, 7, 8, 15, 16, 31, 32, 33, 112}) {
    const auto from = random_bytes(rng, 5 * (columns + 2));
    std::vector<std::uint8_t> to(static_cast<std::size_t>(5 * (columns + 3)), 9);
    table().copy_byte_rows(from.data(), 5, columns, columns + 2, 0x80, to.data(), columns + 3);
    for (std::int64_t row = 0; row < 5; ++row) {
      for (std::int64_t i = 0; i < columns + 3; ++i) {
        const int wanted = i < columns ? from[static_cast<std::size_t>(row * (columns + 2) + i)] ^ 0x80 : 9;
        ASSERT_EQ(to[static_cast<std::size_t>(row * (columns + 3) + i)], wanted);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ByteKernels, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
