// Contract under test: kernels/packed_gemm.hpp, against sums formed one by one and numerics::requantize().
#include "kernels/packed_gemm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <tuple>
#include <vector>

#include "each_isa.hpp"

namespace halfstep::kernels {
namespace {

using numerics::Rounding;

struct Problem {
  Group group;
  std::int64_t m, n, k;
  std::vector<std::int32_t> left;   // [m][k].
  std::vector<std::int32_t> right;  // [k][n].

  std::int64_t sum(std::int64_t row, std::int64_t column) const {
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < k; ++i) {
      total +=
          std::int64_t{left[static_cast<std::size_t>(row * k + i)]} * right[static_cast<std::size_t>(i * n + column)];
    }
    return total;
  }
};

// Extremes are frequent: they are what saturates.
Problem random_problem(std::mt19937& rng, Group group, std::int64_t m, std::int64_t n, std::int64_t k) {
  Problem p{group, m, n, k, {}, {}};
  const bool bytes = group == Group::kQuads;
  const auto number = [&](std::int32_t low, std::int32_t high) {
    const auto kind = rng() % 4;
    if (kind == 0) return low;
    if (kind == 1) return high;
    return std::uniform_int_distribution<std::int32_t>(low, high)(rng);
  };
  for (std::int64_t i = 0; i < m * k; ++i) p.left.push_back(bytes ? number(-128, 127) : number(-255, 255));
  for (std::int64_t i = 0; i < k * n; ++i) p.right.push_back(bytes ? number(0, 255) : number(-32768, 32767));
  return p;
}

std::vector<std::int32_t> pack_right(const Problem& p, std::int64_t padded) {
  const std::int64_t size = group_size(p.group);
  const std::int64_t k_groups = (p.k + size - 1) / size;
  std::vector<std::int32_t> panel(static_cast<std::size_t>(k_groups * padded), 0x5A5A5A5A);
  for (std::int64_t g = 0; g < k_groups; ++g) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      std::uint32_t bits = 0;
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t k = g * size + i;
        const std::uint32_t value =
            k < p.k ? static_cast<std::uint32_t>(p.right[static_cast<std::size_t>(k * p.n + j)]) : 77;
        bits |= (value & (size == 4 ? 0xFFU : 0xFFFFU)) << (32 / size * i);
      }
      panel[static_cast<std::size_t>(g * padded + j)] = static_cast<std::int32_t>(bits);
    }
  }
  return panel;
}

class PackedGemmTest : public EachIsa {};

TEST_P(PackedGemmTest, SumsAreExact) {
  std::mt19937 rng(1);
  const PanelShape shape = table().panel_shape();
  for (const Group group : {Group::kPairs, Group::kQuads}) {
    for (const std::int64_t n : {std::int64_t{1}, shape.lanes, shape.lanes + 1, shape.lanes + 3, 2 * shape.lanes,
                                 3 * shape.lanes - 1, shape.columns - 1, shape.columns}) {
      for (const std::int64_t m : {1, 2, 5, 6, 7, 8, 13, 17}) {
        for (const std::int64_t k : {1, 3, 4, 30, 150}) {
          const Problem p = random_problem(rng, group, m, n, k);
          const PackedLeft left = pack_left(group, m, k, p.left, table().saturates_byte_pairs);
          const std::vector<std::int32_t> panel = pack_right(p, shape.padded(n));
          const std::int64_t stride = shape.padded(n) + 5;
          std::vector<std::int32_t> acc(static_cast<std::size_t>(m * stride), -1);
          PackedGemm gemm;
          gemm.left = LeftPart(left, 0, m);
          gemm.n = n;
          gemm.b = panel.data();
          gemm.acc = acc.data();
          gemm.acc_stride = stride;
          table().packed_gemm(gemm);
          for (std::int64_t row = 0; row < m; ++row) {
            for (std::int64_t j = 0; j < n; ++j) {
              ASSERT_EQ(acc[static_cast<std::size_t>(row * stride + j)], p.sum(row, j))
                  << "m " << m << " n " << n << " k " << k << " row " << row << " column " << j;
            }
            for (std::int64_t j = shape.padded(n); j < stride; ++j) {
              ASSERT_EQ(acc[static_cast<std::size_t>(row * stride + j)], -1);
            }
          }
        }
      }
    }
  }
}

