// gemm_test.cpp: the float matrix product against plain loops.
#include "kernels/gemm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Problem {
  Gemm args;
  std::vector<float> a, b, c, row_bias, column_bias;
  std::vector<float> expected;

  std::string describe() const {
    return std::to_string(args.m) + "x" + std::to_string(args.n) + "x" + std::to_string(args.k) + " orders " +
           std::to_string(static_cast<int>(args.a_order)) + std::to_string(static_cast<int>(args.b_order)) + " start " +
           std::to_string(static_cast<int>(args.start)) + " clamp " + std::to_string(args.clamp_min);
  }
};

std::int64_t any_extent(std::mt19937& rng, std::int64_t largest) {
  // Extents 0 and 1 have code of their own in most products.
  const auto draw = std::uniform_int_distribution<std::int64_t>(-2, largest)(rng);
  return draw < 0 ? 1 : draw;
}

Problem random_problem(std::mt19937& rng, std::int64_t m, std::int64_t n, std::int64_t k) {
  Problem p;
  std::uniform_int_distribution<int> coin(0, 1);
  Gemm& g = p.args;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a_order = coin(rng) == 0 ? Order::kRows : Order::kColumns;
  g.b_order = coin(rng) == 0 ? Order::kRows : Order::kColumns;
  g.a_stride = (g.a_order == Order::kRows ? k : m) + 3 * coin(rng);
  g.b_stride = (g.b_order == Order::kRows ? n : k) + 3 * coin(rng);
  g.c_stride = n + 5 * coin(rng);
  p.a = random_floats(rng, g.a_stride * (g.a_order == Order::kRows ? m : k));
  p.b = random_floats(rng, g.b_stride * (g.b_order == Order::kRows ? k : n));
  p.c = random_floats(rng, g.c_stride * m);
  p.row_bias = random_floats(rng, m);
  p.column_bias = random_floats(rng, n);
  g.start = coin(rng) == 0 ? Start::kBias : Start::kKeep;
  if (g.start == Start::kBias && coin(rng) == 0) g.row_bias = p.row_bias.data();
  if (g.start == Start::kBias && coin(rng) == 0) g.column_bias = p.column_bias.data();
  if (coin(rng) == 0) g.alpha = -0.5F;
  if (coin(rng) == 0) g.clamp_min = -0.25F;
  if (coin(rng) == 0) g.clamp_max = 0.75F;
  g.a = p.a.data();
  g.b = p.b.data();
  p.expected = p.c;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      float& out = p.expected[static_cast<std::size_t>(i * g.c_stride + j)];
      double sum = 0.0;
      if (g.start == Start::kKeep) sum = out;
      if (g.row_bias != nullptr) sum += g.row_bias[i];
      if (g.column_bias != nullptr) sum += g.column_bias[j];
      for (std::int64_t l = 0; l < k; ++l) {
        const float a = g.a[g.a_order == Order::kRows ? i * g.a_stride + l : i + l * g.a_stride];
        const float b = g.b[g.b_order == Order::kRows ? l * g.b_stride + j : l + j * g.b_stride];
        sum += double{g.alpha} * a * b;
      }
      out = static_cast<float>(std::clamp(sum, double{g.clamp_min}, double{g.clamp_max}));
    }
  }
  return p;
}

void expect_correct(const KernelTable& table, Problem& p) {
  p.args.c = p.c.data();
  table.gemm(p.args);
  const double tolerance = 1e-6 * (4.0 + static_cast<double>(p.args.k));
  for (std::size_t i = 0; i < p.c.size(); ++i) {
    ASSERT_NEAR(p.c[i], p.expected[i], tolerance) << p.describe() << " at " << i;
  }
}

class GemmOnEachIsa : public EachIsa {};

TEST_P(GemmOnEachIsa, RandomShapesOrdersAndStridesMatchPlainLoops) {
  std::mt19937 rng(20261);
  for (int i = 0; i < 150; ++i) {
    Problem p = random_problem(rng, any_extent(rng, 40), any_extent(rng, 70), any_extent(rng, 50));
    expect_correct(table(), p);
    if (HasFatalFailure()) return;
  }
}

// Wide and clamped: the columns are worked on in several tiles.
TEST_P(GemmOnEachIsa, TiledColumnsMatchPlainLoops) {
  std::mt19937 rng(20262);
  for (const std::int64_t n : {1025, 2047}) {
    for (int i = 0; i < 3; ++i) {
      Problem p = random_problem(rng, 300, n, 7);
      expect_correct(table(), p);
      if (HasFatalFailure()) return;
    }
  }
}

