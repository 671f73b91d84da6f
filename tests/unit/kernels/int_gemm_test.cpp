// int_gemm_test.cpp: integer products against plain wide loops, bit for bit, on every instruction set.
#include "kernels/int_gemm.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr std::int32_t kUntouched = 987654321;

class IntGemmOnEachIsa : public EachIsa {
 protected:
  // Operands within +-`most`, rows `gap` pairs apart; acc beside the product must keep its values.
  void expect_product(std::mt19937& rng, std::int64_t m, std::int64_t n, std::int64_t k, int most, std::int64_t gap) {
    std::uniform_int_distribution<int> any(-most, most);
    IntGemm g;
    g.m = m;
    g.n = n;
    g.k_pairs = (k + 1) / 2;
    g.a_stride = 2 * (g.k_pairs + gap);
    g.b_stride = 2 * (n + gap);
    g.acc_stride = n + gap;
    const auto fill = [&](std::int64_t size) {
      std::vector<std::int16_t> values(static_cast<std::size_t>(size));
      for (std::int16_t& value : values) value = static_cast<std::int16_t>(any(rng));
      return values;
    };
    // The last row has no gap behind it: a sanitizer sees reads beyond the operands.
    std::vector<std::int16_t> a = fill(m == 0 ? 0 : (m - 1) * g.a_stride + 2 * g.k_pairs);
    const std::vector<std::int16_t> b = fill(g.k_pairs == 0 ? 0 : (g.k_pairs - 1) * g.b_stride + 2 * n);
    if (k % 2 != 0) {
      for (std::int64_t i = 0; i < m; ++i) a[static_cast<std::size_t>(i * g.a_stride + k)] = 0;
    }
    std::vector<std::int32_t> acc(static_cast<std::size_t>(m * g.acc_stride), kUntouched);
    g.a = a.data();
    g.b = b.data();
    g.acc = acc.data();
    table().int_gemm(g);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < g.acc_stride; ++j) {
        std::int64_t sum = 0;
        for (std::int64_t p = 0; p < k && j < n; ++p) {
          sum += std::int64_t{a[static_cast<std::size_t>(i * g.a_stride + p)]} *
                 b[static_cast<std::size_t>(p / 2 * g.b_stride + 2 * j + p % 2)];
        }
        ASSERT_EQ(acc[static_cast<std::size_t>(i * g.acc_stride + j)], j < n ? sum : kUntouched)
            << "m " << m << ", n " << n << ", k " << k << ", gap " << gap << " at " << i << ", " << j;
      }
    }
  }
};

TEST_P(IntGemmOnEachIsa, SmallAndOddShapesMatchWideLoops) {
  std::mt19937 rng(4021);
  for (std::int64_t m = 0; m <= 17; ++m) {
    for (const std::int64_t n : {0, 1, 2, 5, 7, 15, 16, 17, 31, 33, 47, 48, 49, 100}) {
      for (const std::int64_t k : {0, 1, 2, 3, 27, 64}) {
        expect_product(rng, m, n, k, 255, m % 3);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// More pairs than one pass over a panel takes, with and without columns that become dot products.
TEST_P(IntGemmOnEachIsa, LongSumsMatchWideLoops) {
  std::mt19937 rng(4022);
  for (const std::int64_t k : {511, 512, 513, 1100, 1555}) {
    for (const std::int64_t n : {1, 3, 4, 6, 13, 48, 49, 52, 97}) {
      for (const std::int64_t m : {1, 3, 8, 9}) {
        expect_product(rng, m, n, k, 255, 1);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// 2^15 * 2^15 * 1 and 32767^2 * 2 pairs use every bit of the sums.
TEST_P(IntGemmOnEachIsa, OperandsMayUseAllSixteenBits) {
  std::mt19937 rng(4023);
  for (const std::int64_t n : {1, 16, 49}) {
    expect_product(rng, 9, n, 2, 32767, 0);
    if (HasFatalFailure()) return;
  }
  const std::vector<std::int16_t> a = {-32768, 32767};
  const std::vector<std::int16_t> b = {-32768, 32767, 32767, 32767, -32768, -32768};
  std::vector<std::int32_t> acc(3);
  IntGemm g;
  g.m = g.k_pairs = 1;
  g.n = 3;
  g.a = a.data();
  g.b = b.data();
  g.acc = acc.data();
  g.a_stride = 2;
  g.b_stride = 6;
  g.acc_stride = 3;
  table().int_gemm(g);
  EXPECT_EQ(acc, (std::vector<std::int32_t>{2147418113, -32767, 32768}));
}

INSTANTIATE_TEST_SUITE_P(Isas, IntGemmOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