template <class Q>
void check_codes(const KernelTable& table, DType dtype, Group group, Rounding rounding, std::int64_t n) {
  std::mt19937 rng(2);
  const std::int64_t m = 9;
  const std::int64_t first = 1;  // A part of the rows.
  const Problem p = random_problem(rng, group, m, n, 40);
  const PackedLeft left = pack_left(group, m, p.k, p.left, table.saturates_byte_pairs);
  const std::vector<std::int32_t> panel = pack_right(p, table.panel_shape().padded(n));
  std::vector<numerics::Requantizer> requantizers;
  std::vector<std::int32_t> biases;
  std::vector<RowFinish> finish(static_cast<std::size_t>(m));
  const std::int32_t lowest = std::numeric_limits<Q>::min();
  const std::int32_t highest = std::numeric_limits<Q>::max();
  for (std::int64_t row = 0; row < m; ++row) {
    numerics::Requantizer r;
    r.factor.multiplier_q31 = row == 3 ? 1 << 30 : static_cast<std::int32_t>((1U << 30) + rng() % (1U << 30));
    r.factor.right_shift = 1 + static_cast<std::int32_t>(rng() % (row == 4 ? 31 : 12));
    r.zero_point = lowest + static_cast<std::int32_t>(rng() % 200);
    r.q_min = lowest + static_cast<std::int32_t>(rng() % 9);
    r.q_max = highest - static_cast<std::int32_t>(rng() % 9);
    r.rounding = rounding;
    requantizers.push_back(r);
    biases.push_back(static_cast<std::int32_t>(rng() % 20001) - 10000);
    ASSERT_TRUE(make_row_finish(biases.back(), r, dtype, finish[static_cast<std::size_t>(row)]));
  }
  const std::int64_t stride = n + 3;
  const Q untouched = 99;
  std::vector<Q> codes(static_cast<std::size_t>(m * stride), untouched);
  PackedGemm gemm;
  gemm.left = LeftPart(left, first, m - first);
  gemm.n = n;
  gemm.b = panel.data();
  gemm.finish = finish.data() + first;
  gemm.rounding = rounding;
  gemm.dtype = dtype;
  gemm.q = codes.data();
  gemm.q_stride = stride;
  table.packed_gemm(gemm);
  for (std::int64_t row = first; row < m; ++row) {
    for (std::int64_t j = 0; j < stride; ++j) {
      const auto r = static_cast<std::size_t>(row);
      const Q got = codes[static_cast<std::size_t>((row - first) * stride + j)];
      if (j >= n) {
        ASSERT_EQ(got, untouched);
      } else {
        const auto acc = static_cast<std::int32_t>(p.sum(row, j) + biases[r]);
        ASSERT_EQ(std::int32_t{got}, numerics::requantize(acc, requantizers[r])) << "row " << row << " column " << j;
      }
    }
  }
}

TEST_P(PackedGemmTest, CodesAreThoseOfRequantize) {
  for (const Group group : {Group::kPairs, Group::kQuads}) {
    for (const Rounding rounding : {Rounding::kHalfUp, Rounding::kHalfEven, Rounding::kHalfAway}) {
      for (const std::int64_t n : {std::int64_t{1}, std::int64_t{13}, table().panel_shape().columns}) {
        const std::int64_t columns = std::min(n, table().panel_shape().columns);
        check_codes<std::uint8_t>(table(), DType::kUint8, group, rounding, columns);
        check_codes<std::int8_t>(table(), DType::kInt8, group, rounding, columns);
        check_codes<std::int16_t>(table(), DType::kInt16, group, rounding, columns);
        check_codes<std::uint16_t>(table(), DType::kUint16, group, rounding, columns);
      }
    }
  }
}