// Sums longer than one pass over a panel, with rows and columns that fill no tile.
TEST_P(GemmOnEachIsa, LongSumsMatchPlainLoops) {
  std::mt19937 rng(20263);
  for (const std::int64_t k : {511, 512, 513, 1100}) {
    for (const std::int64_t n : {16, 49, 96, 97}) {
      for (const std::int64_t m : {3, 8, 17}) {
        Problem p = random_problem(rng, m, n, k);
        expect_correct(table(), p);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Rows of a product with `b` in rows, `num_rows` at a time, and columns of any product, as gemm.hpp allows.
void expect_same_in_parts(const KernelTable& table, Problem& p, std::int64_t num_rows) {
  std::vector<float> whole = p.c;
  p.args.c = whole.data();
  table.gemm(p.args);
  std::vector<float> by_columns = p.c;
  for (std::int64_t first = 0; first < p.args.n; first += kColumnGranule) {
    Gemm part = p.args;
    part.n = std::min(kColumnGranule, p.args.n - first);
    part.b += first * (part.b_order == Order::kRows ? 1 : part.b_stride);
    part.c = by_columns.data() + first;
    if (part.column_bias != nullptr) part.column_bias += first;
    table.gemm(part);
  }
  ASSERT_EQ(by_columns, whole) << p.describe();
  if (p.args.b_order != Order::kRows) return;
  std::vector<float> by_rows = p.c;
  for (std::int64_t first = 0; first < p.args.m; first += num_rows) {
    Gemm part = p.args;
    part.m = std::min<std::int64_t>(num_rows, p.args.m - first);
    part.a += first * (part.a_order == Order::kRows ? part.a_stride : 1);
    part.c = by_rows.data() + first * part.c_stride;
    if (part.row_bias != nullptr) part.row_bias += first;
    table.gemm(part);
  }
  ASSERT_EQ(by_rows, whole) << p.describe();
}

TEST_P(GemmOnEachIsa, PartsGiveTheBitsOfTheWhole) {
  std::mt19937 rng(20264);
  for (int i = 0; i < 60; ++i) {
    Problem p = random_problem(rng, any_extent(rng, 40), any_extent(rng, 160), any_extent(rng, 150));
    expect_same_in_parts(table(), p, 3);
    if (HasFatalFailure()) return;
  }
}

// A matrix that no second-level cache holds, and rows of outputs far apart: worked on in blocks.
TEST_P(GemmOnEachIsa, BlocksMatchPlainLoopsAndTheirParts) {
  std::mt19937 rng(20266);
  constexpr struct {
    std::int64_t m, n, k;
  } kShapes[] = {{403, 75, 257}, {197, 49, 520}, {19, 8193, 5}, {27, 8210, 130}, {9, 8192, 0}};
  for (const auto& [m, n, k] : kShapes) {
    for (int i = 0; i < 4; ++i) {
      Problem p = random_problem(rng, m, n, k);
      expect_same_in_parts(table(), p, 40);
      expect_correct(table(), p);
      if (HasFatalFailure()) return;
    }
  }
}

// One row or two, and one column to a few: ways of their own.
TEST_P(GemmOnEachIsa, ThinProductsMatchPlainLoops) {
  std::mt19937 rng(20265);
  for (const std::int64_t k : {1, 63, 64, 65, 700, 5000}) {
    for (const std::int64_t few : {1, 2, 3, 4, 5}) {
      for (const std::int64_t many : {9, 52, 300}) {
        Problem wide = random_problem(rng, few, many, k);
        expect_correct(table(), wide);
        Problem tall = random_problem(rng, many, few, k);
        expect_correct(table(), tall);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(GemmOnEachIsa, NanPassesTheClampOfATile) {
  const std::vector<float> a = {std::numeric_limits<float>::quiet_NaN(), 1.0F};
  const std::vector<float> b(50, 9.0F);
  std::vector<float> c(100);
  Gemm g;
  g.m = 2;
  g.n = 50;
  g.k = 1;
  g.a = a.data();
  g.b = b.data();
  g.c = c.data();
  g.a_stride = 1;
  g.b_stride = g.c_stride = 50;
  g.clamp_min = 0.0F;
  g.clamp_max = 6.0F;
  table().gemm(g);
  for (std::size_t j = 0; j < 50; ++j) {
    EXPECT_TRUE(std::isnan(c[j]));
    EXPECT_EQ(c[50 + j], 6.0F);
  }
}

TEST_P(GemmOnEachIsa, NanPassesTheClamp) {
  const std::vector<float> a = {std::numeric_limits<float>::quiet_NaN(), 1.0F, 1.0F};
  const std::vector<float> b = {9.0F};
  std::vector<float> c(3);
  Gemm g;
  g.m = 3;
  g.n = g.k = 1;
  g.a = a.data();
  g.b = b.data();
  g.c = c.data();
  g.a_stride = g.b_stride = g.c_stride = 1;
  g.clamp_min = 0.0F;
  g.clamp_max = 6.0F;
  table().gemm(g);
  EXPECT_TRUE(std::isnan(c[0]));
  EXPECT_EQ(c[1], 6.0F);
}

TEST_P(GemmOnEachIsa, ClampLimitsAndKeepsNan) {
  std::vector<float> x(37, 0.5F);
  x[0] = -kInfinity;
  x[1] = kInfinity;
  x[2] = std::numeric_limits<float>::quiet_NaN();
  x[35] = -3.0F;
  x[36] = 3.0F;
  table().clamp_in_place(x.data(), static_cast<std::int64_t>(x.size()), -1.0F, 2.0F);
  EXPECT_EQ(x[0], -1.0F);
  EXPECT_EQ(x[1], 2.0F);
  EXPECT_TRUE(std::isnan(x[2]));
  EXPECT_EQ(x[3], 0.5F);
  EXPECT_EQ(x[35], -1.0F);
  EXPECT_EQ(x[36], 2.0F);
}

INSTANTIATE_TEST_SUITE_P(Isas, GemmOnEachIsa, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
