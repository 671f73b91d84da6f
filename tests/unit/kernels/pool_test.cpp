// pool_test.cpp: float pooling against plain loops.
#include "kernels/pool.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

std::vector<float> plain_max_pool(const MaxPool& p) {
  std::vector<float> out;
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    for (std::int64_t window = 0; window < p.out_h * p.out_w; ++window) {
      float best = -std::numeric_limits<float>::infinity();
      for (std::int64_t tap = 0; tap < p.kernel_h * p.kernel_w; ++tap) {
        const std::int64_t y = window / p.out_w * p.stride_h - p.pad_top + tap / p.kernel_w;
        const std::int64_t x = window % p.out_w * p.stride_w - p.pad_left + tap % p.kernel_w;
        if (y < 0 || y >= p.in_h || x < 0 || x >= p.in_w) continue;
        const float value = static_cast<const float*>(p.input)[(plane * p.in_h + y) * p.in_w + x];
        if (value > best) best = value;
      }
      out.push_back(best);
    }
  }
  return out;
}

class PoolOnEachIsa : public EachIsa {};

TEST_P(PoolOnEachIsa, LargestOfEachWindowMatchesPlainLoops) {
  std::mt19937 rng(99001);
  const auto draw = [&rng](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(rng);
  };
  for (int tried = 0; tried < 200; ++tried) {
    MaxPool p;
    p.planes = draw(1, 3);
    p.in_h = draw(1, 20);
    p.in_w = draw(1, 70);
    p.kernel_h = draw(1, 7);
    p.kernel_w = draw(1, 13);
    p.stride_h = draw(1, 3);
    p.stride_w = draw(1, 2);
    p.pad_top = draw(0, p.kernel_h - 1);
    p.pad_left = draw(0, p.kernel_w - 1);
    p.out_h = draw(1, (p.in_h + p.pad_top) / p.stride_h + 1);
    p.out_w = draw(1, (p.in_w + p.pad_left) / p.stride_w + 1);
    std::vector<float> input = random_floats(rng, p.planes * p.in_h * p.in_w);
    input[0] = std::numeric_limits<float>::quiet_NaN();  // Which no window keeps.
    std::vector<float> output(static_cast<std::size_t>(p.planes * p.out_h * p.out_w), -7.0F);
    std::vector<float> scratch(max_pool_scratch_bytes(p) / sizeof(float), std::numeric_limits<float>::quiet_NaN());
    p.input = input.data();
    p.output = output.data();
    table().max_pool(p, scratch.data());
    ASSERT_EQ(output, plain_max_pool(p)) << "in " << p.in_h << "x" << p.in_w << " kernel " << p.kernel_h << "x"
                                         << p.kernel_w << " stride " << p.stride_h << "," << p.stride_w << " pad "
                                         << p.pad_top << "," << p.pad_left << " out " << p.out_h << "x" << p.out_w;
  }
}

TEST_P(PoolOnEachIsa, MeansAreTheSameBitsEverywhere) {
  std::mt19937 rng(99002);
  for (const std::int64_t count : {1, 7, 8, 49, 169}) {
    for (const std::int64_t rows : {1, 3, 4, 9}) {
      const std::vector<float> x = random_floats(rng, rows * count);
      std::vector<float> y(static_cast<std::size_t>(rows));
      std::vector<float> baseline = y;
      table().row_means(x.data(), rows, count, y.data());
      table_for(Isa::kBaseline).row_means(x.data(), rows, count, baseline.data());
      EXPECT_EQ(y, baseline);
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0.0;
        for (std::int64_t i = 0; i < count; ++i) sum += x[static_cast<std::size_t>(r * count + i)];
        EXPECT_NEAR(y[static_cast<std::size_t>(r)], sum / static_cast<double>(count), 1e-7);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, PoolOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