TEST(RowFinishTest, LeavesOtherRulesAndLargeFactorsToRows) {
  RowFinish finish;
  numerics::Requantizer r{.factor = {1 << 30, 4}, .zero_point = 0, .q_min = 0, .q_max = 255};
  EXPECT_TRUE(make_row_finish(0, r, DType::kUint8, finish));
  r.rounding = Rounding::kDoubling;
  EXPECT_FALSE(make_row_finish(0, r, DType::kUint8, finish));
  r.rounding = Rounding::kFloatEven;
  EXPECT_FALSE(make_row_finish(0, r, DType::kUint8, finish));
  r.rounding = Rounding::kHalfUp;
  r.factor.right_shift = 0;
  EXPECT_FALSE(make_row_finish(0, r, DType::kUint8, finish));
  r.factor.right_shift = 32;
  EXPECT_FALSE(make_row_finish(0, r, DType::kUint8, finish));
}

// The weights that the quads of one step multiply in one 16-bit lane of one row: none of their sums leaves int16.
void expect_lanes_fit(std::span<const std::int32_t> quads) {
  for (int lane = 0; lane < 2; ++lane) {
    std::int32_t most = 0;
    std::int32_t least = 0;
    for (const std::int32_t bits : quads) {
      std::int8_t quad[4];
      std::memcpy(quad, &bits, 4);
      for (int i = 2 * lane; i < 2 * lane + 2; ++i) (quad[i] > 0 ? most : least) += quad[i];
    }
    EXPECT_LE(255 * most, 32767);
    EXPECT_GE(255 * least, -32768);
  }
}

// By definition: no step saturates, and over all steps the weights are what was given.
TEST(PackLeftTest, TilesAddUpToTheWeightsAndNeverSaturate) {
  std::mt19937 rng(3);
  for (const int spread : {1, 3, 20}) {  // From extremes only to weights of which many are paired.
    Problem p = random_problem(rng, Group::kQuads, 11, 1, 70);
    for (std::int32_t& w : p.left) w /= spread;
    const PackedLeft left = pack_left(Group::kQuads, p.m, p.k, p.left, true);
    ASSERT_EQ(std::ssize(left.tiles), 3);
    std::vector<std::int32_t> w(static_cast<std::size_t>(12 * 4 * left.k_groups), 0);
    const auto add_quad = [&](std::int64_t row, std::int32_t k_group, std::int32_t bits) {
      std::int8_t quad[4];
      std::memcpy(quad, &bits, 4);
      for (std::int64_t i = 0; i < 4; ++i) {
        w[static_cast<std::size_t>(4 * (row * left.k_groups + k_group) + i)] += quad[i];
      }
    };
    std::int64_t doubles = 0;
    for (std::int64_t t = 0; t < 3; ++t) {
      const WeightTile& tile = left.tiles[static_cast<std::size_t>(t)];
      const std::int32_t* step = left.steps.data() + tile.first;
      doubles += tile.doubles;
      for (std::int64_t i = 0; i < tile.doubles; ++i, step += kDoubleSize) {
        for (std::int64_t r = 0; r < kWeightTileRows; ++r) {
          expect_lanes_fit({step + 2 + 2 * r, 2});
          add_quad(kWeightTileRows * t + r, step[0], step[2 + 2 * r]);
          add_quad(kWeightTileRows * t + r, step[1], step[3 + 2 * r]);
        }
      }
      for (std::int64_t i = 0; i < tile.singles; ++i, step += kSingleSize) {
        for (std::int64_t r = 0; r < kWeightTileRows; ++r) {
          expect_lanes_fit({step + 1 + r, 1});
          add_quad(kWeightTileRows * t + r, step[0], step[1 + r]);
        }
      }
    }
    for (std::int64_t row = 0; row < 12; ++row) {
      for (std::int64_t k = 0; k < 4 * left.k_groups; ++k) {
        EXPECT_EQ(w[static_cast<std::size_t>(row * 4 * left.k_groups + k)],
                  row < p.m && k < p.k ? p.left[static_cast<std::size_t>(row * p.k + k)] : 0);
      }
    }
    if (spread == 20) {
      EXPECT_GE(doubles, 3 * left.k_groups / 4);  // Of at most half as many a tile.
    }
  }
  const Problem p = random_problem(rng, Group::kQuads, 5, 1, 8);
  EXPECT_TRUE(pack_left(Group::kQuads, p.m, p.k, p.left, false).tiles.empty());
}

TEST_P(PackedGemmTest, PartsBeginAtAnyRow) {
  std::mt19937 rng(5);
  const std::int64_t m = 11, n = table().panel_shape().lanes + 1, k = 50;
  const Problem p = random_problem(rng, Group::kQuads, m, n, k);
  const PackedLeft left = pack_left(p.group, m, k, p.left, table().saturates_byte_pairs);
  const std::int64_t padded = table().panel_shape().padded(n);
  const std::vector<std::int32_t> panel = pack_right(p, padded);
  for (std::int64_t first = 0; first < m; ++first) {
    for (std::int64_t count = 1; count <= m - first; ++count) {
      std::vector<std::int32_t> acc(static_cast<std::size_t>((count + 1) * padded), -1);
      PackedGemm gemm;
      gemm.left = LeftPart(left, first, count);
      gemm.n = n;
      gemm.b = panel.data();
      gemm.acc = acc.data();
      gemm.acc_stride = padded;
      table().packed_gemm(gemm);
      for (std::int64_t row = 0; row < count; ++row) {
        for (std::int64_t j = 0; j < n; ++j) {
          ASSERT_EQ(acc[static_cast<std::size_t>(row * padded + j)], p.sum(first + row, j)) << first << " " << count;
        }
      }
      for (std::int64_t j = 0; j < padded; ++j) ASSERT_EQ(acc[static_cast<std::size_t>(count * padded + j)], -1);
    }
  }
}

TEST_P(PackedGemmTest, InterleavesSplitsAndGathers) {
  std::mt19937 rng(4);
  for (const std::int64_t count : {1, 3, 4, 7, 16, 17, 40}) {
    std::vector<std::uint8_t> rows(static_cast<std::size_t>(4 * count));
    for (std::uint8_t& byte : rows) byte = static_cast<std::uint8_t>(rng());
    const std::uint8_t* at[4] = {&rows[0], &rows[static_cast<std::size_t>(count)],
                                 &rows[static_cast<std::size_t>(2 * count)],
                                 &rows[static_cast<std::size_t>(3 * count)]};
    std::vector<std::int32_t> groups(static_cast<std::size_t>(count + 1), 42);
    table().interleave_bytes(at, count, 0x80, groups.data());
    for (std::int64_t i = 0; i < count; ++i) {
      std::uint8_t quad[4];
      std::memcpy(quad, &groups[static_cast<std::size_t>(i)], 4);
      for (std::size_t r = 0; r < 4; ++r) ASSERT_EQ(quad[r], at[r][i] ^ 0x80);
    }
    EXPECT_EQ(groups.back(), 42);
    for (const std::int64_t stride : {1, 2, 3}) {
      const std::int64_t width = (count + stride - 1) / stride;
      std::vector<std::int32_t> split(static_cast<std::size_t>(stride * width), 42);
      table().split_groups(groups.data(), count, stride, split.data(), width);
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(split[static_cast<std::size_t>(i % stride * width + i / stride)],
                  groups[static_cast<std::size_t>(i)]);
      }
    }
  }
  std::vector<std::int32_t> image(500);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::int32_t>(i);
  const std::int32_t offsets[] = {0, 200, 7};
  const ColumnRun runs[] = {{3, 13}, {40, 1}, {90, 9}};
  std::vector<std::int32_t> panel(3 * 32 + 16);
  table().gather_panel(image.data(), offsets, 3, runs, 3, panel.data(), 32);
  for (std::size_t g = 0; g < 3; ++g) {
    std::size_t at = 32 * g;
    for (const ColumnRun& run : runs) {
      for (std::int64_t i = 0; i < run.count; ++i) ASSERT_EQ(panel[at++], offsets[g] + run.from + i);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, PackedGemmTest, testing::ValuesIn(runnable_isas().begin(), runnable_isas().end()),
                         isa_test_name);

}  // namespace
}  // namespace halfstep::kernels
